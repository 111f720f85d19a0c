"""From the first field of somebody else to a session that is kept out, under load: how long, and that nothing passes after it.

Each thief signs in, looks at the own page, then asks for somebody else's record and at once for the next ones. Meanwhile wrk
asks for pages of its own. The route records only, so that the first record is received: what follows must not be.
"""

import argparse
import random
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from enforce.stage import PLANTED, Stage  # noqa: E402
from referee import product  # noqa: E402
from referee.wire import Connection, split_response  # noqa: E402

LATER = 5


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--thieves", type=int, default=300)
    parser.add_argument("--seed", type=int, default=None, help="random when not given")
    options = parser.parse_args()
    seed = options.seed if options.seed is not None else random.SystemRandom().randrange(1 << 32)
    results: list[bool] = []
    for action in ("record", "mask"):
        with tempfile.TemporaryDirectory(prefix="sekisho-contain-") as folder:
            stage = Stage(Path(folder), seed, options.thieves + 1 + PLANTED, action, CONTAINMENT)
            with stage.running():
                load = subprocess.Popen(
                    ["wrk", "-t1", "-c32", "-d600s", f"http://127.0.0.1:{stage.port}/seminars?q=FX"], stdout=subprocess.DEVNULL
                )
                try:
                    results += steal(stage, options.thieves)
                finally:
                    load.terminate()
                    load.wait()
                results += released(stage)
    print(f"seed {seed}: {results.count(True)} passed, {results.count(False)} failed")
    return 0 if all(results) else 1


CONTAINMENT = '\n[containment]\non = ["foreign"]\n'


def steal(stage: Stage, thieves: int) -> list[bool]:
    accounts = [row.split(",")[0] for row in stage.register_csv.read_text(encoding="utf-8").splitlines()[1 : thieves + 1]]
    took, passed, first = [], 0, 0
    for number, account in enumerate(accounts):
        wire = Connection(("127.0.0.1", stage.port), f"127.3.{number // 250}.{number % 250 + 1}")
        form = f"account_id={account}&password={account[::-1]}".encode()
        answer = wire.send("POST", "/login", form, {"Content-Type": "application/x-www-form-urlencoded"}).response
        cookie = f"session={re.search(rb'session=([0-9a-f]{32})', answer)[1].decode()}"
        assert split_response(wire.get("/mypage", Cookie=cookie).response)[0] == 200, "the own page"
        status, _, body = split_response(wire.get(f"/api/customers/{(number + 7) % thieves + 1}", Cookie=cookie).response)
        seen = time.perf_counter()
        first += status == 200
        for later in range(LATER):
            status, _, body = split_response(wire.get(f"/api/customers/{(number + later) % thieves + 1}", Cookie=cookie).response)
            if later == 0:
                took.append(time.perf_counter() - seen)
            passed += status != 403 or "一時停止".encode() not in body
        wire.close()
    took.sort()
    at = [took[int(len(took) * share)] * 1e3 for share in (0.5, 0.99)]
    print(
        f"foreign = \"{stage.action}\": {thieves} thieves received {first} first answers; of {thieves * LATER} later requests {passed} passed; "
        f"first field to refusal p50 {at[0]:.1f} ms, p99 {at[1]:.1f} ms, under load"
    )
    return [first == thieves, passed == 0]


def released(stage: Stage) -> list[bool]:
    """An operator lists, releases, and cuts off by command."""
    listed = product.answer("contained", "-c", stage.config)
    key = re.search(r"session\s+([0-9a-f]{32})", listed)[1]
    done = product.ask("release", "--session", key, "-c", stage.config, "--operator", "tanaka")
    again = product.ask("release", "--session", key, "-c", stage.config, "--operator", "tanaka")
    cut = product.ask("cut-off", "--session", key, "-c", stage.config, "--operator", "tanaka")
    table = product.answer("contained", "-c", stage.config)
    return [done.returncode == 0, again.returncode == 1, cut.returncode == 0, "until released; operator, by tanaka" in table]


if __name__ == "__main__":
    sys.exit(main())
