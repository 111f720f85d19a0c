"""The webhook, with the receiver that `docs/webhook.md` prints, PyPI `standardwebhooks` as second reader, a receiver that
refuses, breaks off and lies, and kills of Sekisho while events wait."""

import argparse
import http.client
import http.server
import json
import random
import re
import socket
import sqlite3
import sys
import tempfile
import threading
import time
from contextlib import contextmanager
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from standardwebhooks import Webhook  # noqa: E402

from enforce.stage import PLANTED, Stage  # noqa: E402
from referee import product  # noqa: E402

THIEVES = 12
PATIENCE_S = 60
DOCS = Path(__file__).resolve().parents[2] / "docs" / "webhook.md"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=None, help="random when not given")
    options = parser.parse_args()
    seed = options.seed if options.seed is not None else random.SystemRandom().randrange(1 << 32)
    with tempfile.TemporaryDirectory(prefix="sekisho-webhook-") as folder:
        results = play(Path(folder), seed)
    print(f"seed {seed}: {results.count(True)} passed, {results.count(False)} failed")
    return 0 if all(results) else 1


def check(what: str, ok: bool) -> bool:
    print(f"{'ok    ' if ok else 'FAILED'}  {what}")
    return ok


def play(folder: Path, seed: int) -> list[bool]:
    receiver_port = product.free_port()
    more = f'\n[containment]\non = ["foreign"]\n\n[webhook]\nurl = "http://127.0.0.1:{receiver_port}/sekisho"\nsecret = "keys/webhook.secret"\n\n[incidents]\n'
    stage = Stage(folder, seed, THIEVES + 1 + PLANTED, "block", more)
    (folder / "receiver.py").write_text(re.search(r"```python\n(.*?)```", DOCS.read_text(encoding="utf-8"), re.DOTALL)[1], encoding="utf-8")
    site = product.executable().parent / "examples" / "site"
    command = [
        site, "--listen", f"127.0.0.1:{stage.site_port}", "--seed", seed, "--customers", stage.customers,
        "--write-register", folder / "register",
    ]
    with product.running(command, stage.site_port, folder / "site.log", stdin=-1):
        stage.configure()
        return documented(stage, receiver_port) + hostile(stage, receiver_port) + killed(stage, receiver_port)


@contextmanager
def serving(stage: Stage):
    command = [product.executable(), "serve", "-c", stage.config]
    with product.running(command, stage.port, stage.folder / "sekisho.log") as process:
        yield process


@contextmanager
def receiving(stage: Stage, port: int):
    with product.running([sys.executable, "receiver.py", port], port, stage.folder / "receiver.log", cwd=stage.folder) as process:
        yield process


def accounts(stage: Stage) -> list[str]:
    return [row.split(",")[0] for row in stage.register_csv.read_text(encoding="utf-8").splitlines()[1:]]


def steal(stage: Stage, number: int) -> str:
    """One thief's session: signed in as somebody, refused somebody else."""
    client = f"127.4.0.{number + 1}"
    session = stage.log_in(accounts(stage)[number], client)
    stage.get(f"/api/customers/{(number + 5) % THIEVES + 1}", session, client)
    return session


def documented(stage: Stage, port: int) -> list[bool]:
    results = []
    with receiving(stage, port), serving(stage):
        results.append(check("a test event is taken", product.ask("webhook", "test", "-c", stage.config).returncode == 0))
        thief = stage.log_in(accounts(stage)[0], "127.4.0.1")
        honest = stage.log_in(accounts(stage)[1], "127.4.0.2")
        for cookie in (thief, honest):
            begin_session(stage, cookie)
        stage.get("/api/customers/7", thief, "127.4.0.1")
        results.append(check("the firm's own system ends the thief's session", until(lambda: ended(stage) == [thief])))
        forged = json.dumps({"type": "contained", "data": {"target": {"session": hash_of(stage, honest)}}})
        statuses = [forge(port, forged, signature) for signature in ("v1,AAAA", "", "v1," + "A" * 44)]
        results.append(check("forged events are refused by the documented receiver", statuses == [401] * 3 and ended(stage) == [thief]))
        listed = ["--cases", stage.folder / "cases", "--keys", stage.folder / "keys", "--format", "json"]
        cases = json.loads(product.answer("case", "list", *listed))
        results.append(check("the theft began a case by itself", [case["origin"] for case in cases] == ["gateway"]))
        status = product.ask("webhook", "status", "-c", stage.config)
        results.append(check("nothing is left to tell", status.returncode == 0 and "everything was taken" in status.stdout))
        results.append(check("/metrics counts it", until(lambda: stage.metric("webhook_delivered") == 1)))
    return results


def hostile(stage: Stage, port: int) -> list[bool]:
    """Told by one who answers 500, 302, breaks off, and only then takes it."""
    results = []
    with serving(stage):
        session = steal(stage, 2)
        wanted = hash_of(stage, session)
        recorder = Recorder(port, ["500", "reset", "302", "204"])
        results.append(check("an event that was not taken is told until it is", until(lambda: len(recorder.told) >= 4)))
        told = [event for event in recorder.told if event.target() == {"session": wanted}]
        results.append(check("under one id", len(told) == 4 and len({event.id for event in told}) == 1))
        results.append(check("signed as another implementation wants it", all(event.is_genuine(stage) for event in told)))
        changed = told[-1].changed()
        results.append(check("and a changed one is refused by it", not changed.is_genuine(stage)))
        product.answer("release", "-c", stage.config, "--session", wanted)
        until(lambda: any(event.kind() == "released" for event in recorder.told))
        kinds = [event.kind() for event in recorder.told if event.target() == {"session": wanted}]
        results.append(check("a release is told after it", kinds == ["contained"] * 4 + ["released"]))
        recorder.close()
    return results


def killed(stage: Stage, port: int) -> list[bool]:
    """Events wait for a receiver that is not there; Sekisho is killed, twice; then it comes back."""
    results, wanted = [], set()
    for first in (3, 7):
        with serving(stage) as process:
            wanted |= {hash_of(stage, steal(stage, number)) for number in range(first, first + 4)}
            until(lambda: all(contained(stage, one) for one in wanted))
            process.kill()
            process.wait()
    status = product.ask("webhook", "status", "-c", stage.config)
    results.append(check(f"status says so: {status.stdout.strip()}", status.returncode == 1 and status.stdout.startswith("8 not taken")))
    recorder = Recorder(port, [])
    with serving(stage):
        results.append(check("what waited is told after the kills", until(lambda: {event.session() for event in recorder.told} >= wanted)))
        until(lambda: product.ask("webhook", "status", "-c", stage.config).returncode == 0)
    count = len(recorder.told)
    results.append(check("each once", count == len(wanted) and {event.session() for event in recorder.told} == wanted))
    with serving(stage):
        session = steal(stage, 11)
        until(lambda: len(recorder.told) > count)
    later = {event.session() for event in recorder.told[count:]}
    results.append(check("and none again after another restart", later == {hash_of(stage, session)}))
    recorder.close()
    return results


def contained(stage: Stage, session: str) -> bool:
    return session in product.answer("contained", "-c", stage.config)


class Event:
    def __init__(self, headers: dict[str, str], body: bytes):
        self.headers, self.body, self.id = headers, body, headers["webhook-id"]

    def kind(self) -> str:
        return json.loads(self.body)["type"]

    def target(self) -> dict:
        return json.loads(self.body)["data"]["target"]

    def session(self) -> str:
        return self.target().get("session", "")

    def is_genuine(self, stage: Stage) -> bool:
        secret = (stage.folder / "keys" / "webhook.secret").read_text().strip()
        try:
            Webhook(secret).verify(self.body, self.headers)
            return True
        except Exception as err:
            print(f"        {type(err).__name__}: {err}")
            return False

    def changed(self) -> "Event":
        return Event(self.headers, self.body.replace(b'"contained"', b'"contAined"'))


class Recorder:
    """A receiver that answers as it is told, then takes everything."""

    def __init__(self, port: int, answers: list[str]):
        self.told: list[Event] = []
        recorder = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["content-length"]))
                recorder.told.append(Event({name.lower(): value for name, value in self.headers.items()}, body))
                answer = answers.pop(0) if answers else "204"
                if answer == "reset":
                    self.connection.shutdown(socket.SHUT_RDWR)
                    return
                self.send_response(int(answer))
                self.send_header("location", "/elsewhere")
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", port), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()


def forge(port: int, body: str, signature: str) -> int:
    wire = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    headers = {"webhook-id": "msg_forged", "webhook-timestamp": str(int(time.time())), "webhook-signature": signature}
    wire.request("POST", "/sekisho", body, headers)
    return wire.getresponse().status


def hash_of(stage: Stage, cookie: str) -> str:
    import hashlib
    import hmac

    key = bytes.fromhex((stage.folder / "keys" / "identity.key").read_text())
    return hmac.new(key, b"session\0" + cookie.encode(), hashlib.sha256).hexdigest()[:32]


def begin_session(stage: Stage, cookie: str) -> None:
    with sqlite3.connect(stage.folder / "sessions.db") as db:
        db.execute("insert into session (hash, cookie) values (?, ?)", (hash_of(stage, cookie), cookie))


def ended(stage: Stage) -> list[str]:
    with sqlite3.connect(stage.folder / "sessions.db") as db:
        return [cookie for (cookie,) in db.execute("select cookie from session where ended = 1")]


def until(condition) -> bool:
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        if condition():
            return True
        time.sleep(0.05)
    return bool(condition())


if __name__ == "__main__":
    sys.exit(main())
