"""The sample broker behind routes that show a session its own person only, and everything else blocked.

Ordinary customers see all of their own pages; each of the site's holes ends with no field of anybody else in the bytes
that the thief received, read by the referee. sqlmap, with the thief's session, dumps nothing.
"""

import argparse
import json
import random
import re
import socket
import subprocess
import sys
import tempfile
import urllib.request
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from referee import product  # noqa: E402
from referee.decoder import Decoder  # noqa: E402
from referee.register import Register  # noqa: E402
from referee.wire import split_request, split_response  # noqa: E402

CUSTOMERS, VISITORS, PLANTED = 300, 100, 3
SQLMAP_SECONDS_MAX = 120
COLUMNS = {
    "account_id": "account_id", "name": "name", "kana": "kana", "romaji": "romaji", "email": "email", "phone": "phone",
    "card": "pan", "password_hash": "secret",
}
CONFIG = """
[[listener]]
address = "127.0.0.1:{port}"

[[upstream]]
name = "site"
url = "http://127.0.0.1:{site}"

[[route]]
path = "/"
upstream = "site"
class = "own"
foreign = "block"

[[route]]
path = "/staff"
upstream = "site"
class = "public"
foreign = "block"

[[login]]
path = "/login"
field = "account_id"
kind = "account_id"
success_location = "/mypage"

[session]
logout = ["/logout"]

[admin]
address = "127.0.0.1:{admin}"
"""


class Stage:
    """The site and Sekisho in front of it, in a folder of their own."""

    def __init__(self, folder: Path, seed: int):
        self.folder, self.seed = folder, seed
        self.site_port, self.port, self.admin = (product.free_port() for _ in range(3))
        self.register_csv = folder / "register" / "account_holders.csv"
        self.config = folder / "sekisho.toml"

    @contextmanager
    def running(self):
        site = product.executable().parent / "examples" / "site"
        command = [
            site, "--listen", f"127.0.0.1:{self.site_port}", "--seed", self.seed, "--customers", CUSTOMERS,
            "--write-register", self.folder / "register",
        ]
        with product.running(command, self.site_port, self.folder / "site.log", stdin=subprocess.PIPE):
            self.configure()
            serve = [product.executable(), "serve", "-c", self.config]
            with product.running(serve, self.port, self.folder / "sekisho.log"):
                yield

    def configure(self) -> None:
        # The last customers of the site's database are planted ones: in a register of their own, and in no other.
        lines = self.register_csv.read_text(encoding="utf-8").splitlines(keepends=True)
        self.register_csv.write_text("".join(lines[:-PLANTED]), encoding="utf-8")
        planted = self.folder / "planted.csv"
        planted.write_text("".join([lines[0], *lines[-PLANTED:]]), encoding="utf-8")
        self.planted = [line.split(",")[0] for line in lines[-PLANTED:]]
        canaries = product.answer("register", "learn", planted).replace("[[register]]", "[[register]]\ncanary = true", 1)
        learnt = [canaries] + [product.answer("register", "learn", file) for file in sorted((self.folder / "register").glob("*.csv"))]
        text = CONFIG.format(port=self.port, site=self.site_port, admin=self.admin)
        subprocess.run([str(product.executable()), "init"], cwd=self.folder, check=True, capture_output=True)
        self.config.write_text("\n".join([text, *learnt]))
        product.answer("check", "-c", self.config)
        product.answer("register", "build", "-c", self.config)

    def get(self, target: str, session: str = "", client: str = "127.0.0.1", more: str = "") -> tuple[bytes, bytes]:
        """Request and response, whole or broken off, raw."""
        cookies = "; ".join(cookie for cookie in (f"session={session}" if session else "", more) if cookie)
        head = f"GET {target} HTTP/1.1\r\nHost: app.example\r\nConnection: close\r\n"
        return self.exchange(head + (f"Cookie: {cookies}\r\n" if cookies else "") + "\r\n", client)

    def exchange(self, request: str, client: str) -> tuple[bytes, bytes]:
        received = bytearray()
        with socket.create_connection(("127.0.0.1", self.port), 60, (client, 0)) as wire:
            wire.sendall(request.encode())
            try:
                while chunk := wire.recv(1 << 16):
                    received += chunk
            except ConnectionResetError:
                pass  # A response that is broken off: what came before counts.
        return request.encode(), bytes(received)

    def log_in(self, account: str, client: str) -> str:
        form = f"account_id={account}&password={account[::-1]}"
        request = (
            "POST /login HTTP/1.1\r\nHost: app.example\r\nConnection: close\r\n"
            f"Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {len(form)}\r\n\r\n{form}"
        )
        _, response = self.exchange(request, client)
        return re.search(rb"session=([0-9a-f]{32})", response)[1].decode()

    def metric(self, name: str) -> int:
        text = urllib.request.urlopen(f"http://127.0.0.1:{self.admin}/metrics", timeout=10).read().decode()
        return int(re.search(rf"^sekisho_{name}_total (\d+)$", text, re.MULTILINE)[1])


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=None, help="random when not given")
    options = parser.parse_args()
    seed = options.seed if options.seed is not None else random.SystemRandom().randrange(1 << 32)
    print(f"seed {seed}")
    results: list[bool] = []
    with tempfile.TemporaryDirectory(prefix="sekisho-enforce-") as folder:
        stage = Stage(Path(folder), seed)
        with stage.running():
            register = Register.read(stage.register_csv, COLUMNS, "account_id")
            decoder = Decoder(register)
            accounts = [line.split(",")[0] for line in stage.register_csv.read_text(encoding="utf-8").splitlines()[1:]]
            results += ordinary(stage, accounts[1:])
            results += thefts(stage, decoder, accounts[0], accounts[1])
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
    withheld = stage.metric("responses_withheld")
    print(f"ordinary: {VISITORS} customers, {requests} requests, {len(refused)} refused {refused[:3]}, {len(missing)} without their own data, {withheld} withheld")
    return [not refused, not missing, withheld == 0]


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
            stage.get(f"/staff/export.csv?encoding={encoding}", session, more="staff=hakone-staff") for encoding in ("utf-8", "shift_jis")
        ],
    }
    results = []
    for name, way in ways.items():
        before = stage.metric("responses_withheld")
        exchanges = way()
        foreign: set = set()
        for request, response in exchanges:
            _, headers, body = split_response(response)
            charset = "shift_jis" if "shift_jis" in headers.get("content-type", "").lower() else "utf-8"
            left, _ = decoder.response(split_request(request), [(value.encode("latin-1"), "utf-8") for value in headers.values()] + [(body, charset)])
            foreign |= {(key, column) for key, column in left if key != thief}
        withheld = stage.metric("responses_withheld") - before
        print(f"{name}: {len(exchanges)} responses, {withheld} withheld, {len(foreign)} fields of others received {sorted(foreign)[:3]}")
        results += [not foreign, withheld > 0]
    return results


def planted(stage: Stage, thief: str) -> list[bool]:
    """An injection that meets a planted customer is an incident within that response, and no person in the answer."""
    session = stage.log_in(thief, "127.0.2.1")
    union = quote(f"' UNION SELECT account_id, name, kana, email, phone FROM accounts WHERE account_id = '{stage.planted[0]}' --")
    before = stage.metric("responses_with_canaries")
    _, response = stage.get(f"/seminars?q={union}", session, "127.0.2.1")
    told = stage.metric("responses_with_canaries") - before
    answer = json.loads(product.answer("scope", "-c", stage.config, "--format", "json"))
    incidents = [incident for incident in answer["canaries"] if incident["client"] == "127.0.2.1"]
    registers = [register["name"] for register in answer["registers"]]
    print(f"planted: {told} incident, in the answer {incidents[:1]}")
    return [stage.planted[0].encode() not in response, told == 1, len(incidents) >= 1, "planted" not in registers]


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
    others = [row[0] for row in register if row[0] != thief]
    dumped = [account for account in others if account in text]
    print(f"sqlmap: {len(dumped)} other customers in its dump {dumped[:3]}")
    return [not dumped]


if __name__ == "__main__":
    sys.exit(main())
