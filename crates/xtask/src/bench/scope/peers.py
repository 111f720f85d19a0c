"""The same question put to DuckDB and SQLite, over the rows of the same ledger: distinct persons per register and
combination of fields. Prints one JSON object a figure. usage: peers.py LEDGER FOLDER REPEATS FROM TO SESSION
"""

import json
import pathlib
import sqlite3
import statistics
import sys
import time

import duckdb

ledger, folder, repeats = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2]), int(sys.argv[3])
start, end, session = sys.argv[4:7]
# The files of findings, without those of the other three parts: a number of six digits and nothing else.
SEALED = f"{ledger}/segments/*/*/*/[0-9][0-9][0-9][0-9][0-9][0-9].parquet"

CONDITIONS = {
    "no filter": "true",
    "two days of thirty": f'"at" >= {start} AND "at" < {end}',
    "one client's network": "client LIKE '203.0.113.%'",
    "one session": f"session = '{session}'",
    "one route": "route = '/staff/list'",
    "one person": "register = 0 AND subject = 77",
}
ANSWER = """
    SELECT register, fields, count(*) FROM
        (SELECT register, subject, {union} AS fields FROM {table}
         WHERE subject IS NOT NULL AND fields <> 0 AND {condition} GROUP BY register, subject)
    GROUP BY register, fields"""
COLUMNS = 'epoch_us("at") AS "at", register, subject, fields, client, session, route'


def measure(peer, run, union, table, condition):
    for question, text in CONDITIONS.items():
        query = ANSWER.format(union=union, table=table, condition=condition(text))
        times, persons = [], 0
        for _ in range(repeats):
            began = time.perf_counter()
            rows = run(query)
            times.append((time.perf_counter() - began) * 1e3)
            persons = sum(row[2] for row in rows)
        told = {"peer": peer, "question": question, "p50_ms": statistics.median(times), "first_ms": times[0]}
        print(json.dumps({**told, "best_ms": min(times), "persons": persons}))


def sealed():
    """As an auditor does: the sealed files themselves, without anything of Sekisho's."""
    database = duckdb.connect()
    database.execute("SET TimeZone = 'UTC'")
    run = lambda query: database.execute(query).fetchall()
    times = lambda text: text.replace(f">= {start}", f">= make_timestamptz({start})").replace(
        f"< {end}", f"< make_timestamptz({end})"
    )
    measure("DuckDB on the sealed files", run, "bit_or(fields)", f"'{SEALED}'", times)
    columns = database.execute(f"DESCRIBE SELECT * FROM '{SEALED}'").fetchall()
    notes = database.execute(f"SELECT DISTINCT decode(key) FROM parquet_kv_metadata('{SEALED}')").fetchall()
    told = {"columns": [f"{column[0]} {column[1]}" for column in columns], "notes": sorted(note[0] for note in notes)}
    print(json.dumps(told))


def duck():
    path = folder / "peer.duckdb"
    path.unlink(missing_ok=True)
    database = duckdb.connect(str(path))
    database.execute("SET TimeZone = 'UTC'")
    database.execute(f"CREATE TABLE exposures AS SELECT {COLUMNS} FROM '{SEALED}'")
    database.close()
    database = duckdb.connect(str(path), read_only=True)
    measure("DuckDB", lambda query: database.execute(query).fetchall(), "bit_or(fields)", "exposures", lambda text: text)


def sqlite():
    path = folder / "peer.sqlite"
    path.unlink(missing_ok=True)
    database = sqlite3.connect(path)
    database.execute("CREATE TABLE exposures (\"at\", register, subject, fields, client, session, route)")
    rows = duckdb.execute(f"SELECT {COLUMNS} FROM '{SEALED}'")
    while batch := rows.fetchmany(10_000):
        database.executemany("INSERT INTO exposures VALUES (?, ?, ?, ?, ?, ?, ?)", batch)
    for number, column in enumerate(('"at"', "client", "session", "route", "register, subject")):
        database.execute(f"CREATE INDEX by_{number} ON exposures ({column})")
    database.execute("PRAGMA case_sensitive_like = ON")
    database.commit()
    database.execute("ANALYZE")
    # SQLite has no bit_or: the union of the five columns' bits, one by one.
    union = " | ".join(f"max(fields & {1 << bit})" for bit in range(5))
    measure("SQLite", lambda query: database.execute(query).fetchall(), union, "exposures", lambda text: text)


sealed()
duck()
sqlite()
