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
def running(command: list, port: int, log: Path, cwd: Path | None = None, **options) -> Iterator[subprocess.Popen]:
    """A server that listens on `port`; it is asked to end at the end, and made to after ten seconds."""
    with open(log, "ab") as output:
        process = subprocess.Popen(
            [str(part) for part in command], stdin=subprocess.DEVNULL, stdout=output, stderr=output, cwd=cwd, **options
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


@contextmanager
def observe(upstream_port: int, port: int, ledger: Path, log: Path, register: Path | None = None) -> Iterator[subprocess.Popen]:
    command = [
        executable(), "observe", "--upstream", f"http://127.0.0.1:{upstream_port}",
        "--listen", f"127.0.0.1:{port}", "--ledger", ledger,
    ]
    if register is not None:
        command += ["--register", register]
    with running(command, port, log) as process:
        yield process


def ask(*arguments) -> subprocess.CompletedProcess:
    return subprocess.run([str(executable()), *map(str, arguments)], capture_output=True, text=True, stdin=subprocess.DEVNULL)


def scope_json(ledger: Path, *arguments) -> dict:
    answer = ask("scope", "--ledger", ledger, "--format", "json", *arguments)
    if answer.returncode != 0:
        raise RuntimeError(f"sekisho scope ended with {answer.returncode}: {answer.stderr}")
    return json.loads(answer.stdout)


def scope_persons(ledger: Path, *arguments) -> dict[str, set[str]]:
    """Row key → fields, from the CSV."""
    answer = ask("scope", "--ledger", ledger, "--format", "csv", *arguments)
    if answer.returncode != 0:
        raise RuntimeError(f"sekisho scope ended with {answer.returncode}: {answer.stderr}")
    persons: dict[str, set[str]] = {}
    for row in csv.DictReader(io.StringIO(answer.stdout)):
        persons.setdefault(row["row_key"], set()).update(row["fields"].split())
    return persons


def verify(ledger: Path) -> subprocess.CompletedProcess:
    return ask("verify", ledger)
