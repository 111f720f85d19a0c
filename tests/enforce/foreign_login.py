"""A foreign application with log-in: Datasette and its password plugin, both unmodified, on a route that shows a session
its own person only. Whoever is signed in may ask for any table, with free SQL: the whole of it is a hole.

One who is signed in asks as a thief does, in HTML, JSON and CSV; no field of anybody else may be in the received bytes, as
the referee reads them. Masked bodies are read by parsers that know nothing of Sekisho.
"""

import argparse
import json
import random
import subprocess
import sys
import tempfile
from pathlib import Path
from urllib.parse import quote, urlencode

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from enforce.parts import parts_of  # noqa: E402
from enforce.stage import until_closed  # noqa: E402
from foreign.applications import Datasette  # noqa: E402
from referee import customers, product  # noqa: E402
from referee.decoder import Decoder  # noqa: E402
from referee.register import Register  # noqa: E402
from referee.wire import Connection, split_request, split_response  # noqa: E402

CUSTOMERS, REQUESTS = 600, 250
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
foreign = "{action}"

[[login]]
path = "/-/login"
field = "username"
kind = "account_id"
success_location = "/"

[session]
cookies = ["ds_actor"]
"""
HASH = "import sys; from datasette_auth_passwords.utils import hash_password; print(hash_password(sys.argv[1], iterations=1000))"


class SignedIn(Datasette):
    """Datasette with accounts named as the customers are."""

    def passwords(self, accounts: list[str]) -> None:
        python = product.CACHE / "venv" / "bin" / "python"
        hashed = subprocess.run([python, "-c", HASH, "right"], capture_output=True, text=True, check=True).stdout.strip()
        settings = {f"{account}_password_hash": hashed for account in accounts}
        (self.folder / "metadata.json").write_text(json.dumps({"plugins": {"datasette-auth-passwords": settings}}))
        self.more = ["--metadata", self.folder / "metadata.json"]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=None, help="random when not given")
    options = parser.parse_args()
    seed = options.seed if options.seed is not None else random.SystemRandom().randrange(1 << 32)
    results: list[bool] = []
    for action in ("block", "mask"):
        with tempfile.TemporaryDirectory(prefix="sekisho-datasette-") as folder:
            results += run(Path(folder), seed, action)
    print(f"seed {seed}: {results.count(True)} passed, {results.count(False)} failed")
    return 0 if all(results) else 1


def run(folder: Path, seed: int, action: str) -> list[bool]:
    rng = random.Random(seed)
    rows = customers.customers(CUSTOMERS, seed)
    customers.write_csv(folder / "customers.csv", rows)
    app = SignedIn(folder, product.free_port(), rows, rng)
    app.prepare()
    thief = alone(rows)
    app.passwords([thief["customer_no"], rows[0]["customer_no"]])
    port = product.free_port()
    subprocess.run([str(product.executable()), "init"], cwd=folder, check=True, capture_output=True)
    learnt = product.answer("register", "learn", folder / "customers.csv")
    config = folder / "sekisho.toml"
    config.write_text(CONFIG.format(port=port, site=app.port, action=action) + learnt)
    product.answer("register", "build", "-c", config)
    with app.running(), product.running([product.executable(), "serve", "-c", config], port, folder / "sekisho.log"):
        return steal(app, port, folder, thief, rng, action)


def alone(rows: list[dict[str, str]]) -> dict[str, str]:
    """Somebody who shares neither mail nor telephone nor name with anybody."""
    def count(column: str, value: str) -> int:
        return sum(row[column] == value for row in rows)

    return next(row for row in rows if all(count(column, row[column]) == 1 for column in ("email", "phone")))


def steal(app: SignedIn, port: int, folder: Path, thief: dict[str, str], rng: random.Random, action: str) -> list[bool]:
    decoder = Decoder(Register.read(folder / "customers.csv", customers.DETECTED, customers.KEY))
    wire, direct = Connection(("127.0.0.1", port), "127.0.4.1"), Connection(("127.0.0.1", app.port), "127.0.0.1")
    cookie = log_in(wire, thief["customer_no"])
    own = wire.get(f"/crm/customers/{quote(thief['customer_no'])}", Cookie=cookie)
    own_status, _, own_body = split_response(own.response)
    sees_own = own_status == 200 and thief["customer_no"].encode() in own_body and b"****" not in own_body
    anonymous = split_response(wire.get(f"/crm/customers/{quote(thief['customer_no'])}").response)
    targets = [target for _ in range(REQUESTS) for _, target, _ in app.requests()]
    targets += ["/crm/customers.csv?_stream=on&_size=max", "/crm.json?" + urlencode({"sql": "select * from customers"})]
    foreign, statuses, masked, wrong = set(), {}, 0, []
    for target in targets:
        request = f"GET {target} HTTP/1.1\r\nHost: app.example\r\nConnection: close\r\nCookie: {cookie}\r\n\r\n".encode()
        received = until_closed(wire.server, request, wire.client)
        # One that is broken off before its head went out is empty.
        status, headers, body = split_response(received) if received else (0, {}, b"")
        statuses[status] = statuses.get(status, 0) + 1
        left, _ = decoder.response(split_request(request), [(value.encode("latin-1"), "utf-8") for value in headers.values()] + [(body, "utf-8")])
        foreign |= {(key, column, target) for key, column in left if key != thief["customer_no"]}
        # What cannot be masked ends the response, in its middle too.
        is_whole = received.endswith(b"0\r\n\r\n") if "chunked" in headers.get("transfer-encoding", "") else len(body) == int(headers.get("content-length", 0))
        if status == 200 and is_whole and b"****" in body:
            masked += 1
            site = split_response(direct.get(target, Cookie=cookie).response)
            media = headers.get("content-type", "")
            if media != site[1].get("content-type") or parts_of(media, body) != parts_of(media, site[2]):
                wrong.append(target)
    wire.close()
    direct.close()
    print(
        f"datasette, foreign = \"{action}\": own page {own_status}, anonymous {anonymous[0]}; {len(targets)} requests of one signed in, "
        f"statuses {dict(sorted(statuses.items()))}, {masked} masked and parsed, {len(wrong)} wrong {wrong[:2]}; "
        f"{len(foreign)} fields of others received {sorted(foreign)[:3]}"
    )
    checked = product.ask("verify", folder / "ledger")
    stopped = masked if action == "mask" else statuses.get(403, 0)
    # The number itself stands in the path that was asked for; its echo is nobody's.
    is_hidden = anonymous[0] == 403 or b"****" in anonymous[2]
    return [sees_own, is_hidden, not foreign, not wrong, stopped > 30, checked.returncode == 0]


def log_in(wire: Connection, account: str) -> str:
    """The cookie of the session."""
    head, _, page = wire.get("/-/login").response.partition(b"\r\n\r\n")
    token = page.split(b'name="csrftoken" value="')[1].split(b'"')[0].decode()
    before = next(line for line in head.decode().splitlines() if line.lower().startswith("set-cookie: ds_csrftoken"))
    form = urlencode({"username": account, "password": "right", "csrftoken": token}).encode()
    fields = {"Content-Type": "application/x-www-form-urlencoded", "Cookie": before.split(": ")[1].split(";")[0]}
    answer = wire.send("POST", "/-/login", form, fields).response.decode("latin-1")
    return next(line for line in answer.splitlines() if line.lower().startswith("set-cookie: ds_actor")).split(": ")[1].split(";")[0]


if __name__ == "__main__":
    sys.exit(main())
