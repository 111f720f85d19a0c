"""Bad input with real tools: malformed requests, HTTP/2 clients that take nothing, wrong registers, an expired
certificate, a full disk, a disk whose syncs are slow or hang, an upstream that dies, a body of 5 GB. Each case has a status
or an error that it must end with, and the ledger must verify."""

import argparse
import os
import resource
import socket
import subprocess
import sys
import tempfile
from contextlib import contextmanager
from pathlib import Path

sys.path[:0] = [str(Path(__file__).resolve().parent), str(Path(__file__).resolve().parents[1])]

import http2  # noqa: E402
import served  # noqa: E402
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
# (what is wrong, the file, how `register build` ends: a missing column is a mistake of the configuration; all that the error must name)
WRONG_REGISTERS = [
    ("missing column", "id,name\n1,a\n".encode(), 1, ["SK014", "`mail`"]),
    ("duplicate keys", "id,name,mail\nK1,a,a@example.jp\nK1,b,b@example.jp\n".encode(), 3, ["SK147", "lines 2 and 3"]),
    ("mixed encodings", "id,name,mail\n1,高橋,a@example.jp\n".encode() + "2,林,b@example.jp\n".encode("cp932"), 3, ["SK141", "line 3"]),
]
FULL_DISK_REQUESTS = 2_000
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
    parser.add_argument("--cases", nargs="*", help="only these: the functions' names")
    parser.add_argument("--keep", type=Path, help="work in this folder and leave it")
    options = parser.parse_args()
    results = Results()
    with tempfile.TemporaryDirectory(prefix="sekisho-bad-input-") as temporary:
        folder = options.keep or Path(temporary)
        cases = (
            malformed_requests, http2_clients, dying_upstream, wrong_registers, expired_certificate, full_disk, full_disk_served,
            slow_disk, huge_body,
        )
        for case in (case for case in cases if not options.cases or case.__name__ in options.cases):
            (folder / case.__name__).mkdir(parents=True)
            case(folder / case.__name__, results, *([options.huge_bytes] if case is huge_body else []))
    print(f"{results.passed} passed, {results.failed} failed")
    return 1 if results.failed else 0


@contextmanager
def observed(folder: Path, results: Results, *arguments):
    """Sekisho before the misbehaving upstream; afterwards its ledger must verify."""
    register = folder / "customers.csv"
    register.write_text(REGISTER, encoding="utf-8")
    watched, upstream_port, port = product.Observed(folder, register), product.free_port(), product.free_port()
    upstream = [sys.executable, Path(__file__).with_name("upstream.py"), upstream_port]
    with product.running(upstream, upstream_port, folder / "upstream.log"):
        with watched.running(upstream_port, port, *arguments) as process:
            yield watched, port, process
    checked = watched.verify()
    said = (checked.stdout + checked.stderr).strip()
    results.check(f"{folder.name}: the ledger verifies", checked.returncode == 0, "" if checked.returncode == 0 else said[-400:])


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
    for number, (what, text, code, names) in enumerate(WRONG_REGISTERS):
        place = folder / str(number)
        product.ask("init", place)
        (place / "customers.csv").write_bytes(text)
        with open(place / "sekisho.toml", "a", encoding="utf-8") as config:
            config.write('\n[[register]]\nname = "holders"\nfile = "customers.csv"\nrow_key = "id"\n'
                         'column = [{ name = "name", kind = "name" }, { name = "mail", kind = "email" }]\n')
        for command, expected in ((("register", "build"), code), (("check",), 1)):
            done = product.ask(*command, "-c", place / "sekisho.toml")
            said = (done.stdout + done.stderr).strip()
            good = done.returncode == expected and all(name in said for name in names)
            results.check(f"register with {what}: {' '.join(command)} names it, exit {expected}", good, f"exit {done.returncode}: {said.splitlines()[0] if said else ''}")


def expired_certificate(folder: Path, results: Results) -> None:
    """A certificate of 2020: `check` and `serve` say so in the product's own words."""
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
    for command, code in (("check", 1), ("serve", 3)):
        try:
            done = subprocess.run([str(product.executable()), command, "-c", str(config)], capture_output=True, text=True, timeout=30)
            said, seen = done.stdout + done.stderr, done.returncode
        except subprocess.TimeoutExpired:
            said, seen = "", None
        results.check(f"expired certificate: {command} names it, exit {code}", seen == code and "expired at 2020-02-01T00:00:00Z" in said, f"exit {seen}: {said.strip()[-300:]}")


def full_disk(folder: Path, results: Results) -> None:
    """`observe` while no file of it can grow, which is what a full disk is to it: it blocks nothing, and no response holds
    somebody without a record or a gap."""
    admin = product.free_port()
    with observed(folder, results, "--admin", f"127.0.0.1:{admin}") as (watched, port, process):
        statuses: dict[int, int] = {}
        connection = Connection(("127.0.0.1", port), "127.0.0.1")

        def ask() -> None:
            answered = connection.get("/customer", Cookie=f"session=s{sum(statuses.values())}")
            status = split_response(answered.response)[0]
            statuses[status] = statuses.get(status, 0) + 1

        ask()
        served.limit_files(process.pid, served.FULL_BYTES)
        for _ in range(FULL_DISK_REQUESTS):
            ask()
        seen = served.until_health(admin, "unhealthy")
        results.check("full disk: it is met, and health says so", seen == (503, "unhealthy"), seen)
        served.limit_files(process.pid, resource.RLIM_INFINITY)
        seen = served.until_health(admin, "healthy")
        results.check("full disk: with room again it is healthy by itself", seen == (200, "healthy"), seen)
        # The number of the next response shows how many are missing before it.
        ask()
        connection.close()
    results.check("full disk: observe blocks nothing", statuses == {200: FULL_DISK_REQUESTS + 2}, statuses)
    coverage = watched.scope()["coverage"]
    missing = sum(gap["last"] - gap["first"] + 1 for gap in coverage["gaps"])
    counted = coverage["responses"] + missing
    results.check("full disk: every response is counted or in a gap, and there is a gap", missing > 0 and counted >= FULL_DISK_REQUESTS + 2, coverage)


def full_disk_served(folder: Path, results: Results) -> None:
    served.full(folder, results, REGISTER)


def slow_disk(folder: Path, results: Results) -> None:
    served.slow(folder, results, REGISTER)


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
