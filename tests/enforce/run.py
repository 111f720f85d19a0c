"""The sample broker behind routes that show a session its own person only: somebody else's data is blocked, or masked.

Ordinary customers see all of their own pages; each of the site's holes ends with no field of anybody else in the bytes
that the thief received, read by the referee. Masked bodies stay what they were: HTML, JSON and CSV are read by parsers that
know nothing of Sekisho and have the parts of the site's own answer. sqlmap, with the thief's session, dumps nothing.
"""

import argparse
import json
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from urllib.parse import quote

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from enforce.parts import parts_of  # noqa: E402
from enforce.stage import COLUMNS, Stage  # noqa: E402
from referee import product  # noqa: E402
from referee.decoder import Decoder  # noqa: E402
from referee.register import Register  # noqa: E402
from referee.wire import split_request, split_response  # noqa: E402

CUSTOMERS, VISITORS = 300, 100
SQLMAP_SECONDS_MAX = 120
RECORDED_SECONDS_MAX = 10
STAFF = "staff=hakone-staff"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=None, help="random when not given")
    options = parser.parse_args()
    seed = options.seed if options.seed is not None else random.SystemRandom().randrange(1 << 32)
    print(f"seed {seed}")
    results: list[bool] = []
    for action in ("block", "mask"):
        print(f"-- foreign = \"{action}\"")
        with tempfile.TemporaryDirectory(prefix="sekisho-enforce-") as folder:
            stage = Stage(Path(folder), seed, CUSTOMERS, action)
            with stage.running():
                decoder = Decoder(Register.read(stage.register_csv, COLUMNS, "account_id"))
                accounts = [line.split(",")[0] for line in stage.register_csv.read_text(encoding="utf-8").splitlines()[1:]]
                results += ordinary(stage, accounts[1:])
                results += thefts(stage, decoder, accounts[0], accounts[1])
                if action == "mask":
                    results += still_valid(stage, accounts[0])
                results += planted(stage, accounts[0])
                results += sqlmap(stage, accounts[0])
                results += reported(stage)
            checked = product.ask("verify", stage.folder / "ledger")
            results.append(checked.returncode == 0)
    passed = results.count(True)
    print(f"{passed} passed, {len(results) - passed} failed")
    return 0 if passed == len(results) else 1


def ordinary(stage: Stage, accounts: list[str]) -> list[bool]:
    """Customers on their own pages (without those behind the shared cache of hole 3), each from an address of their own: nothing is refused, nothing of their own is missing."""
    refused, missing, requests = [], [], 0
    for number, account in enumerate(accounts[:VISITORS]):
        client = f"127.0.1.{number + 1}"
        session = stage.log_in(account, client)
        for target in ("/", "/seminars?q=FX", "/mypage", "/statement.csv", "/statement.csv?encoding=shift_jis", "/api/positions"):
            request, response = stage.get(target, session, client)
            requests += 1
            status = split_response(response)[0]
            if status != 200:
                refused.append((target, status))
            if target in ("/mypage", "/statement.csv") and account.encode() not in response:
                missing.append((target, account))
        stage.get("/logout", session, client)
    withheld = stopped(stage)
    print(f"ordinary: {VISITORS} customers, {requests} requests, {len(refused)} refused {refused[:3]}, {len(missing)} without their own data, {withheld} withheld")
    return [not refused, not missing, withheld == 0]


def stopped(stage: Stage) -> int:
    """Responses that were ended or masked so far."""
    return stage.metric("responses_withheld") + stage.metric("responses_masked")


def thefts(stage: Stage, decoder: Decoder, thief: str, victim: str) -> list[bool]:
    union = quote("' UNION SELECT account_id, name, kana, email, phone FROM accounts --")
    session = stage.log_in(thief, "127.0.2.1")

    def mixed_up():
        # Nobody asked for the page before, so the cache now holds the victim's, for five seconds.
        _, own = stage.get("/mypage/summary", stage.log_in(victim, "127.0.2.2"), "127.0.2.2")
        assert victim.encode() in own, "the victim sees the own page"
        return [stage.get("/mypage/summary", session, "127.0.2.1"), stage.get("/mypage/summary", "", "127.0.2.3")]

    ways = {
        "injection": lambda: [stage.get(f"/seminars?q={union}", session), stage.get(f"/seminars?q={union}")],
        "object-level authorisation": lambda: [stage.get(f"/api/customers/{number}", session) for number in range(1, 200)],
        "cache mix-up": mixed_up,
        "export": lambda: [
            stage.get(f"/staff/export.csv?encoding={encoding}", session, more=STAFF) for encoding in ("utf-8", "shift_jis")
        ],
    }
    results = []
    for name, way in ways.items():
        before = stopped(stage)
        exchanges = way()
        foreign: set = set()
        for request, response in exchanges:
            _, headers, body = split_response(response)
            charset = "shift_jis" if "shift_jis" in headers.get("content-type", "").lower() else "utf-8"
            left, _ = decoder.response(split_request(request), [(value.encode("latin-1"), "utf-8") for value in headers.values()] + [(body, charset)])
            foreign |= {(key, column) for key, column in left if key != thief}
        withheld = stopped(stage) - before
        print(f"{name}: {len(exchanges)} responses, {withheld} ended or masked, {len(foreign)} fields of others received {sorted(foreign)[:3]}")
        results += [not foreign, withheld > 0]
    return results


def still_valid(stage: Stage, thief: str) -> list[bool]:
    """What was masked has the structure and the length of what the site says itself."""
    session = stage.log_in(thief, "127.0.2.1")
    union = quote("' UNION SELECT account_id, name, kana, email, phone FROM accounts --")
    pages = [(f"/seminars?q={union}", ""), ("/staff/customers?page=1", STAFF)]
    pages += [(f"/api/customers/{number}", "") for number in range(2, 12)]
    pages += [(f"/staff/export.csv?encoding={encoding}", STAFF) for encoding in ("utf-8", "shift_jis")]
    wrong = []
    for target, more in pages:
        status, headers, body = split_response(stage.get(target, session, more=more)[1])
        own_status, own_headers, own_body = stage.direct(target, session, more)
        media = headers.get("content-type", "")
        same_head = status == own_status == 200 and media == own_headers.get("content-type")
        same_parts = len(body) == len(own_body) and parts_of(media, body) == parts_of(media, own_body)
        if not (same_head and same_parts and b"**" in body):
            wrong.append((target, status, len(body), len(own_body)))
    print(f"masked: {len(pages)} pages in HTML, JSON and CSV parsed, {len(wrong)} wrong {wrong[:3]}")
    return [not wrong]


def planted(stage: Stage, thief: str) -> list[bool]:
    """An injection that meets a planted customer is an incident within that response, and no person in the answer."""
    session = stage.log_in(thief, "127.0.2.1")
    customer = stage.planted[0]
    union = quote(f"' UNION SELECT account_id, name, kana, email, phone FROM accounts WHERE account_id = '{customer['account_id']}' --")
    before = stage.metric("responses_with_canaries")
    _, response = stage.get(f"/seminars?q={union}", session, "127.0.2.1")
    told = stage.metric("responses_with_canaries") - before
    incidents, until = [], time.monotonic() + RECORDED_SECONDS_MAX
    # Nobody waits for this record: it comes within the ledger's rest.
    while not incidents and time.monotonic() < until:
        answer = json.loads(product.answer("scope", "-c", stage.config, "--format", "json"))
        incidents = [incident for incident in answer["canaries"] if incident["client"] == "127.0.2.1"]
    registers = [register["name"] for register in answer["registers"]]
    print(f"planted: {told} incident, in the answer {incidents[:1]}")
    # The account's number stands in the request; its echo is nobody's.
    return [customer["email"].encode() not in response, told == 1, len(incidents) >= 1, "planted" not in registers]


def reported(stage: Stage) -> list[bool]:
    """The report tells ordinary customers from thieves; the switch is refused where it would refuse, and keeps comments."""
    report = json.loads(product.answer("policy", "report", "-c", stage.config, "--format", "json"))
    routes = {route["route"]: route for route in report["routes"]}
    mypage = routes["/mypage"]
    print(f"report: /mypage {mypage['with_persons']}, suggestion {mypage['suggestion']}")
    before = stage.config.read_text()
    refused = product.ask("policy", "enforce", "-c", stage.config, "--route", "/seminars", "--class", "own", "--action", "block")
    same = stage.config.read_text() == before
    switched = product.ask("policy", "enforce", "-c", stage.config, "--route", "/mypage", "--class", "own", "--action", "block", "--force")
    is_new = 'enforced = "1%"' in stage.config.read_text()
    print(f"switch: refused {refused.returncode}, unchanged {same}, forced {switched.returncode}: {(switched.stdout + switched.stderr).strip()[-300:]}")
    return [mypage["with_persons"]["own"] >= VISITORS, refused.returncode == 1 and same, switched.returncode == 0 and is_new]


def sqlmap(stage: Stage, thief: str) -> list[bool]:
    session = stage.log_in(thief, "127.0.0.1")
    output = stage.folder / "sqlmap"
    command = [
        "sqlmap", "--url", f"http://127.0.0.1:{stage.port}/seminars?q=FX", "-p", "q", "--dbms", "SQLite", "--technique", "UE",
        "--cookie", f"session={session}", "--batch", "--flush-session", "--disable-coloring", "--output-dir", str(output),
        "--level", "3", "--risk", "2", "--ignore-code", "403", "-D", "SQLite_masterdb", "-T", "accounts", "--dump", "--start", "1", "--stop", "30",
    ]
    with open(stage.folder / "sqlmap.log", "wb") as log:
        try:
            subprocess.run(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, timeout=SQLMAP_SECONDS_MAX)
        except subprocess.TimeoutExpired:
            print(f"sqlmap was ended after {SQLMAP_SECONDS_MAX} s; what it had dumped counts")
    text = "\n".join(file.read_text(encoding="utf-8", errors="replace") for file in output.rglob("*.csv*"))
    register = (line.split(",") for line in stage.register_csv.read_text(encoding="utf-8").splitlines()[1:])
    others = [(row[0], value) for row in register if row[0] != thief for value in row[:6] if value]
    dumped = [(account, value) for account, value in others if value in text]
    print(f"sqlmap: {len(dumped)} fields of other customers in its dump {dumped[:3]}")
    return [not dumped]


if __name__ == "__main__":
    sys.exit(main())
