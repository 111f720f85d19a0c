"""A code by mail, the whole way: page, socket, `sekisho affected courier`, a real SMTP server (tests/notify/server.py), a
signature that dkimpy accepts, and the code back on the page. What the server wrote down is what was delivered."""

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from base64 import b64encode
from contextlib import contextmanager
from email import policy
from email.parser import BytesParser
from http.client import HTTPConnection
from pathlib import Path
from typing import Callable

import dkim

from referee.product import executable

SERVER = Path(__file__).resolve().parents[1] / "notify" / "server.py"
SECONDS_MAX = 20
CODE = re.compile(r"^[0-9A-Z]{5}-[0-9A-Z]{5}-[0-9A-Z]{5}-[0-9A-Z]{6}$", re.M)

NOTIFY = """
[mail]
from = "箱根FX <notice@hakonefx.example>"
language = "ja"
[relay]
host = "127.0.0.1"
port = {port}
tls = "none"
timeout = "10s"
[dkim]
domain = "hakonefx.example"
selector = "s1"
key_file = "dkim.pem"
[retry]
delays = ["100ms"]
[text.ja]
firm = "箱根FX株式会社"
summary = "s"
cause = "c"
damage = "d"
measures = "m"
contact = "t"
[[register]]
name = "account_holders"
file = "no such file.csv"
row_key = "id"
mail = "mail"
person = "name"
[register.columns]
id = "account_id"
"""


def until(holds: Callable[[], object], what: str) -> None:
    end = time.monotonic() + SECONDS_MAX
    while not holds():
        if time.monotonic() > end:
            raise SystemExit(f"waited in vain until {what}")
        time.sleep(0.01)


class Mailbox:
    """What the server took."""

    def __init__(self, folder: Path):
        self.folder = folder

    def to(self) -> list[str]:
        path = self.folder / "received.tsv"
        return [line.split("\t")[0] for line in path.read_text().splitlines()] if path.exists() else []

    def wait(self, count: int) -> bytes:
        path = self.folder / "mails" / f"{count}.eml"
        until(lambda: path.exists() and path.stat().st_size, f"mail {count} came")
        return path.read_bytes()


@contextmanager
def server(folder: Path):
    folder.mkdir()
    process = subprocess.Popen([sys.executable, SERVER, folder], stderr=(folder / "log").open("a"))
    try:
        until((folder / "port").exists, "the SMTP server listens")
        yield Mailbox(folder), int((folder / "port").read_text())
    finally:
        process.terminate()
        process.wait()


def courier(folder: Path) -> subprocess.Popen:
    """At the highest level of its log."""
    before = (folder / "courier.log").read_text().count("the courier listens") if (folder / "courier.log").exists() else 0
    process = subprocess.Popen(command(folder), stderr=(folder / "courier.log").open("a"), env=os.environ | {"SEKISHO_LOG": "trace"})
    until(lambda: process.poll() is not None or (folder / "courier.log").read_text().count("the courier listens") > before, "the courier listens")
    return process


def command(folder: Path) -> list:
    return [executable(), "affected", "courier", "-c", folder / "courier.toml", "--notify", folder / "notify.toml"]


def run(folder: Path, served, ask, expect, address) -> None:
    key = folder / "dkim.pem"
    subprocess.run(["openssl", "genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048", "-out", key], check=True, capture_output=True)
    with server(folder / "smtp") as (mailbox, port):
        (folder / "notify.toml").write_text(NOTIFY.format(port=port), encoding="utf-8")
        with served() as page:
            shutil.copy(folder / f"affected-{page.port}.toml", folder / "courier.toml")
            refusals(folder, key, expect)
            wire = HTTPConnection("127.0.0.1", page.port)
            post = lambda mail, path="/mail": ask(wire, mail, path=path, field="mail")  # noqa: E731
            running = courier(folder)
            try:
                codes = mails(mailbox, wire, post, ask, expect, address, key)
                put_off(mailbox, post, expect, address)
                another_user(folder, expect)
                running = killed(folder, running, page, mailbox, post, expect, address)
            finally:
                running.send_signal(signal.SIGTERM)
                expect("the courier ends when it is told", running.wait(SECONDS_MAX) == 0)
            expect("its socket goes with it", not (folder / "courier.sock").exists())
        logs = "".join((folder / name).read_text(errors="replace") for name in ("courier.log", page.log.name))
        expect("no address and no code is in a log", "example.jp" not in logs.replace("mx.example.jp", "") and not any(code in logs for code in codes))


def refusals(folder: Path, key: Path, expect) -> None:
    key.chmod(0o644)
    refused = subprocess.run(command(folder), capture_output=True, text=True)
    expect("a DKIM key that others can read is refused", refused.returncode == 3 and "chmod 600" in refused.stderr, refused.stderr)
    key.chmod(0o600)
    good = (folder / "courier.toml").read_text()
    (folder / "courier.toml").write_text(good.replace("0120-000-000", "4111 1111 1111 1111"))
    refused = subprocess.run(command(folder), capture_output=True, text=True)
    expect("a text that the scan would stop is told at the start", refused.returncode == 3 and "card number" in refused.stderr, refused.stderr)
    (folder / "courier.toml").write_text(good)
    (folder / "courier.sock").write_text("a file")
    refused = subprocess.run(command(folder), capture_output=True, text=True)
    expect("a file that is no socket stays", refused.returncode == 3 and (folder / "courier.sock").read_text() == "a file", refused.stderr)
    (folder / "courier.sock").unlink()


def mails(mailbox: Mailbox, wire: HTTPConnection, post, ask, expect, address, key: Path) -> list[str]:
    """A stranger between two known ones: each known one gets a mail, and the stranger none."""
    first, strange, second = post(address(7)), post("stranger@example.jp"), post(address(8), "/en/mail")
    expect("a known address and a stranger's get the same bytes", first == strange)
    expect("the English page answers", second[0] == 200)
    raw = [mailbox.wait(1), mailbox.wait(2)]
    expect("mails went to the known alone", mailbox.to() == [address(7), address(8)], mailbox.to())
    der = subprocess.run(["openssl", "pkey", "-in", key, "-pubout", "-outform", "DER"], check=True, capture_output=True).stdout
    record = b"v=DKIM1; k=rsa; p=" + b64encode(der)
    lookup = lambda name, timeout=5: record if name == b"s1._domainkey.hakonefx.example." else b""  # noqa: E731
    expect("dkimpy accepts their signatures", all(dkim.verify(mail, dnsfunc=lookup) for mail in raw))
    codes = []
    for mail, to, said in zip(raw, (address(7), address(8)), ("お問い合わせ窓口", "never ask for a password")):
        read = BytesParser(policy=policy.default).parsebytes(mail)
        text = read.get_content().replace("\r\n", "\n")
        expect("a mail is to its person alone, in the page's language, without a link", read["To"] == to and said in text and "://" not in text, text)
        expect("it has one code", len(CODE.findall(text)) == 1, text)
        codes += CODE.findall(text)
    expect("the subject can be read", "照会コード" in BytesParser(policy=policy.default).parsebytes(raw[0])["Subject"])
    expect("the code of the mail opens the person's page", "流出を確認した項目".encode() in ask(wire, codes[0])[2])
    expect("the second one too, in English", b"Items that left our systems" in ask(wire, codes[1], path="/en")[2])
    expect("a code works once", ask(wire, codes[0]) == ask(wire, codes[1]))
    return codes


def put_off(mailbox: Mailbox, post, expect, address) -> None:
    post(address(100))
    mailbox.wait(3)
    expect("a mail that is put off goes at the next try", mailbox.to()[2:] == [address(100)], mailbox.to())


def another_user(folder: Path, expect) -> None:
    path = folder / "courier.sock"
    expect("the socket is its owner's alone", path.stat().st_mode & 0o777 == 0o600)
    twice = subprocess.run(command(folder), capture_output=True, text=True)
    expect("a second courier is refused", twice.returncode == 3 and "another courier" in twice.stderr, twice.stderr)
    with socket.socket(socket.AF_UNIX) as own:
        own.connect(str(path))
        own.sendall(b"nonsense\n")
        expect("nonsense is answered `no`", own.recv(10) == b"no\n")
    if os.geteuid() != 0:
        return
    # Even where the file lets everybody in.
    folder.chmod(0o711)
    path.chmod(0o666)
    program = "import socket, sys; s = socket.socket(socket.AF_UNIX); s.connect(sys.argv[1]); s.sendall(b'x\\n'); print(s.recv(10))"
    told = subprocess.run(["/usr/bin/python3", "-c", program, path], user=65534, capture_output=True, text=True)
    expect("another user is not heard", "no" not in told.stdout and ("b''" in told.stdout or "Reset" in told.stderr or "Broken" in told.stderr), told)
    path.chmod(0o600)
    folder.chmod(0o700)


def killed(folder: Path, running: subprocess.Popen, page, mailbox: Mailbox, post, expect, address) -> subprocess.Popen:
    running.kill()
    running.wait()
    expect("a killed courier leaves its socket", (folder / "courier.sock").exists())
    took = lambda: page.log.read_text(errors="replace").count("did not take a message")  # noqa: E731
    before = took()
    expect("the page answers as before", post(address(9)) == post("stranger@example.jp"))
    until(lambda: took() == before + 2, "the page's log says that the courier is gone")
    running = courier(folder)
    post(address(10))
    mailbox.wait(4)
    expect("the next courier takes its place", mailbox.to()[3:] == [address(10)], mailbox.to())
    return running
