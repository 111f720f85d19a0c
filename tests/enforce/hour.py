"""An hour of 1,000 customers, pressed together: nobody is refused anything, and nothing of anybody's own is masked.

Each customer signs in, looks at pages of their own and at public ones in an order of chance, some from two devices, some
from behind one address, some signing in again under the same cookie, and signs out. Every answer must be the site's own,
byte for byte where the site itself says the same twice.
"""

import argparse
import random
import re
import sys
import tempfile
import threading
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from enforce.stage import PLANTED, Stage  # noqa: E402
from referee.wire import Connection, split_response  # noqa: E402

# Pages, and how often a customer looks at them in an hour.
PAGES = [
    ("/mypage", 8), ("/api/positions", 10), ("/statement.csv", 2), ("/statement.csv?encoding=shift_jis", 1),
    ("/", 2), ("/news", 1), ("/seminars?q=FX", 2), ("/api/autocomplete?q=F", 2),
]
SHARED_ADDRESS = "127.0.3.1"
THREADS = 6


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--customers", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=None, help="random when not given")
    options = parser.parse_args()
    seed = options.seed if options.seed is not None else random.SystemRandom().randrange(1 << 32)
    results: list[bool] = []
    for action in ("block", "mask"):
        with tempfile.TemporaryDirectory(prefix="sekisho-hour-") as folder:
            stage = Stage(Path(folder), seed, options.customers + 1 + PLANTED, action)
            with stage.running():
                results += hour(stage, options.customers, random.Random(seed))
    print(f"seed {seed}: {results.count(True)} passed, {results.count(False)} failed")
    return 0 if all(results) else 1


def hour(stage: Stage, customers: int, chance: random.Random) -> list[bool]:
    rows = stage.register_csv.read_text(encoding="utf-8").splitlines()[1 : customers + 1]
    accounts = [row.split(",")[0] for row in rows]
    visits = []
    for number, account in enumerate(accounts):
        client = SHARED_ADDRESS if number % 10 == 0 else f"127.1.{number // 250}.{number % 250 + 1}"
        pages = [page for page, times in PAGES for _ in range(times)]
        chance.shuffle(pages)
        visits.append((account, client, pages))
        if number % 20 == 0:
            visits.append((account, f"127.2.{number // 250}.{number % 250 + 1}", pages[:5]))
    seen = {"requests": 0, "refused": [], "without_own": [], "masked": []}
    lock = threading.Lock()
    began = time.monotonic()

    def work(part: list) -> None:
        for account, client, pages in part:
            told = visit(stage, account, client, pages)
            with lock:
                for what, value in told.items():
                    seen[what] += value

    threads = [threading.Thread(target=work, args=(visits[at::THREADS],)) for at in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    stopped = stage.metric("responses_withheld") + stage.metric("responses_masked")
    bound = stage.metric("logins_bound")
    print(
        f"foreign = \"{stage.action}\": {customers} customers, {len(visits)} visits, {seen['requests']} requests in "
        f"{time.monotonic() - began:.0f} s; {bound} log-ins bound; {len(seen['refused'])} refused {seen['refused'][:3]}, "
        f"{len(seen['without_own'])} without their own data, {len(seen['masked'])} with masks, {stopped} ended or masked"
    )
    return [not seen["refused"], not seen["without_own"], not seen["masked"], stopped == 0, bound >= len(visits)]


def visit(stage: Stage, account: str, client: str, pages: list[str]) -> dict:
    wire = Connection(("127.0.0.1", stage.port), client)
    told = {"requests": 0, "refused": [], "without_own": [], "masked": []}
    form = f"account_id={account}&password={account[::-1]}".encode()
    kind = {"Content-Type": "application/x-www-form-urlencoded"}

    def sign_in(more: dict[str, str]) -> str:
        told["requests"] += 1
        answer = wire.send("POST", "/login", form, {**kind, **more}).response
        return re.search(rb"session=([0-9a-f]{32})", answer)[1].decode()

    session = sign_in({})
    for number, page in enumerate(pages):
        if number == 3 and account[-1] in "02468":
            session = sign_in({"Cookie": f"session={session}"})
        status, _, body = split_response(wire.get(page, Cookie=f"session={session}").response)
        told["requests"] += 1
        if status != 200:
            told["refused"].append((page, status))
        elif page.startswith(("/mypage", "/statement")) and account.encode() not in body:
            told["without_own"].append(page)
        if b"****" in body:
            told["masked"].append(page)
    wire.get("/logout", Cookie=f"session={session}")
    told["requests"] += 1
    wire.close()
    return told


if __name__ == "__main__":
    sys.exit(main())
