"""Notices with real tools: every person ends in exactly one state, what the server received is what the journal says,
nobody is mailed twice but by order, and every mail carries a DKIM signature that dkimpy accepts.

The server (server.py) is a witness: it writes down what it took, whatever it answered."""

import argparse
import collections
import csv
import json
import os
import re
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import contextmanager
from email import policy
from email.parser import BytesParser
from pathlib import Path

import dkim

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))

from referee import product  # noqa: E402

CASE = "hakone-2026-1"
# What the server does to mails of a domain, and how a notice may end.
BEHAVIOURS = {
    "refused": {"bounced"}, "spam": {"bounced"}, "full": {"bounced"},
    "greylisted": {"sent"}, "closes-at-rcpt": {"sent"}, "closes-at-data": {"sent"},
    "closes-in-data": {"unknown", "bounced"},
    "silent-close": {"unknown"}, "garbles": {"unknown"}, "wrong-code": {"unknown"},
    "talks-twice": {"sent"}, "lies-refused": {"sent"},
}
FAMILY, GIVEN = ["山田", "佐藤", "鈴木", "高橋", "田中", "渡辺", "伊藤"], ["太郎", "花子", "一郎", "美咲", "大輔", "陽菜"]
KANA_FAMILY, KANA_GIVEN = ["ヤマダ", "サトウ", "スズキ", "タカハシ", "タナカ", "ワタナベ", "イトウ"], ["タロウ", "ハナコ", "イチロウ", "ミサキ", "ダイスケ", "ヒナ"]


class Results:
    def __init__(self):
        self.passed = self.failed = 0

    def check(self, what: str, good: bool, seen: object = "") -> None:
        self.passed, self.failed = self.passed + bool(good), self.failed + (not good)
        print(f"{'ok  ' if good else 'FAIL'} {what}{f': {seen}' if seen != '' else ''}", flush=True)


class Firm:
    """A case, a register and a configuration in a folder."""

    def __init__(self, folder: Path, port: int, tls: str = "none", extra: str = ""):
        self.folder, self.port = folder, port
        folder.mkdir(parents=True, exist_ok=True)
        self.tls, self.extra = tls, extra
        self.rows: list[list[str]] = []
        self.configure()
        self.ok("case", "open", CASE, "--title", "web site abused", "--origin", "hand")

    def configure(self, cause: str = "ウェブサイトの不備によるものです。", key: str = "rsa") -> None:
        host = "localhost" if self.tls != "none" else "127.0.0.1"
        (self.folder / "notify.toml").write_text(f"""
[mail]
from = "箱根FX <notice@hakonefx.example>"
reply_to = "desk@hakonefx.example"
language = "ja"
templates = "templates"
[relay]
host = "{host}"
port = {self.port}
tls = "{self.tls}"
timeout = "10s"
{self.extra}
[dkim]
domain = "hakonefx.example"
selector = "s1"
key_file = "{HERE_KEYS}/{key}.pem"
[throttle]
connections = 64
per_minute = 1000000
per_day = 1000000
[retry]
delays = ["100ms"]
tries_max = 5
[letter]
sender = ["箱根FX株式会社", "〒250-0000 神奈川県箱根町0-0"]
[text.ja]
firm = "箱根FX株式会社"
summary = "2026年11月20日、当社のウェブサイトが不正に操作されました。"
cause = "{cause}"
damage = "現時点で、二次被害は確認されておりません。"
measures = "ウェブサイトを修正し、関係当局に報告いたしました。"
contact = "お客さま相談窓口 0120-000-000"
[text.en]
firm = "Hakone FX Co., Ltd."
summary = "On 20 November 2026 our web site was abused."
cause = "A fault in our web site."
damage = "We know of no misuse so far."
measures = "We corrected the fault and reported it."
contact = "Customer desk 0120-000-000"
[[register]]
name = "account_holders"
file = "customers.csv"
row_key = "account_id"
mail = "email"
person = "name"
language = "lang"
postal = ["zip", "address"]
[register.columns]
account_id = {{ kind = "account_id", pattern = "HK[0-9]{{8}}" }}
name = "name"
name_kana = "kana"
email = "email"
phone = "phone"
birth_date = "birth_date"
""", encoding="utf-8")

    def people(self, count: int, behaving: int) -> None:
        """`count` persons; of each misbehaving domain `behaving`."""
        domains = [f"{name}.example.jp" for name in BEHAVIOURS for _ in range(behaving)]
        every = max(1, count // max(1, len(domains)))
        for number in range(count):
            at, odd = divmod(number, every)
            domain = domains[at] if odd == 0 and at < len(domains) else "example.jp"
            family, given = number % 7, number // 7 % 6
            self.rows.append([
                f"HK{10_000_000 + number}", f"{FAMILY[family]} {GIVEN[given]}", f"{KANA_FAMILY[family]} {KANA_GIVEN[given]}",
                f"person{number}@{domain}", f"0{70 + number % 3 * 10}-0{number // 10_000:03}-{number % 10_000:04}",
                f"19{50 + number % 50}-01-02", "en" if number % 10 == 3 else "ja", "〒250-0001", f"神奈川県箱根町{number}-1",
            ])
        self.save()

    def save(self) -> None:
        with (self.folder / "customers.csv").open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(["account_id", "name", "name_kana", "email", "phone", "birth_date", "lang", "zip", "address"])
            writer.writerows(self.rows)

    def scope(self, keys: dict[str, str]) -> Path:
        path = self.folder / "exposed.csv"
        lines = [f"account_holders,{key},{fields},,,1" for key, fields in keys.items()]
        path.write_text("\n".join(["register,row_key,fields,first,last,responses", *lines]) + "\n", encoding="utf-8")
        return path

    def run(self, *arguments, env=None) -> subprocess.CompletedProcess:
        command = [str(product.executable()), *map(str, arguments)]
        return subprocess.run(command, cwd=self.folder, capture_output=True, text=True, env=env)

    def ok(self, *arguments, env=None) -> str:
        ran = self.run(*arguments, env=env)
        if ran.returncode != 0:
            raise SystemExit(f"{arguments}: {ran.returncode}\n{ran.stdout}{ran.stderr}")
        return ran.stdout

    def notify(self, what: str, *arguments, env=None) -> subprocess.CompletedProcess:
        return self.run("notify", what, CASE, *arguments, env=env)

    def approve(self) -> None:
        for operator in ("sato", "suzuki"):
            self.ok("notify", "approve", CASE, "--operator", operator)

    def counts(self) -> dict:
        return json.loads(self.ok("notify", "status", CASE, "--format", "json"))

    def persons(self, state: str) -> set[str]:
        told = self.ok("notify", "status", CASE, "--state", state)
        return {line.split("\t")[0].split(":", 1)[-1] for line in told.splitlines()}

    def mail(self, key: str) -> str:
        return self.rows[int(key[2:]) - 10_000_000][3]

    @property
    def journal(self) -> Path:
        return self.folder / "cases" / "notices" / CASE / "journal.log"


@contextmanager
def server(folder: Path, *arguments):
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "port").unlink(missing_ok=True)
    process = subprocess.Popen([sys.executable, HERE / "server.py", folder, *arguments], stderr=(folder / "log").open("a"))
    try:
        until(lambda: (folder / "port").exists() or process.poll() is not None, "the server listens")
        yield Witness(folder, int((folder / "port").read_text()), process)
    finally:
        process.terminate()
        process.wait()


class Witness:
    def __init__(self, folder: Path, port: int, process: subprocess.Popen):
        self.folder, self.port, self.process = folder, port, process

    def received(self) -> list[list[str]]:
        path = self.folder / "received.tsv"
        return [line.split("\t") for line in path.read_text(encoding="utf-8").splitlines()] if path.exists() else []

    def count(self) -> int:
        path = self.folder / "received.tsv"
        return path.read_bytes().count(b"\n") if path.exists() else 0


def until(holds, what: str, seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > end:
            raise SystemExit(f"waited in vain until {what}")
        time.sleep(0.01)


def resident_bytes_max(process: int) -> int:
    try:
        status = Path(f"/proc/{process}/status").read_text()
        return int(re.search(r"VmHWM:\s+(\d+)", status)[1]) * 1024
    except (OSError, TypeError):
        return 0


def keys(folder: Path) -> None:
    folder.mkdir()
    run = lambda *command: subprocess.run(command, check=True, capture_output=True)  # noqa: E731
    run("openssl", "genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048", "-out", folder / "rsa.pem")
    run("openssl", "genpkey", "-algorithm", "ED25519", "-out", folder / "ed25519.pem")
    run("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", folder / "ca.key", "-out", folder / "ca.pem",
        "-days", "2", "-subj", "/CN=test authority")
    run("openssl", "req", "-newkey", "rsa:2048", "-nodes", "-keyout", folder / "tls.key", "-out", folder / "tls.csr", "-subj", "/CN=localhost")
    (folder / "san").write_text("subjectAltName=DNS:localhost\n")
    run("openssl", "x509", "-req", "-in", folder / "tls.csr", "-CA", folder / "ca.pem", "-CAkey", folder / "ca.key",
        "-CAcreateserial", "-days", "2", "-extfile", folder / "san", "-out", folder / "tls.pem")


def record(key: str) -> bytes:
    """The DNS record of a signing key."""
    der = subprocess.run(["openssl", "pkey", "-in", f"{HERE_KEYS}/{key}.pem", "-pubout", "-outform", "DER"], check=True, capture_output=True).stdout
    import base64
    value = base64.b64encode(der[-32:] if key == "ed25519" else der).decode()
    return f"v=DKIM1; k={'ed25519' if key == 'ed25519' else 'rsa'}; p={value}".encode()


def signed_well(folder: Path, key: str) -> tuple[int, int]:
    """(accepted, mails), by dkimpy."""
    answer = record(key)
    names = []

    def lookup(name, timeout=5):
        names.append(name)
        return answer if name == b"s1._domainkey.hakonefx.example." else b""

    mails = list((folder / "mails").iterdir())
    return sum(dkim.verify(mail.read_bytes(), dnsfunc=lookup) for mail in mails), len(mails)


def refusals(results: Results, folder: Path, port: int) -> None:
    firm = Firm(folder, port)
    firm.people(20, 0)
    scope = firm.scope({row[0]: "email name" for row in firm.rows} | {"HK99999999": "email"})
    planned = firm.notify("plan", "--scope", scope)
    results.check("a person whom the register lacks is named", "account_holders:HK99999999" in planned.stderr, planned.stderr.strip()[:90])
    unapproved = firm.notify("send")
    results.check("nothing goes without approval", unapproved.returncode == 1 and "approved by nobody" in unapproved.stderr)
    letters = firm.notify("letters")
    results.check("no letter is written without approval", letters.returncode == 1 and "approved by nobody" in letters.stderr and not (firm.folder / "letters").exists(), letters.stderr.strip()[-60:])
    for operator in ("sato", " Sato ", "ｓａ\u200bｔｏ"):
        firm.ok("notify", "approve", CASE, "--operator", operator)
    once = firm.notify("send")
    results.check("one operator under two spellings is one", once.returncode == 1 and "approved by sato" in once.stderr)
    firm.ok("notify", "approve", CASE, "--operator", "suzuki")
    firm.configure(cause="別の原因です。")
    results.check("a changed text voids the approvals", firm.notify("send").returncode == 1)
    templates = firm.folder / "templates"
    templates.mkdir()
    (templates / "ja.ftl").write_text("first-body = { $nmae } 様 { $left }\nmail-footer = { $kase }\n", encoding="utf-8")
    wrong = firm.notify("dry-run")
    results.check("wrong templates are told at once", wrong.returncode == 1 and "$nmae" in wrong.stderr and "$kase" in wrong.stderr)
    shutil.rmtree(templates)
    firm.configure(cause=f"担当 {firm.rows[4][3]}")
    held = firm.notify("dry-run", "--all")
    results.check("a mail with another person's address would not go", held.returncode == 1 and "17 would not go" in held.stdout)
    firm.configure()
    dry = firm.notify("dry-run", "--out", "examples")
    modes = {oct((firm.folder / "examples" / name).stat().st_mode & 0o777) for name in os.listdir(firm.folder / "examples")}
    results.check("three examples, readable by their owner only", dry.returncode == 0 and len(list((firm.folder / "examples").iterdir())) == 6 and modes == {"0o600"})
    text = firm.journal.read_text(encoding="utf-8")
    results.check("the journal holds no address, name or row key", not re.search(r"@|HK1\d{7}|山田|佐藤", text))
    firm.approve()
    kept = firm.journal.read_bytes()
    lines = kept.splitlines(keepends=True)
    firm.journal.write_bytes(b"".join(lines[:5]))
    back = firm.notify("send")
    results.check("a journal that was set back is found by the case log", back.returncode == 1 and "NOT whole" in back.stderr)
    firm.journal.write_bytes(kept.replace(b"queued", b"queueD").replace(b'"by":"sato"', b'"by":"mori"'))
    results.check("an edited journal is refused", firm.notify("status").returncode == 1)
    firm.journal.write_bytes(kept)
    stopped = firm.notify("send")
    results.check("a relay that is not there: nothing is lost", stopped.returncode == 1 and firm.counts()["by_state"]["queued"] == 20, stopped.stderr.strip()[-120:])


def campaign(results: Results, folder: Path, count: int, kills: int, keep: int) -> None:
    behaving = min(20, max(2, count // 400))
    with server(folder / "server", "--keep", str(keep)) as witness:
        firm = Firm(folder / "firm", witness.port, extra="connections = 16\n")
        firm.people(count, behaving)
        everybody = {row[0]: "email name" for row in firm.rows}
        print(firm.ok("notify", "plan", CASE, "--scope", firm.scope(everybody)).strip())
        dry = firm.notify("dry-run", "--all")
        print(dry.stdout.splitlines()[-2])
        results.check("every mail may go by the scan", dry.returncode == 0 and "; 0 would not go" in dry.stdout)
        firm.approve()
        resident, busy = 0, 0.0
        for kill in range(kills + 1):
            goal = count * (kill + 1) // (kills + 1) if kill < kills else None
            started = time.monotonic()
            process = subprocess.Popen([product.executable(), "notify", "send", CASE], cwd=firm.folder, stdout=(folder / "sent").open("w"), stderr=(folder / "errors").open("a"))
            while process.poll() is None and (goal is None or witness.count() < goal - count // 20):
                resident = max(resident, resident_bytes_max(process.pid))
                time.sleep(0.05)
            if process.poll() is None:
                process.send_signal(signal.SIGKILL)
                process.wait()
                unknown = firm.counts()["by_state"]["unknown"]
                results.check("after a kill, those of unknown end are listed as they are counted", len(firm.persons("unknown")) == unknown, unknown)
            process.wait()
            busy += time.monotonic() - started
        server_resident = resident_bytes_max(witness.process.pid)
        print((folder / "sent").read_text().strip())
        received = witness.received()
        rate = len(received) / busy
        print(f"{len(received)} mails in {busy:.1f} s, {rate:.0f} a second with {kills} kills; sender {resident >> 20} MiB, server {server_resident >> 20} MiB at most")
        outcome(results, firm, witness, count)
        accepted, mails = signed_well(folder / "server", "rsa")
        results.check("dkimpy accepts every signature that was kept", accepted == mails > 0, f"{accepted} of {mails}")
        mails_are_their_recipients(results, firm, folder / "server")
        resend(results, firm, witness)
        larger(results, firm, witness, everybody)
        after(results, firm, witness)


def outcome(results: Results, firm: Firm, witness: Witness, count: int) -> None:
    counts = firm.counts()
    states = counts["by_state"]
    results.check("every person is in exactly one state", sum(states.values()) == count == counts["persons"], {state: number for state, number in states.items() if number})
    results.check("nobody is left queued or held", states["queued"] == states["held"] == 0)
    per_mailbox = collections.Counter(row[0] for row in witness.received())
    twice = {mail for mail, number in per_mailbox.items() if number > 1}
    results.check("no mailbox has two mails, but where the server lied that it took none", all("@lies-refused." in mail for mail in twice), len(twice))
    ids = collections.defaultdict(set)
    for mail, message_id, *_ in witness.received():
        ids[mail].add(message_id)
    results.check("copies have one Message-ID", all(len(known) == 1 for known in ids.values()))
    sent, unknown, bounced = firm.persons("sent"), firm.persons("unknown"), firm.persons("bounced")
    got = {mail for mail in per_mailbox}
    results.check("all that are sent were received", all(firm.mail(key) in got for key in sent), len(sent))
    told = {firm.mail(key) for key in sent | unknown | bounced}
    results.check("nobody received a mail who is not sent or unknown", all(mail in told for mail in got))
    results.check("none that bounced was received", not any(firm.mail(key) in got for key in bounced if "closes-in-data" not in firm.mail(key)))
    interrupted = 0
    wrong = []
    for key, state in [*((key, "sent") for key in sent), *((key, "unknown") for key in unknown), *((key, "bounced") for key in bounced)]:
        behaviour = firm.mail(key).split("@")[1].split(".")[0]
        if state == "unknown" and behaviour not in ("closes-in-data", "silent-close", "garbles", "wrong-code"):
            interrupted += 1
        elif state not in BEHAVIOURS.get(behaviour, {"sent"}):
            wrong.append((key, behaviour, state))
    results.check("each behaviour of the server ends as it must", not wrong, wrong[:3] or f"{interrupted} unknown by the kills")
    again = firm.notify("send")
    results.check("another run sends nothing", again.returncode == 0 and re.search("^0 sent", again.stdout, re.M))


def mails_are_their_recipients(results: Results, firm: Firm, folder: Path) -> None:
    names = {row[3]: row for row in firm.rows}
    addresses = {row[3] for row in firm.rows}
    wrong = 0
    for path in (folder / "mails").iterdir():
        mail = BytesParser(policy=policy.default).parsebytes(path.read_bytes())
        text = mail.get_content()
        row = names[mail["To"]]
        others = (set(re.findall(r"person\d+@[a-z.-]+", text)) & addresses) - {row[3]}
        wrong += row[1] not in text or bool(others) or row[4] in text
        fields = ("・メールアドレス", "・お名前", "・電話番号", "・生年月日") if row[6] == "ja" else ("- Mail address", "- Name", "- Telephone number", "- Date of birth")
        wrong += not all(field in text for field in fields)
    results.check("every mail that was kept holds its own recipient's name and nobody else's address", wrong == 0)


def resend(results: Results, firm: Firm, witness: Witness) -> None:
    unknown = {firm.mail(key) for key in firm.persons("unknown")}
    before = collections.Counter(row[0] for row in witness.received())
    nobody = firm.notify("send", "--resend-unknown")
    results.check("resending needs an operator's name", nobody.returncode == 2)
    firm.notify("send", "--resend-unknown", "--operator", "sato")
    after = collections.Counter(row[0] for row in witness.received())
    more = {mail for mail in after if after[mail] > before[mail]}
    results.check("an order sends again what is unknown, and nothing else", more and more <= unknown, len(more))
    results.check("the order's operator stands in the journal", '"by":"sato","event":{"kind":"requeued"' in firm.journal.read_text())


def larger(results: Results, firm: Firm, witness: Witness, everybody: dict) -> None:
    """An older, larger set joins: new persons, and more of some of the known."""
    known = len(firm.rows)
    for number in range(known, known + 50):
        firm.rows.append([f"HK{10_000_000 + number}", "新井 翔", "アライ ショウ", f"person{number}@example.jp", f"090-0999-{number % 10_000:04}", "1990-01-01", "ja", "", ""])
    firm.save()
    more = {key: "email name phone" for at, key in enumerate(everybody) if at % 10 == 0}
    scope = firm.scope(everybody | more | {row[0]: "email" for row in firm.rows[known:]})
    sent = firm.persons("sent") | firm.persons("bounced") | firm.persons("unknown")
    planned = firm.ok("notify", "plan", CASE, "--scope", scope)
    updates = len(set(more) & sent)
    results.check("a larger set adds new persons and updates", f"50 new, {updates} updates" in planned, planned.splitlines()[0])
    results.check("a larger set voids the approvals", firm.notify("send").returncode == 1)
    firm.approve()
    before = collections.Counter(row[0] for row in witness.received())
    firm.notify("send")
    after = collections.Counter(row[0] for row in witness.received())
    news = {mail: after[mail] - before[mail] for mail in after if after[mail] > before[mail]}
    wanted = {firm.mail(key) for key in more} | {row[3] for row in firm.rows[known:]}
    twice = [mail for mail, number in news.items() if number > 1 and "@lies-refused." not in mail]
    results.check("only they got a mail, each one", set(news) <= wanted and not twice and set(news) >= {mail for mail in wanted if mail.endswith("@example.jp")}, len(news))


def after(results: Results, firm: Firm, witness: Witness) -> None:
    """A delivery report, a letter, its return, the publication, a claim."""
    key = next(key for key in sorted(firm.persons("sent")) if firm.mail(key).endswith("@example.jp"))
    row = next(row for row in witness.received() if row[0] == firm.mail(key))
    report = f"Content-Type: multipart/report; report-type=delivery-status; boundary=b\n\n--b\nContent-Type: message/delivery-status\n\nReporting-MTA: dns; x\n\nFinal-Recipient: rfc822; {row[0]}\nAction: failed\nStatus: 5.1.1\n\n--b\nContent-Type: message/rfc822\n\nMessage-ID: {row[1]}\n\nx\n--b--\n"
    (firm.folder / "report.eml").write_text(report)
    before = firm.journal.read_bytes()
    told = firm.ok("notify", "bounces", CASE, "report.eml")
    bounced = firm.journal.read_bytes()
    firm.journal.write_bytes(before)
    back = firm.notify("status")
    results.check("a journal that lost a bounce is found by the case log", back.returncode == 1 and "NOT whole" in back.stderr, back.stderr.strip()[-80:])
    firm.journal.write_bytes(bounced)
    results.check("a delivery report makes a bounce", "1 notices changed" in told and key in firm.persons("bounced"))
    told = firm.ok("notify", "bounces", CASE, "report.eml")
    results.check("the same report again changes nothing", "0 notices changed" in told)
    early = firm.notify("returned", "--person", f"account_holders:{key}")
    results.check("what cannot follow is refused with what to do", early.returncode == 1 and "nothing was recorded" in early.stderr and "line" not in early.stderr, early.stderr.strip()[-100:])
    firm.ok("notify", "postal", CASE, "--person", f"account_holders:{key}")
    environment = os.environ | {"PATH": "/usr/bin:/bin"}
    lone = firm.folder / "bin" / "sekisho"
    lone.parent.mkdir(exist_ok=True)
    if not lone.exists():
        os.link(product.executable(), lone) if os.stat(product.executable()).st_dev == os.stat(firm.folder).st_dev else shutil.copy(product.executable(), lone)
    letters = lambda: subprocess.run([lone, "notify", "letters", CASE, "--out", "letters"], cwd=firm.folder, capture_output=True, text=True, env=environment)  # noqa: E731
    missing = letters()
    results.check("without sekisho-pdf: the list, an error, the letters wait", missing.returncode == 1 and "sekisho-pdf" in missing.stderr and (firm.folder / "letters" / "letters-1.csv").exists(), missing.stderr.strip()[:60])
    maker = lone.with_name("sekisho-pdf")
    # What the test reads of the document; then the real typesetter, where the step `pdf` built it.
    real = Path(os.environ["SEKISHO_CACHE"]) / "pdf-target" / "release" / "sekisho-pdf"
    sets = f"import subprocess; sys.exit(subprocess.run([{str(real)!r}], input=text.encode()).returncode)" if real.exists() else "sys.stdout.write('%PDF-1.7 for the test')"
    maker.write_text(f"#!{sys.executable}\nimport json, sys\ntext = sys.stdin.read()\nd = json.loads(text)\nassert d['format'] == 'sekisho-pdf/1' and d['pages'][0]['kind'] == 'letter'\njson.dump(d, open('seen.json', 'w'))\n{sets}\n")
    maker.chmod(0o755)
    made = letters()
    page = json.loads((firm.folder / "seen.json").read_text())["pages"][0] if made.returncode == 0 else {}
    results.check("the letter's document has its person's address", made.returncode == 0 and firm.rows[int(key[2:]) - 10_000_000][8] in page.get("address", []), made.stderr.strip())
    if real.exists():
        [letter] = sorted((firm.folder / "letters").glob("letters-1-*.pdf"))
        words = subprocess.run(["pdftotext", "-layout", letter, "-"], capture_output=True, text=True).stdout
        sound = subprocess.run(["qpdf", "--check", letter], capture_output=True, text=True)
        wanted = "".join(page.get("address", ["?"])[0].split())
        results.check("the letter is a sound PDF with its person's address", sound.returncode == 0 and wanted in "".join(words.split()), sound.stdout[-80:])
    reference = list(csv.DictReader((firm.folder / "letters" / "letters-1.csv").open(encoding="utf-8")))[0]["reference"]
    (firm.folder / "back.txt").write_text(reference + "\n")
    firm.ok("notify", "returned", CASE, "--list", "back.txt")
    firm.ok("notify", "substitute", CASE, "--state", "returned", "--publication", "https://www.hakonefx.example/notice/1")
    results.check("a letter that came back has the publication in its place", key in firm.persons("substitute"))
    who = ("--person", f"account_holders:{key}")
    firm.ok("notify", "claim", "open", CASE, *who, "--for", "reissue_fee", "--amount", "1100", "--evidence", "desk-118")
    card = firm.run("notify", "claim", "open", CASE, *who, "--for", "refund", "--amount", "1", "--evidence", "card 4111 1111 1111 1111")
    mail = firm.run("notify", "claim", "open", CASE, *who, "--for", "refund", "--amount", "1", "--evidence", "mail of taro@example.jp")
    firm.ok("notify", "claim", "decide", CASE, "1", "accepted")
    firm.ok("notify", "claim", "pay", CASE, "1", "--payer", "insurer")
    [claim] = json.loads(firm.ok("notify", "claim", "list", CASE, "--format", "json"))
    results.check("a claim is decided and paid, with its dates", claim["decided"][0] == "accepted" and claim["paid"][0] == "insurer")
    results.check("a card number enters no claim", card.returncode != 0)
    results.check("a mail address enters no claim", mail.returncode != 0)
    shown = firm.ok("case", "show", CASE)
    results.check("the case log tells of the notices", "notices to persons: sending ended" in shown)


def secured(results: Results, folder: Path) -> None:
    """STARTTLS and TLS from the first byte, with a password and an authority of the firm's own; Ed25519."""
    for tls in ("starttls", "implicit"):
        certificate = ("--tls", tls, "--certificate", f"{HERE_KEYS}/tls.pem", "--key", f"{HERE_KEYS}/tls.key", "--auth")
        with server(folder / tls / "server", *certificate) as witness:
            password = folder / tls / "password"
            password.write_text("correct horse\n")
            password.chmod(0o600)
            extra = f'ca_file = "{HERE_KEYS}/ca.pem"\nuser = "notice"\npassword_file = "{password}"\n'
            firm = Firm(folder / tls / "firm", witness.port, tls=tls, extra=extra)
            firm.configure(key="ed25519")
            firm.people(20, 0)
            firm.ok("notify", "plan", CASE, "--scope", firm.scope({row[0]: "email" for row in firm.rows}))
            firm.approve()
            password.write_text("wrong\n")
            wrong = firm.notify("send")
            results.check(f"{tls}: a wrong password ends the run at once", wrong.returncode == 1 and "535" in wrong.stderr and witness.count() == 0, wrong.stderr.strip()[-100:])
            password.write_text("correct horse\n")
            firm.notify("send")
            received = witness.received()
            results.check(f"{tls}: all went protected", len(received) == 20 and all(row[2] == "tls" for row in received), len(received))
        accepted, mails = signed_well(folder / tls / "server", "ed25519")
        results.check(f"{tls}: dkimpy accepts Ed25519", accepted == mails == 20, f"{accepted} of {mails}")


class Injecting(threading.Thread):
    """A relay with STARTTLS, and somebody on the line who adds replies in clear behind the one to STARTTLS."""

    def __init__(self):
        super().__init__(daemon=True)
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.heard: list[bytes] = []

    def run(self) -> None:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(HERE_KEYS / "tls.pem", HERE_KEYS / "tls.key")
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            try:
                self.talk(connection, context)
            except OSError:
                connection.close()

    def talk(self, connection: socket.socket, context: ssl.SSLContext) -> None:
        connection.settimeout(5)
        connection.sendall(b"220 mx\r\n")
        connection.recv(1000)
        connection.sendall(b"250-mx\r\n250 STARTTLS\r\n")
        connection.recv(1000)
        connection.sendall(b"220 go\r\n250-mx\r\n250 8BITMIME\r\n250 ok\r\n550 5.1.1 no such user\r\n")
        with context.wrap_socket(connection, server_side=True) as secured:
            while words := secured.recv(1000):
                self.heard.append(words)


def injected(results: Results, folder: Path) -> None:
    """What was said in clear counts for nothing behind STARTTLS (as in CVE-2011-0411)."""
    relay = Injecting()
    relay.start()
    firm = Firm(folder, relay.port, tls="starttls", extra=f'ca_file = "{HERE_KEYS}/ca.pem"\nconnections = 1\n')
    firm.people(3, 0)
    firm.ok("notify", "plan", CASE, "--scope", firm.scope({row[0]: "email" for row in firm.rows}))
    firm.approve()
    process = subprocess.Popen([product.executable(), "notify", "send", CASE], cwd=firm.folder, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    try:
        process.wait(30)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    relay.listener.close()
    states = firm.counts()["by_state"]
    results.check("replies that somebody slipped in before TLS make no bounce", states["bounced"] == 0 and not relay.heard, {state: number for state, number in states.items() if number})


def main() -> int:
    global HERE_KEYS
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--mails", type=int, default=int(os.environ.get("NOTIFY_MAILS", "2000")))
    parser.add_argument("--kills", type=int, default=3)
    parser.add_argument("--keep-mails", type=int, default=200, help="mails whose signature is verified")
    parser.add_argument("--folder", type=Path, help="work in this folder and leave it")
    arguments = parser.parse_args()
    folder = arguments.folder or Path(tempfile.mkdtemp(prefix="sekisho-notify-"))
    folder.mkdir(parents=True, exist_ok=True)
    HERE_KEYS = folder / "keys"
    results = Results()
    try:
        keys(HERE_KEYS)
        refusals(results, folder / "refusals", product.free_port())
        secured(results, folder / "secured")
        injected(results, folder / "injected")
        campaign(results, folder / "campaign", arguments.mails, arguments.kills, arguments.keep_mails)
    finally:
        if not arguments.folder:
            shutil.rmtree(folder, ignore_errors=True)
    print(f"notify: {results.passed} passed, {results.failed} failed")
    return 0 if results.failed == 0 else 1


HERE_KEYS = Path()

if __name__ == "__main__":
    sys.exit(main())
