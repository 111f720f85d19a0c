"""Drives foreign applications through Sekisho and compares its scope with the referee's reading of the bytes.

Each group of requests comes from a client address of its own, so that a difference is found per group as well as in
all. `--direct` leaves Sekisho out and only exercises client, applications and referee.
"""

import argparse
import random
import sys
import tempfile
import time
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from foreign.applications import Datasette, JsonServer  # noqa: E402
from referee import customers, product  # noqa: E402
from referee.decoder import Decoder  # noqa: E402
from referee.register import Register  # noqa: E402
from referee.wire import Connection, split_request, split_response, store, stored  # noqa: E402

GROUP_REQUESTS = 25
APPLICATIONS = {app.name: app for app in (Datasette, JsonServer)}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=None, help="random when not given")
    parser.add_argument("--requests", type=int, default=2000, help="for each application")
    parser.add_argument("--customers", type=int, default=1200)
    parser.add_argument("--applications", nargs="*", default=list(APPLICATIONS), choices=list(APPLICATIONS))
    parser.add_argument("--direct", action="store_true", help="without Sekisho: nothing is compared")
    parser.add_argument("--keep", type=Path, help="work in this folder and leave it")
    options = parser.parse_args()
    seed = options.seed if options.seed is not None else random.SystemRandom().randrange(1 << 32)
    print(f"seed {seed}")

    passed = failed = 0
    for name in options.applications:
        with tempfile.TemporaryDirectory(prefix="sekisho-foreign-") as temporary:
            folder = (options.keep or Path(temporary)) / name
            folder.mkdir(parents=True)
            results = run(APPLICATIONS[name], folder, seed, options)
        passed += results.count(True)
        failed += results.count(False)
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


def run(application, folder: Path, seed: int, options) -> list[bool]:
    """Captures, decodes, compares. One result for each comparison."""
    rng = random.Random(seed)
    rows = customers.customers(options.customers, seed)
    register_csv = folder / "customers.csv"
    customers.write_csv(register_csv, rows)
    app = application(folder, product.free_port(), rows, rng)
    app.prepare()
    capture, port = folder / "received.raw", product.free_port()
    observed = product.Observed(folder, register_csv)

    began = time.monotonic()
    with app.running():
        if options.direct:
            drive(app, app.port, capture, options.requests)
        else:
            with observed.running(app.port, port):
                drive(app, port, capture, options.requests)
    driven = time.monotonic()
    expected, statuses = decode(capture, register_csv)
    print(
        f"{app.name}: {sum(statuses.values())} requests in {driven - began:.0f} s, statuses {dict(sorted(statuses.items()))},"
        f" {capture.stat().st_size / 1e6:.0f} MB received; decoded in {time.monotonic() - driven:.0f} s:"
        f" {len({key for found in expected.values() for key, _ in found})} persons"
    )
    if options.direct:
        return [sum(statuses.values()) >= options.requests]
    return compare(app.name, expected, observed)


def drive(app, port: int, capture: Path, requests: int) -> None:
    """Sends groups of requests, each from an address of its own, and stores what comes back."""
    sent = group = 0
    with open(capture, "wb") as file:
        while sent < requests:
            connection = Connection(("127.0.0.1", port), f"127.0.{1 + group // 250}.{1 + group % 250}")
            for _ in range(GROUP_REQUESTS):
                for method, target, body in app.requests():
                    headers = {"Content-Type": "application/json"} if body else {}
                    store(file, connection.send(method, target, body, headers))
                    sent += 1
            connection.close()
            group += 1


def decode(capture: Path, register_csv: Path) -> tuple[dict[str, set], Counter]:
    """What each client received, read by the referee on all cores."""
    expected: dict[str, set] = {}
    statuses: Counter = Counter()
    with open(capture, "rb") as file, ProcessPoolExecutor(initializer=load, initargs=(register_csv,)) as pool:
        for client, status, left in pool.map(decode_one, stored(file), chunksize=16):
            expected.setdefault(client, set()).update(left)
            statuses[status] += 1
    return expected, statuses


def load(register_csv: Path) -> None:
    global decoder
    decoder = Decoder(Register.read(register_csv, customers.DETECTED, customers.KEY))


def decode_one(exchange):
    status, headers, body = split_response(exchange.response)
    parts = [(value.encode("latin-1"), "utf-8") for value in headers.values()] + [(body, "utf-8")]
    left, _ = decoder.response(split_request(exchange.request), parts)
    return exchange.client, status, left


def compare(name: str, expected: dict[str, set], observed: product.Observed) -> list[bool]:
    """Subject by subject and field by field: in all, and for each client."""
    everything, recorded = set().union(*expected.values()), observed.persons()
    results = [same(f"{name}, all", everything, recorded), tells_alterations(name, everything, recorded)]
    for client, found in expected.items():
        results.append(same(f"{name}, {client}", found, observed.persons("--client", client)))
    checked = observed.verify()
    if checked.returncode != 0:
        print(f"{name}: the ledger does not verify: {checked.stdout}{checked.stderr}")
    return results + [checked.returncode == 0]


def tells_alterations(name: str, expected: set, persons: dict[str, set[str]]) -> bool:
    """A comparison that cannot fail proves nothing: each small change of the scope must be told."""
    some, other = sorted(persons)[:2]
    column = sorted(persons[some])[0]
    without = {key: columns for key, columns in persons.items() if key != some}
    altered = {
        "a person less": without,
        "a person more": {**persons, "nobody": {column}},
        "another person": {**without, "nobody": persons[some]},
        "a field less": {**persons, some: persons[some] - {column}},
        "a field more": {**persons, other: persons[other] | {"nothing"}},
    }
    untold = [what for what, scope in altered.items() if not differences(expected, scope)]
    if untold:
        print(f"{name}: the comparison does not see: {', '.join(untold)}")
    return not untold


def differences(expected: set, persons: dict[str, set[str]]) -> list[tuple[str, set]]:
    """What was received and is not in the ledger, and the other way about, where there is any."""
    recorded = {(key, column) for key, columns in persons.items() for column in columns}
    both = [("received, not in the ledger", expected - recorded), ("in the ledger, not received", recorded - expected)]
    return [(title, difference) for title, difference in both if difference]


def same(what: str, expected: set, persons: dict[str, set[str]]) -> bool:
    told = differences(expected, persons)
    for title, difference in told:
        for key, column in sorted(difference)[:10]:
            print(f"{what}: {title}: {key} {column}")
        if len(difference) > 10:
            print(f"{what}: {title}: {len(difference) - 10} more")
    return not told


if __name__ == "__main__":
    sys.exit(main())
