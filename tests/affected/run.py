"""Makes codes for 3,000 persons, serves the page, and asks: what do files and logs give away, are wrong answers the same
bytes, do times tell near codes from random ones or known from unknown, and can everybody read and use the page? Then a code by mail
(by_courier.py): the courier, a real SMTP server, the DKIM signature, the code back on the page.

Times are compared with Mann and Whitney's rank test. Questions come in random order, so that whatever else the machine does
falls on all kinds alike; a kind fails at 4.5 standard errors, which chance gives once in 100,000 comparisons.
"""

import argparse
import csv
import json
import math
import os
import random
import socket
import subprocess
import sys
import tempfile
import threading
import time
from http.client import HTTPConnection
from pathlib import Path
from urllib.parse import urlencode

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from affected import by_courier  # noqa: E402
from referee.product import CACHE, executable, free_port, running  # noqa: E402

ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
PERSONS = 3_000
CONNECTIONS = 8
STANDARD_ERRORS_MAX = 4.5

NOTICE = """
case = "hakone-2026-1"
version = 2
expires = "2037-12-01T00:00:00+09:00"
title = { ja = "会員様専用サイトへの不正アクセス", en = "Unauthorised access to the members' site" }
period = { ja = "2026年11月20日 10時ごろから同月23日 15時まで", en = "From about 10:00 on 20 November to 15:00 on 23 November 2026" }
advice = [
  { ja = "当社を名乗る不審なメールや電話にご注意ください。当社から、パスワードや暗証番号をお尋ねすることはありません。", en = "Beware of e-mails and calls in our name. We never ask for passwords or PINs." },
  { ja = "他のサービスで同じパスワードをお使いの場合は、変更をお願いいたします。", en = "If you use the same password elsewhere, please change it there." },
]
field = [
  { name = "name", ja = "お名前", en = "Name", examined = true },
  { name = "email", ja = "メールアドレス", en = "E-mail address", examined = true },
  { name = "phone", ja = "お電話番号", en = "Telephone number", examined = true },
  { name = "account_id", ja = "口座番号", en = "Account number", examined = true },
  { name = "address", ja = "ご住所", en = "Postal address", examined = false },
]
"""

CONFIG = """
listen = "127.0.0.1:{port}"
stores = ["case.codes"]
lookup_key = "keys/affected-lookup.key"
trusted_proxies = ["127.0.0.1/32"]
courier = "courier.sock"
[firm]
name = {{ ja = "箱根FX株式会社", en = "Hakone FX Inc." }}
contact = [
  {{ ja = "お客様相談室 0120-000-000（平日 9時から18時）", en = "Customer desk +81 120 000 000 (weekdays, 9:00 to 18:00 JST)" }},
  {{ ja = "〒250-0522 神奈川県足柄下郡箱根町元箱根1番地", en = "1 Motohakone, Hakone, Kanagawa 250-0522, Japan" }},
]
[limits]
client_burst = {burst}
client_per_minute = 6
wrong_burst = {wrong}
wrong_per_minute = 6
"""

results: list[bool] = []


def expect(what: str, holds: bool, found: object = "") -> None:
    results.append(bool(holds))
    if not holds:
        print(f"FAILED: {what} {found}")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--questions", type=int, default=7_500)
    parser.add_argument("--seed", type=int, default=None, help="random when not given")
    parser.add_argument("--images", type=Path, help="keeps the page's images there")
    options = parser.parse_args()
    seed = options.seed if options.seed is not None else random.SystemRandom().randrange(1 << 32)
    chance = random.Random(seed)
    with tempfile.TemporaryDirectory(prefix="sekisho-affected-") as name:
        folder = Path(name)
        codes = make(folder, chance)
        with Courier(folder / "courier.sock") as courier:
            answers(folder, codes, chance)
            by_mail(folder, courier, chance)
            times(folder, codes, chance, options.questions)
            in_a_browser(folder, codes, options.images)
        without_a_courier(folder)
        by_courier.run(folder, lambda: Served(folder, burst=100, wrong=100), ask, expect, address)
    print(f"seed {seed}: {results.count(True)} passed, {results.count(False)} failed")
    return 0 if all(results) else 1


def address(number: int) -> str:
    """Of the numbers from 100 to 109, the server of by_courier.py says "later" at first."""
    domain = "greylisted.example.jp" if 100 <= number < 110 else "example.jp"
    return f"person{number:06}@{domain}"


def sekisho(*arguments: object) -> subprocess.CompletedProcess:
    command = [str(executable()), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False)


def make(folder: Path, chance: random.Random) -> list[str]:
    """Codes for everybody, made twice; what the files give away."""
    sets = ["name email", "email", "name email phone", "account_id", "name email phone account_id"]
    rows = [["customers", f"ROWKEY-{number:06}", chance.choice(sets), "", "", "1"] for number in range(PERSONS)]
    with open(folder / "rows.csv", "w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([["register", "row_key", "fields", "first", "last", "responses"], *rows])
    register = [["id", "mail"], *[[row[1], address(number)] for number, row in enumerate(rows)]]
    with open(folder / "register.csv", "w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows(register)
    (folder / "notice.toml").write_text(NOTICE, encoding="utf-8")
    arguments = ["affected", "codes"]
    for option, file in [("notice", "notice.toml"), ("rows", "rows.csv"), ("keys", "keys"), ("mailing", "mailing.csv"), ("store", "case.codes")]:
        arguments += [f"--{option}", folder / file]
    arguments += ["--register", folder / "register.csv", "--row-key", "id", "--mail", "mail"]
    made = sekisho(*arguments)
    expect("codes are made", made.returncode == 0, made.stderr)
    first = {file: (folder / file).read_bytes() for file in ("mailing.csv", "case.codes")}
    sekisho(*arguments)
    expect("the same rows and keys give the same files", all((folder / file).read_bytes() == first[file] for file in first))
    modes = {path.name: path.stat().st_mode & 0o777 for path in [*folder.glob("keys/*"), folder / "mailing.csv", folder / "case.codes"]}
    expect("files are their owner's alone", set(modes.values()) == {0o600}, modes)
    mailing = list(csv.DictReader((folder / "mailing.csv").read_text().splitlines()))
    expect("each row has a code", [row["row_key"] for row in mailing] == [row[1] for row in rows])
    codes = [row["code"] for row in mailing]
    expect("codes differ", len(set(codes)) == PERSONS)
    store = (folder / "case.codes").read_text()
    secret = [text for row in mailing for text in (row["row_key"], row["code"], row["code"].replace("-", ""))] + ["example.jp"]
    expect("the store has neither row keys nor codes nor addresses", not any(text in store for text in secret))

    (folder / "keys/affected-lookup.key").chmod(0o644)
    refused = sekisho(*arguments)
    expect("a key that others can read is refused", refused.returncode == 3 and "chmod 600" in refused.stderr, refused.stderr)
    (folder / "keys/affected-lookup.key").chmod(0o600)
    (folder / "broken.codes").write_text(store.replace("sekisho-affected 1\n", "sekisho-affected 1\n ", 1))
    (folder / "broken.toml").write_text(CONFIG.format(port=free_port(), burst=1, wrong=1).replace("case.codes", "broken.codes"))
    refused = sekisho("affected", "serve", "-c", folder / "broken.toml")
    expect("a changed store is refused", refused.returncode == 3 and "make it again" in refused.stderr, refused.stderr)
    return codes


class Courier(threading.Thread):
    """Takes messages at a Unix socket and keeps them."""

    def __init__(self, path: Path):
        super().__init__(daemon=True)
        self.path, self.messages = path, []
        self.came = threading.Condition()
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(str(path))
        self.listener.listen(128)

    def run(self) -> None:
        while True:
            try:
                connection = self.listener.accept()[0]
            except OSError:
                return
            with connection, connection.makefile("rb") as lines:
                message = json.loads(lines.readline())
                connection.sendall(b"ok\n")
            with self.came:
                self.messages.append(message)
                self.came.notify_all()

    def wait_for(self, count: int) -> list[dict]:
        with self.came:
            self.came.wait_for(lambda: len(self.messages) >= count, 10)
            return list(self.messages)

    def __enter__(self) -> "Courier":
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        self.path.unlink()


class Served:
    """The page on a free port, its log at the highest level."""

    def __init__(self, folder: Path, burst: int, wrong: int):
        self.port = free_port()
        self.log = folder / f"log-{self.port}"
        config = folder / f"affected-{self.port}.toml"
        config.write_text(CONFIG.format(port=self.port, burst=burst, wrong=wrong), encoding="utf-8")
        self.command = [executable(), "affected", "serve", "-c", config]

    def __enter__(self) -> "Served":
        os.environ["SEKISHO_LOG"] = "trace"
        self.running = running(self.command, self.port, self.log)
        self.running.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        self.running.__exit__(None, None, None)
        del os.environ["SEKISHO_LOG"]


def ask(wire: HTTPConnection, code: str, client: str = "192.0.2.1", path: str = "/", field: str = "code") -> tuple[int, dict, bytes]:
    headers = {"Content-Type": "application/x-www-form-urlencoded", "X-Forwarded-For": client}
    wire.request("POST", path, urlencode({field: code}), headers)
    answer = wire.getresponse()
    body = answer.read()
    return answer.status, {name.lower(): value for name, value in answer.getheaders() if name.lower() != "date"}, body


def parity(symbols: list[int]) -> int:
    """The check symbol again, written by the rule in words: symbol i weighs the i-th power of 2 in GF(32)."""
    def times(one: int, other: int) -> int:
        product = 0
        for bit in range(5):
            product ^= (one << bit) if other >> bit & 1 else 0
        for bit in range(8, 4, -1):
            product ^= (0b100101 << (bit - 5)) if product >> bit & 1 else 0
        return product
    weight, total = 1, 0
    for symbol in reversed(symbols):
        total ^= times(symbol, weight)
        weight = times(weight, 2)
    return total


def printed(symbols: list[int]) -> str:
    full = symbols + [parity(symbols + [0])]
    assert parity(full) == 0
    text = "".join(ALPHABET[symbol] for symbol in full)
    return f"{text[:5]}-{text[5:10]}-{text[10:15]}-{text[15:]}"


def strange(chance: random.Random) -> str:
    return printed([chance.randrange(32) for _ in range(20)])


def near(code: str, chance: random.Random) -> str:
    """One symbol from a real code, and well formed."""
    symbols = [ALPHABET.index(letter) for letter in code.replace("-", "")][:20]
    place = chance.randrange(20)
    symbols[place] ^= chance.randrange(1, 32)
    return printed(symbols)


def answers(folder: Path, codes: list[str], chance: random.Random) -> None:
    """What a client learns from bytes, headers and limits."""
    known = codes[0]
    symbols = [ALPHABET.index(letter) for letter in known.replace("-", "")]
    expect("the check character is the one of the rule", printed(symbols[:20]) == known)
    with Served(folder, burst=300, wrong=250) as served:
        wire = HTTPConnection("127.0.0.1", served.port)
        wrong = [ask(wire, code) for code in [strange(chance) for _ in range(50)] + [near(code, chance) for code in codes[:50]]]
        expect("wrong codes get the same bytes and headers", len({json.dumps([status, headers]) + str(body) for status, headers, body in wrong}) == 1)
        found = ask(wire, known)
        expect("a known code gets its fields", "流出を確認した項目".encode() in found[2])
        expect("status, headers and length are those of a wrong one", (found[0], found[1], len(found[2])) == (wrong[0][0], wrong[0][1], len(wrong[0][2])))
        curl = subprocess.run(["curl", "-si", "--data-urlencode", f"code={known.lower().replace('-', '　')}", f"http://127.0.0.1:{served.port}/en"],
                              capture_output=True, text=True, check=True).stdout
        expect("curl gets it too, however it is typed", "Items that left our systems" in curl)
        lowered = curl.lower()
        for header in ("cache-control: no-store", "referrer-policy: no-referrer", "default-src 'none'", "x-content-type-options: nosniff"):
            expect(header, header in lowered)
        while ask(wire, known, "2001:db8::1")[0] == 200:
            pass
        expect("the /64 is one client", ask(wire, known, "2001:db8::2")[0] == 429)
        expect("another /64 is another", ask(wire, known, "2001:db8:0:1::2")[0] == 200)
        expect("a limited client learns nothing", ask(wire, known, "2001:db8::1")[1:] == ask(wire, strange(chance), "2001:db8::1")[1:])
        for number in range(200):
            ask(wire, strange(chance), f"198.51.100.{number}")
        began = time.monotonic()
        flooded = ask(wire, known, "203.0.113.1")
        expect("in a flood a known code is still answered, at the slow beat", flooded[2] == found[2] and time.monotonic() - began >= 0.9)
        log = served.log.read_text(errors="replace")
    log += served.log.read_text(errors="replace")
    expect("the log tells of the flood", "floods" in log)
    secret = [text for code in codes[:50] for text in (code, code.replace("-", ""), code.lower())]
    expect("no code is in the log", not any(text in log for text in secret))


def by_mail(folder: Path, courier: Courier, chance: random.Random) -> None:
    """A code to an address of somebody in the store, and nothing to a stranger's, with the same answer."""
    with Served(folder, burst=100, wrong=100) as served:
        wire = HTTPConnection("127.0.0.1", served.port)
        known, strange_one = (ask(wire, mail, path="/mail", field="mail") for mail in (address(7), "stranger@example.jp"))
        expect("both get the same answer", known == strange_one)
        messages = courier.wait_for(2)
        expect("the courier is told of the known one alone", [message["to"] for message in messages] == [address(7), None], messages)
        code = messages[0]["codes"][0]
        expect("the mailed code works", "流出を確認した項目".encode() in ask(wire, code)[2])
        expect("it works once", ask(wire, code)[2] == ask(wire, strange(chance))[2])
    log = served.log.read_text(errors="replace")
    expect("no address and no mailed code is in the log", "@example.jp" not in log and code not in log)


def without_a_courier(folder: Path) -> None:
    """The courier is gone: the answer stays, and the log says why nothing is sent."""
    with Served(folder, burst=100, wrong=100) as served:
        wire = HTTPConnection("127.0.0.1", served.port)
        answer = ask(wire, address(8), path="/mail", field="mail")
        expect("the answer stays the same", answer[0] == 200)
        deadline = time.monotonic() + 10
        while "did not take a message" not in served.log.read_text(errors="replace") and time.monotonic() < deadline:
            time.sleep(0.02)
        expect("the log says that the courier is gone", "did not take a message" in served.log.read_text(errors="replace"))


def times(folder: Path, codes: list[str], chance: random.Random, count: int) -> None:
    """Do times tell codes apart? Asked over several connections at once."""
    kinds = {"random code": lambda: strange(chance), "near code": lambda: near(chance.choice(codes), chance), "known code": lambda: chance.choice(codes)}
    kinds |= {"known mail": lambda: address(chance.randrange(PERSONS)), "strange mail": lambda: address(PERSONS + chance.randrange(PERSONS))}
    questions = [(kind, make_code()) for kind, make_code in kinds.items() for _ in range(count // len(kinds))]
    chance.shuffle(questions)
    took: dict[str, list[float]] = {kind: [] for kind in kinds}
    with Served(folder, burst=10_000_000, wrong=10_000_000) as served:
        def run(share: list) -> None:
            wire = HTTPConnection("127.0.0.1", served.port)
            ask(wire, strange(random.Random(1)))
            for kind, code in share:
                began = time.perf_counter()
                if "mail" in kind:
                    ask(wire, code, path="/mail", field="mail")
                else:
                    ask(wire, code)
                took[kind].append(time.perf_counter() - began)
        threads = [threading.Thread(target=run, args=(questions[number::CONNECTIONS],)) for number in range(CONNECTIONS)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    expect("every question was answered", sum(map(len, took.values())) == len(questions))
    for kind in kinds:
        ordered = sorted(took[kind])
        print(f"{kind}: {len(ordered)} answers, median {ordered[len(ordered) // 2] * 1e3:.2f} ms, 99 % {ordered[len(ordered) * 99 // 100] * 1e3:.2f} ms, "
              f"least {ordered[0] * 1e3:.2f} ms")
    for one, other in (("near code", "random code"), ("known code", "random code"), ("known code", "near code"), ("known mail", "strange mail")):
        share, error = slower(took[one], took[other])
        print(f"chance that an answer to a {one} is slower than one to a {other}: {share:.4f} (standard error {error:.4f})")
        expect(f"times do not tell one {one} from one {other}", abs(share - 0.5) <= STANDARD_ERRORS_MAX * error, share)


def slower(one: list[float], other: list[float]) -> tuple[float, float]:
    """Mann and Whitney's statistic as a share, and its standard error if both were alike."""
    ranks = {}
    for rank, (_, place) in enumerate(sorted((value, place) for place, value in enumerate(one + other))):
        ranks[place] = rank + 1
    statistic = sum(ranks[place] for place in range(len(one))) - len(one) * (len(one) + 1) / 2
    pairs = len(one) * len(other)
    return statistic / pairs, math.sqrt((len(one) + len(other) + 1) / (12 * pairs))


def in_a_browser(folder: Path, codes: list[str], images: Path | None) -> None:
    images = (images or folder / "images").resolve()
    images.mkdir(parents=True, exist_ok=True)
    with Served(folder, burst=30, wrong=1_000) as served:
        command = ["node", Path(__file__).parent / "browser.mjs", CACHE / "browser", f"http://127.0.0.1:{served.port}", codes[1], strange(random.Random(2)), images]
        done = subprocess.run([str(part) for part in command], capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=240, check=False)
    print(done.stdout, end="")
    expect("the page in a browser", done.returncode == 0, done.stderr[-3000:])


if __name__ == "__main__":
    sys.exit(main())
