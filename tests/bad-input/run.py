"""Bad input with real tools: malformed requests, HTTP/2 clients that take nothing, wrong registers, an expired
certificate, a full disk, an upstream that dies, a body of 5 GB. Each case has a status or an error that it must end with, and the ledger must verify."""

import argparse
import os
import resource
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import http2  # noqa: E402
from referee import product  # noqa: E402
from referee.wire import Connection, split_response  # noqa: E402

REGISTER = "id,name,mail\nHK-100001,高橋 花子,hanako@example.jp\nHK-100002,林 翔,sho@example.jp\n"
HEAD = b"Host: site.example\r\n"
# (what is wrong, the request, the status)
MALFORMED = [
    ("bare LF", b"GET / HTTP/1.1\nHost: site.example\n\n", 400),
    ("length and transfer-encoding", b"POST / HTTP/1.1\r\n" + HEAD + b"Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
    ("two lengths", b"POST / HTTP/1.1\r\n" + HEAD + b"Content-Length: 3\r\nContent-Length: 4\r\n\r\nabcd", 400),
    ("space before the colon", b"GET / HTTP/1.1\r\n" + HEAD + b"X-A : b\r\n\r\n", 400),
    ("folded header", b"GET / HTTP/1.1\r\n" + HEAD + b"X-A: b\r\n c\r\n\r\n", 400),
    ("no host", b"GET / HTTP/1.1\r\n\r\n", 400),
    ("two hosts", b"GET / HTTP/1.1\r\n" + HEAD + HEAD + b"\r\n", 400),
    ("NUL in a header", b"GET / HTTP/1.1\r\n" + HEAD + b"X-A: a\0b\r\n\r\n", 400),
    ("unknown coding", b"POST / HTTP/1.1\r\n" + HEAD + b"Transfer-Encoding: chunked, x\r\n\r\n0\r\n\r\n", 400),
    ("not HTTP", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", 400),
    ("a head that is too long", b"GET / HTTP/1.1\r\n" + HEAD + b"X-A: " + b"a" * 70_000 + b"\r\n\r\n", 431),
]
# (what is wrong, the file, what the error must name)
WRONG_REGISTERS = [
    ("missing column", "id,name\n1,a\n".encode(), ["mail"]),
    ("duplicate keys", "id,name,mail\nK1,a,a@example.jp\nK1,b,b@example.jp\n".encode(), ["K1", "id", "dup", "twice", "line"]),
    ("mixed encodings", "id,name,mail\n1,高橋,a@example.jp\n".encode() + "2,林,b@example.jp\n".encode("cp932"), ["utf", "UTF", "encod", "line"]),
]
FULL_DISK_REQUESTS = 250_000
FULL_DISK_SECONDS_MAX = 90
RESIDENT_GROWTH_BYTES_MAX = 64 * 1024 * 1024


class Results:
    def __init__(self):
        self.passed = self.failed = 0

    def check(self, what: str, good: bool, seen: object = "") -> None:
        self.passed, self.failed = self.passed + bool(good), self.failed + (not good)
        print(f"{'ok  ' if good else 'FAIL'} {what}{f': {seen}' if seen != '' else ''}")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--huge-bytes", type=int, default=5_000_000_000)
    parser.add_argument("--keep", type=Path, help="work in this folder and leave it")
    options = parser.parse_args()
    results = Results()
    with tempfile.TemporaryDirectory(prefix="sekisho-bad-input-") as temporary:
        folder = options.keep or Path(temporary)
        for case in (malformed_requests, http2_clients, dying_upstream, wrong_registers, expired_certificate, full_disk):
            (folder / case.__name__).mkdir(parents=True)
            case(folder / case.__name__, results)
        (folder / "huge").mkdir()
        huge_body(folder / "huge", results, options.huge_bytes)
    print(f"{results.passed} passed, {results.failed} failed")
    return 1 if results.failed else 0


@contextmanager
def observed(folder: Path, results: Results, *arguments):
    """Sekisho before the misbehaving upstream; afterwards its ledger must verify."""
    register = folder / "customers.csv"
    register.write_text(REGISTER, encoding="utf-8")
    watched, upstream_port, port = product.Observed(folder, register), product.free_port(), product.free_port()
    # Its own messages go elsewhere, so that a full disk is the ledger's matter only.
    watched.log = log_folder(folder) / "sekisho.log"
    upstream = [sys.executable, Path(__file__).with_name("upstream.py"), upstream_port]
    with product.running(upstream, upstream_port, log_folder(folder) / "upstream.log"):
        with watched.running(upstream_port, port, *arguments) as process:
            yield watched, port, process
    if folder.name == "full":
        # The operator frees space first: a question is recorded before it is answered.
        roomy = log_folder(folder) / "freed"
        shutil.copytree(folder, roomy)
        watched.ledger, watched.keys, watched.register = roomy / "ledger", roomy / "keys", roomy / "customers.csv"
    checked = watched.verify()
    said = (checked.stdout + checked.stderr).strip()
    results.check(f"{folder.name}: the ledger verifies", checked.returncode == 0, "" if checked.returncode == 0 else said[-400:])


def log_folder(folder: Path) -> Path:
    return folder.parent.parent if folder.name == "full" else folder


def exchange(port: int, request: bytes, timeout_s: float = 15) -> bytes:
    """Everything until the other side closes, falls silent or ends the response's head."""
    with socket.create_connection(("127.0.0.1", port), timeout_s) as connection:
        received = b""
        try:
            connection.sendall(request)
            while b"\r\n\r\n" not in received and (chunk := connection.recv(65536)):
                received += chunk
        except OSError:
            pass
        return received


def status_of(response: bytes) -> int | None:
    return int(response.split(b" ")[1]) if response.startswith(b"HTTP/1.") else None


def malformed_requests(folder: Path, results: Results) -> None:
    with observed(folder, results) as (_, port, _):
        for what, request, status in MALFORMED:
            seen = status_of(exchange(port, request))
            results.check(f"{what} → {status}", seen == status, seen)
        seen = status_of(exchange(port, b"GET /customer HTTP/1.1\r\n" + HEAD + b"\r\n"))
        results.check("and a good request still → 200", seen == 200, seen)


def http2_clients(folder: Path, results: Results) -> None:
    upstream_port, port, plain_port = product.free_port(), product.free_port(), product.free_port()
    config = http2.prepare(folder, upstream_port, port, plain_port)
    upstream = [sys.executable, Path(__file__).with_name("upstream.py"), upstream_port]
    with product.running(upstream, upstream_port, folder / "upstream.log"):
        with product.running([product.executable(), "serve", "-c", config], plain_port, folder / "sekisho.log"):
            http2.heads(port, results)
            http2.hoarders(port, lambda: is_served(plain_port, 1_000_000), results)


def is_served(port: int, count: int) -> bool:
    """Whether a client gets a whole page of so many bytes."""
    received = 0
    with socket.create_connection(("127.0.0.1", port), 15) as connection:
        connection.sendall(f"GET /huge?bytes={count} HTTP/1.1\r\nHost: site.example\r\nConnection: close\r\n\r\n".encode())
        try:
            while chunk := connection.recv(65536):
                received += len(chunk)
        except OSError:
            pass
    return received > count


def dying_upstream(folder: Path, results: Results) -> None:
    with observed(folder, results) as (watched, port, _):
        with socket.create_connection(("127.0.0.1", port), 15) as connection:
            connection.sendall(b"GET /dies HTTP/1.1\r\n" + HEAD + b"\r\n")
            received = b""
            try:
                while chunk := connection.recv(65536):
                    received += chunk
            except OSError:
                pass
    results.check("upstream dies in mid-body: the response is cut, not ended", 0 < len(received) < 1_000_000, f"{len(received)} bytes")
    held = b"hanako@example.jp" in received
    recorded = "mail" in watched.persons().get("HK-100001", set())
    results.check("what was released before is in the ledger", recorded or not held, f"received {held}, recorded {recorded}")


def wrong_registers(folder: Path, results: Results) -> None:
    for number, (what, text, names) in enumerate(WRONG_REGISTERS):
        place = folder / str(number)
        product.ask("init", place)
        (place / "customers.csv").write_bytes(text)
        with open(place / "sekisho.toml", "a", encoding="utf-8") as config:
            config.write('\n[[register]]\nname = "holders"\nfile = "customers.csv"\nrow_key = "id"\n'
                         'column = [{ name = "name", kind = "name" }, { name = "mail", kind = "email" }]\n')
        built = product.ask("register", "build", "-c", place / "sekisho.toml")
        said = (built.stdout + built.stderr).strip()
        results.check(f"register with {what} → exit 1 and a named place", built.returncode == 1 and any(n in said for n in names), f"exit {built.returncode}: {said[:300]}")


def expired_certificate(folder: Path, results: Results) -> None:
    """A certificate of 2020: `check` and `serve` say so, or serve it knowingly; never a crash."""
    product.ask("init", folder / "site")
    key, certificate = folder / "site.key", folder / "site.pem"
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-subj", "/CN=site.example",
                    "-keyout", key, "-out", folder / "request.pem"], check=True, capture_output=True)
    subprocess.run(["openssl", "req", "-new", "-key", key, "-subj", "/CN=site.example", "-out", folder / "site.csr"], check=True, capture_output=True)
    issue = ["openssl", "ca", "-batch", "-selfsign", "-keyfile", key, "-in", folder / "site.csr", "-out", certificate, "-notext",
             "-startdate", "20200101000000Z", "-enddate", "20200201000000Z", "-config", folder / "ca.cnf", "-outdir", folder]
    (folder / "index.txt").write_text("")
    (folder / "serial").write_text("01\n")
    (folder / "ca.cnf").write_text(f"[ca]\ndefault_ca=d\n[d]\ndatabase={folder}/index.txt\nserial={folder}/serial\ndefault_md=sha256\npolicy=p\n[p]\ncommonName=supplied\n")
    subprocess.run(issue, check=True, capture_output=True)
    os.chmod(key, 0o600)
    config = folder / "site" / "sekisho.toml"
    text = config.read_text(encoding="utf-8").replace('address = "127.0.0.1:8080"', f'address = "127.0.0.1:{product.free_port()}"\ncertificate = "{certificate}"\nkey = "{key}"', 1)
    config.write_text(text, encoding="utf-8")
    try:
        serve = subprocess.run([str(product.executable()), "serve", "-c", str(config)], capture_output=True, text=True, timeout=8)
        said, code = serve.stdout + serve.stderr, serve.returncode
    except subprocess.TimeoutExpired as running:
        said, code = (running.stdout or b"").decode() + (running.stderr or b"").decode(), None
    results.check("expired certificate: named at start", "expired" in said or "2020" in said, f"exit {code}: {said.strip()[-300:]}")


def full_disk(folder: Path, results: Results) -> None:
    """A file system of 70 MB that fills: no response holds somebody unrecorded. Without the right to mount, a limit
    on the size of files stands for it."""
    small = folder / "disk"
    small.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=70m", "tmpfs", small], capture_output=True).returncode == 0
    try:
        fill(small if mounted else folder, mounted, results)
    finally:
        if mounted:
            subprocess.run(["umount", small], check=True)


def fill(disk: Path, mounted: bool, results: Results) -> None:
    if not mounted:
        results.check("full disk: may not mount here, tried with the disk's rest only", True)
        return
    place = disk / "full"
    place.mkdir()
    with observed(place, results) as (watched, port, _):
        with open(disk / "ballast", "wb") as ballast:
            try:
                while True:
                    ballast.write(b"x" * 65536)
                    ballast.flush()
            except OSError:
                pass
        # The log is preallocated: the disk is met when its file is full.
        statuses: dict[int, int] = {}
        connection, began = Connection(("127.0.0.1", port), "127.0.0.1"), time.monotonic()
        while sum(statuses.values()) < FULL_DISK_REQUESTS and time.monotonic() - began < FULL_DISK_SECONDS_MAX:
            answered = connection.get("/customer", Cookie=f"session=s{sum(statuses.values())}")
            status = split_response(answered.response)[0]
            statuses[status] = statuses.get(status, 0) + 1
        connection.close()
        os.remove(disk / "ballast")
    results.check("full disk: every answer is a response or a refusal", set(statuses) <= {200, 503}, statuses)
    scope = watched.scope()
    results.check("full disk: released responses are counted, or a gap says so",
                  scope["coverage"]["responses"] >= statuses.get(200, 0) or scope["coverage"]["gaps"], scope["coverage"])


def huge_body(folder: Path, results: Results, count: int) -> None:
    with observed(folder, results) as (watched, port, process):
        exchange(port, b"GET /customer HTTP/1.1\r\n" + HEAD + b"\r\n")
        before, most, received = resident(process.pid), 0, 0
        with socket.create_connection(("127.0.0.1", port), 60) as connection:
            connection.sendall(f"GET /huge?bytes={count} HTTP/1.1\r\nHost: site.example\r\nCookie: session=huge\r\nConnection: close\r\n\r\n".encode())
            buffer = bytearray(1 << 20)
            end = b""
            while size := connection.recv_into(buffer):
                received += size
                end = (end + bytes(buffer[:size]))[-200:]
                if received % (64 << 20) < size:
                    most = max(most, resident(process.pid))
        most = max(most, resident(process.pid))
    results.check(f"{count / 1e9:.1f} GB pass whole", received >= count and b"hanako@example.jp" in end, f"{received} bytes")
    results.check("in bounded memory", most - before <= RESIDENT_GROWTH_BYTES_MAX, f"{before / 1e6:.0f} MB before, {most / 1e6:.0f} MB at most")
    results.check("and the customer at its end is in the ledger", "mail" in watched.persons().get("HK-100001", set()))


def resident(pid: int) -> int:
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * resource.getpagesize()


if __name__ == "__main__":
    sys.exit(main())
