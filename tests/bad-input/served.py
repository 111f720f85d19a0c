"""`sekisho serve` in front of an upstream, with two routes: `/` is refused while nothing can be recorded (GW-1), `/trade` is
marked `continuity` and passes. Its disk can be made slow, hang or be full while it runs."""

import csv
import io
import json
import os
import resource
import subprocess
import sys
import time
import urllib.error
import urllib.request
from contextlib import contextmanager
from pathlib import Path

from referee import product
from referee.wire import Connection, split_response

ROOT = Path(__file__).resolve().parents[2]
PATIENCE_SECONDS = 60
SYNC_DEADLINE_SECONDS = 1
# Less than any log has when it is met.
FULL_BYTES = 4096
CONFIG = """[[listener]]
address = "127.0.0.1:{port}"
[admin]
address = "127.0.0.1:{admin}"
[[upstream]]
name = "site"
url = "http://127.0.0.1:{upstream}"
[[route]]
path = "/"
upstream = "site"
[[route]]
path = "/trade"
upstream = "site"
continuity = true
[ledger]
emergency_directory = "emergency"
sync_deadline = "{deadline}s"
retry_interval = "500ms"
[[register]]
name = "customers"
file = "customers.csv"
row_key = "id"
column = [{{ name = "name", kind = "name" }}, {{ name = "mail", kind = "email" }}]
"""


class Served:
    def __init__(self, folder: Path, register: str):
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.port, self.admin, self.upstream = (product.free_port() for _ in range(3))
        must(product.ask("init", folder))
        (folder / "customers.csv").write_text(register, encoding="utf-8")
        self.config = folder / "sekisho.toml"
        self.config.write_text(CONFIG.format(port=self.port, admin=self.admin, upstream=self.upstream, deadline=SYNC_DEADLINE_SECONDS))
        must(product.ask("register", "build", "-c", self.config))
        self.sent = 0

    @contextmanager
    def running(self, **environment: str):
        # A write beyond a limit is an error then, and no signal that ends the process.
        command = ["sh", "-c", 'trap "" XFSZ; exec "$@"', "sh", "env", *(f"{name}={value}" for name, value in environment.items()),
                   product.executable(), "serve", "-c", self.config]
        upstream = [sys.executable, Path(__file__).with_name("upstream.py"), self.upstream]
        with product.running(upstream, self.upstream, self.folder / "upstream.log"):
            with product.running(command, self.port, self.folder / "sekisho.log") as process:
                yield process

    def get(self, path: str) -> tuple[int | None, float]:
        """The status of a session's only request, and its seconds; no status when the answer broke off."""
        self.sent += 1
        began, connection = time.monotonic(), Connection(("127.0.0.1", self.port), "127.0.0.1")
        try:
            status = split_response(connection.get(path, Cookie=f"session=s{self.sent}").response)[0]
        except (OSError, ValueError, IndexError):
            status = None
        finally:
            connection.close()
        return status, time.monotonic() - began

    def until(self, path: str, wanted: int) -> bool:
        """Asks until that status comes."""
        end = time.monotonic() + PATIENCE_SECONDS
        while time.monotonic() < end:
            if self.get(path)[0] == wanted:
                return True
            time.sleep(0.1)
        return False

    def health(self) -> tuple[int, str]:
        return health(self.admin)

    def until_health(self, word: str) -> tuple[int, str]:
        return until_health(self.admin, word)

    def scope(self) -> dict:
        return json.loads(product.answer("scope", "-c", self.config, "--format", "json"))

    def persons(self) -> set[str]:
        rows = product.answer("scope", "-c", self.config, "--format", "csv", "--register", self.folder / "customers.csv")
        return {row["row_key"] for row in csv.DictReader(io.StringIO(rows))}

    def verify(self) -> subprocess.CompletedProcess:
        return product.ask("verify", self.folder / "ledger")


def health(admin: int) -> tuple[int, str]:
    """What `/health` of the admin address says of the ledger."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{admin}/health", timeout=10) as answer:
            return answer.status, json.load(answer)["ledger"]
    except urllib.error.HTTPError as refused:
        return refused.code, json.load(refused)["ledger"]


def until_health(admin: int, word: str) -> tuple[int, str]:
    """The health when it is that word, or at the end of patience."""
    end = time.monotonic() + PATIENCE_SECONDS
    while (seen := health(admin))[1] != word and time.monotonic() < end:
        time.sleep(0.05)
    return seen


def must(done: subprocess.CompletedProcess) -> None:
    if done.returncode != 0:
        raise RuntimeError(done.stderr)


def limit_files(pid: int, size: int) -> None:
    """No file of the process may grow beyond so many bytes: what a full disk is to it. Needs no right but to own it."""
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))


def slow_sync(folder: Path) -> Path:
    """The library that makes syncs slow, compiled."""
    library = folder / "slow_sync.so"
    source = ROOT / "crates/xtask/src/bench/slow_sync.c"
    subprocess.run(["cc", "-shared", "-fPIC", "-O2", "-o", library, source, "-ldl"], check=True)
    return library


def whole(served: Served, results, what: str, passed: int) -> None:
    """Afterwards the ledger verifies, tells the customer, and counts what passed, or says that numbers are missing."""
    checked = served.verify()
    results.check(f"{what}: the ledger verifies", checked.returncode == 0, (checked.stdout + checked.stderr).strip()[-300:] if checked.returncode else "")
    coverage = served.scope()["coverage"]
    results.check(f"{what}: every answer is counted, or a gap says so", coverage["responses"] >= passed or bool(coverage["gaps"]),
                  f"{passed} passed, {coverage['responses']} responses, {len(coverage['gaps'])} gaps")
    results.check(f"{what}: scope tells who was shown", served.persons() == {"HK-100001"}, served.persons())


def full(folder: Path, results, register: str) -> None:
    """GW-1 on a disk that fills under `serve`: refused before the upstream is asked, and again served by itself."""
    served, what = Served(folder, register), "full disk, serve"
    with served.running() as process:
        results.check(f"{what}: first all is well", served.get("/customer")[0] == 200 and served.health()[1] == "healthy")
        limit_files(process.pid, FULL_BYTES)
        refused = served.until("/customer", 503)
        health = served.until_health("unhealthy")
        results.check(f"{what}: a route is refused with 503", refused, served.get("/customer"))
        results.check(f"{what}: health says so", health == (503, "unhealthy"), health)
        status, _ = served.get("/customer/not-asked")
        log = (folder / "upstream.log").read_text()
        results.check(f"{what}: and the upstream is not asked", status == 503 and "/customer/not-asked" not in log, status)
        results.check(f"{what}: `continuity` passes", served.get("/trade")[0] == 200)
        limit_files(process.pid, resource.RLIM_INFINITY)
        results.check(f"{what}: with room again it serves by itself", served.until("/customer", 200))
        results.check(f"{what}: and health says so", served.until_health("healthy") == (200, "healthy"), served.health())
    whole(served, results, what, 3)


def slow(folder: Path, results, register: str) -> None:
    """A sync of 50 ms, of 5 s, and one that hangs: of the ledger's disk alone, and of the emergency log's too."""
    folder.mkdir(exist_ok=True)
    library = slow_sync(folder)
    switch = folder / "microseconds"
    for what, microseconds, path in [
        ("sync of 50 ms", 50_000, None),
        ("sync of 5 s, emergency log on a good disk", 5_000_000, "/ledger/"),
        ("sync that hangs, emergency log on a good disk", 10**12, "/ledger/"),
        ("sync of 5 s on both disks", 5_000_000, None),
        ("sync that hangs on both disks", 10**12, None),
    ]:
        served = Served(folder / what.replace(" ", "-").replace(",", ""), register)
        switch.write_text("0")
        environment = {"LD_PRELOAD": str(library), "SLOW_SYNC_FILE": str(switch), **({"SLOW_SYNC_PATH": path} if path else {})}
        with served.running(**environment):
            results.check(f"{what}: first all is well", served.get("/customer")[0] == 200)
            replace(switch, microseconds)
            if microseconds < SYNC_DEADLINE_SECONDS * 1_000_000:
                answers = [served.get("/customer") for _ in range(5)]
                # A response waits for its record: it cannot be faster than the sync.
                good = all(status == 200 and seconds >= microseconds / 1e6 for status, seconds in answers)
                results.check(f"{what}: answers come, none before its sync", good, [(s, round(t, 3)) for s, t in answers])
                results.check(f"{what}: health is good", served.health() == (200, "healthy"), served.health())
                passed = 6
            elif path:
                status, seconds = served.get("/customer")
                results.check(f"{what}: the answer comes by the emergency log", status == 200 and seconds >= SYNC_DEADLINE_SECONDS, (status, round(seconds, 1)))
                results.check(f"{what}: health says so", served.health() == (200, "emergency"), served.health())
                passed = 2
            else:
                refused = served.until("/customer", 503)
                results.check(f"{what}: after the deadlines, 503", refused)
                results.check(f"{what}: health says so", (health := served.until_health("unhealthy")) == (503, "unhealthy"), health)
                results.check(f"{what}: `continuity` passes", (seen := served.get("/trade"))[0] == 200, seen)
                passed = 2
            replace(switch, 0)
            results.check(f"{what}: on a good disk again it serves", served.until("/customer", 200))
            results.check(f"{what}: and is healthy by itself", (health := served.until_health("healthy")) == (200, "healthy"), health)
        whole(served, results, what, passed + 1)


def replace(switch: Path, microseconds: int) -> None:
    """Whole at every moment: the library reads it all the while."""
    new = switch.with_suffix(".new")
    new.write_text(str(microseconds))
    os.replace(new, switch)
