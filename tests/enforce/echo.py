"""10,000 mails that a visitor types and the site echoes, half of them customers': nobody learns by echo who is a customer.

Each answer must be the same but for the mail. How long each took is told as the chance that an answer for a customer took
longer than one for somebody else, 0.5 being what chance gives: a figure to read, not one that a test on a busy machine could
hold anybody to.
"""

import argparse
import random
import statistics
import sys
import tempfile
import time
from pathlib import Path
from urllib.parse import quote

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from enforce.stage import PLANTED, Stage  # noqa: E402
from referee.wire import Connection, split_response  # noqa: E402

WARM_UP = 500


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--mails", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=None, help="random when not given")
    options = parser.parse_args()
    seed = options.seed if options.seed is not None else random.SystemRandom().randrange(1 << 32)
    results: list[bool] = []
    for action in ("block", "mask"):
        with tempfile.TemporaryDirectory(prefix="sekisho-echo-") as folder:
            stage = Stage(Path(folder), seed, options.mails // 2 + 1 + PLANTED, action)
            with stage.running():
                results += echoes(stage, options.mails, random.Random(seed))
    print(f"seed {seed}: {results.count(True)} passed, {results.count(False)} failed")
    return 0 if all(results) else 1


def echoes(stage: Stage, count: int, chance: random.Random) -> list[bool]:
    rows = [row.split(",") for row in stage.register_csv.read_text(encoding="utf-8").splitlines()]
    column = rows[0].index("email")
    own, others = rows[1], rows[2 : count // 2 + 2]
    mails = [(row[column], True) for row in others]
    mails += [(mail, False) for mail in (strange(mail, chance) for mail, _ in mails)]
    chance.shuffle(mails)
    session = stage.log_in(own[rows[0].index("account_id")], "127.0.5.1")
    wire = Connection(("127.0.0.1", stage.port), "127.0.5.1")
    bodies: dict[bytes, int] = {}
    took: dict[bool, list[float]] = {True: [], False: []}
    for number, (mail, is_customer) in enumerate(mails[:WARM_UP] + mails):
        began = time.perf_counter()
        answer = wire.get(f"/seminars?q={quote(mail)}", Cookie=f"session={session}").response
        lasted = time.perf_counter() - began
        if number >= WARM_UP:
            status, _, body = split_response(answer)
            assert mail.encode() in body or status != 200, "the site echoes what was typed"
            neutral = b"%d " % status + body.replace(mail.encode(), b"")
            bodies[neutral] = bodies.get(neutral, 0) + 1
            took[is_customer].append(lasted)
    wire.close()
    medians = [statistics.median(took[is_customer]) * 1e6 for is_customer in (True, False)]
    print(
        f"foreign = \"{stage.action}\": {len(mails)} mails, {len(took[True])} of customers; {len(bodies)} different answers but "
        f"for the mail; median {medians[0]:.0f} µs for customers, {medians[1]:.0f} µs for others; "
        f"chance to be slower for a customer {slower(took[True], took[False]):.3f}"
    )
    stopped = stage.metric("responses_withheld") + stage.metric("responses_masked") + stage.metric("responses_would_withhold")
    return [len(bodies) == 1, stopped == 0]


def strange(mail: str, chance: random.Random) -> str:
    """A mail of the same length that nobody has."""
    name, domain = mail.split("@")
    return "".join(chance.choice("bcdfghjklmnpqrstvwxz") for _ in name) + "@" + domain


def slower(one: list[float], other: list[float]) -> float:
    """Mann and Whitney's statistic as a share: how often one of the first is larger than one of the second."""
    ranked = sorted([(value, True) for value in one] + [(value, False) for value in other])
    ranks = sum(rank for rank, (_, is_first) in enumerate(ranked, 1) if is_first)
    return (ranks - len(one) * (len(one) + 1) / 2) / (len(one) * len(other))


if __name__ == "__main__":
    sys.exit(main())
