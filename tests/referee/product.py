"""Starts what is judged: the executable, and applications behind it; asks the ledger. No knowledge of its inside."""

import csv
import io
import json
import os
import signal
import socket
import subprocess
import time
from contextlib import contextmanager
from pathlib import Path
from typing import Iterator

ROOT = Path(__file__).resolve().parents[2]
CACHE = Path(os.environ.get("SEKISHO_CACHE", Path.home() / ".cache" / "sekisho-proof"))
READY_SECONDS_MAX = 60


def executable() -> Path:
    """The release build; `SEKISHO` names another one."""
    target = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
    return Path(os.environ.get("SEKISHO", (target if target.is_absolute() else ROOT / target) / "release" / "sekisho"))


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@contextmanager
def running(command: list, port: int, log: Path, cwd: Path | None = None, stdin=subprocess.DEVNULL) -> Iterator[subprocess.Popen]:
    """A server that listens on `port`; it is asked to end at the end, and made to after ten seconds."""
    with open(log, "ab") as output:
        process = subprocess.Popen(
            [str(part) for part in command], stdin=stdin, stdout=output, stderr=output, cwd=cwd
        )
    try:
        wait_until_open(process, port, log)
        yield process
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def wait_until_open(process: subprocess.Popen, port: int, log: Path) -> None:
    deadline = time.monotonic() + READY_SECONDS_MAX
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise RuntimeError(f"`{process.args[0]}` ended with {process.returncode}:\n{tail(log)}")
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        except OSError:
            time.sleep(0.05)
    raise RuntimeError(f"`{process.args[0]}` does not listen on {port}:\n{tail(log)}")


def tail(log: Path) -> str:
    return log.read_text(errors="replace")[-4000:]


class Observed:
    """A folder with what `sekisho observe` keeps there: ledger and keys; and the register it was given."""

    def __init__(self, folder: Path, register: Path | None = None):
        self.folder, self.register = folder, register
        self.ledger, self.keys, self.log = folder / "ledger", folder / "keys", folder / "sekisho.log"

    @contextmanager
    def running(self, upstream_port: int, port: int, *arguments) -> Iterator[subprocess.Popen]:
        # A write beyond a limit of files' size is an error then, and no signal that ends the process.
        command = [
            "sh", "-c", 'trap "" XFSZ; exec "$@"', "sh", executable(), "observe", "--upstream", f"http://127.0.0.1:{upstream_port}",
            "--listen", f"127.0.0.1:{port}", "--ledger", self.ledger, "--keys", self.keys, *arguments,
        ]
        if self.register is not None:
            command += ["--register", self.register]
        with running(command, port, self.log) as process:
            yield process

    def scope(self, *arguments) -> dict:
        return json.loads(answer("scope", "--ledger", self.ledger, "--format", "json", *arguments))

    def persons(self, *arguments) -> dict[str, set[str]]:
        """Row key → fields that left, from the CSV."""
        text = answer(
            "scope", "--ledger", self.ledger, "--keys", self.keys, "--format", "csv", "--register", self.register, *arguments
        )
        persons: dict[str, set[str]] = {}
        for row in csv.DictReader(io.StringIO(text)):
            persons.setdefault(row["row_key"], set()).update(row["fields"].split())
        return persons

    def verify(self) -> subprocess.CompletedProcess:
        return ask("verify", self.ledger)


def ask(*arguments) -> subprocess.CompletedProcess:
    command = [str(executable()), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=300)


def answer(*arguments) -> str:
    """What a command prints; an error when it does not end well."""
    asked = ask(*arguments)
    if asked.returncode != 0:
        raise RuntimeError(f"`sekisho {arguments[0]}` ended with {asked.returncode}: {asked.stderr}")
    return asked.stdout
