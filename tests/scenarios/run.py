"""The historical cases by the executable: who is planned for a mail or a letter, and the mails as a person reads them.

The words are those of `scenarios/<case>/mail.toml`, the persons those of `scenarios/customers.csv`. The mails are compared with
`expected/dry-run.txt`, and with `expected/mails.txt`, which is made without the executable: both must say the same.
"""

import csv
import difflib
import email
import email.policy
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from referee import product  # noqa: E402

SCENARIOS = Path(__file__).resolve().parents[2] / "scenarios"
RESULTS: list[bool] = []
COLUMNS = {
    "account_id": '{ kind = "account_id", pattern = "HK[0-9]{8}" }', "name": '"name"', "email": '"email"', "phone": '"phone"',
    "birth_date": '"birth_date"', "address": '"address"', "card": '"pan"', "password": '"secret"',
}
# Whose data left: (row keys, columns). At most three have a mail address: so many examples a dry run keeps. The columns are those of the first notice in `mail.toml`.
EXPOSED = {
    "fx-on": [(("HK20000001", "HK20000004", "HK20000005", "HK20000011"), "card")],
    "money-square": [
        (("HK20000002", "HK20000008"), "name email"),
        # The older attack: one person is in both sets, and is told once of all of it while nothing was sent.
        (("HK20000006", "HK20000008"), "name email account_id"),
    ],
    "yjfx": [(("HK20000003", "HK20000010", "HK20000012"), "name address phone")],
}
# The register here has more columns than `mail.toml`, so these lists are longer.
NOT_LEFT = ("■ 漏えいが確認されていない情報", "■ 漏えいの有無", "Your information for which", "Information that our")
NOTIFY = """
[mail]
from = "箱根FX株式会社 <notice@hakonefx.example>"
language = "ja"
[relay]
host = "127.0.0.1"
port = 9
tls = "none"
[letter]
sender = ["箱根FX株式会社", "〒250-0000 神奈川県箱根町0-0"]
{texts}
[[register]]
name = "account_holders"
file = "customers.csv"
row_key = "account_id"
mail = "email"
person = "name"
language = "lang"
postal = ["zip", "address"]
[register.columns]
{columns}
"""


def check(what: str, ok: bool) -> None:
    print(f"{'ok    ' if ok else 'FAILED'}  {what}", flush=True)
    RESULTS.append(ok)


def main() -> int:
    for case in EXPOSED:
        with tempfile.TemporaryDirectory(prefix="sekisho-scenarios-") as folder:
            play(case, Path(folder))
    print(f"{RESULTS.count(True)} passed, {RESULTS.count(False)} failed")
    return 0 if RESULTS and all(RESULTS) else 1


def play(case: str, folder: Path) -> None:
    told = tomllib.loads((SCENARIOS / case / "mail.toml").read_text(encoding="utf-8"))
    (folder / "customers.csv").write_bytes((SCENARIOS / "customers.csv").read_bytes())
    texts = "\n".join(
        f"[text.{language}]\n" + "\n".join(f"{key} = {json.dumps(text, ensure_ascii=False)}" for key, text in words.items())
        for language, words in told["texts"].items()
    )
    columns = "\n".join(f"{name} = {kind}" for name, kind in COLUMNS.items())
    (folder / "notify.toml").write_text(NOTIFY.format(texts=texts, columns=columns), encoding="utf-8")

    def step(*arguments: object) -> str:
        done = subprocess.run([str(product.executable()), *map(str, arguments)], cwd=folder, capture_output=True, text=True)
        if done.returncode != 0:
            raise SystemExit(f"{case}: {arguments}: {done.returncode}\n{done.stdout}{done.stderr}")
        return done.stdout

    step("case", "open", case, "--title", case, "--operator", "sato")
    output = []
    for number, (row_keys, fields) in enumerate(EXPOSED[case], 1):
        rows = "".join(f"account_holders,{row_key},{fields}\n" for row_key in row_keys)
        (folder / f"exposed-{number}.csv").write_text(f"register,row_key,fields\n{rows}")
        output.append("==== plan\n" + step("notify", "plan", case, "--scope", f"exposed-{number}.csv", "--operator", "sato"))
    rehearsed = subprocess.run(
        [str(product.executable()), "notify", "dry-run", case, "--all"], cwd=folder, capture_output=True, text=True, check=False
    )
    if rehearsed.returncode == 0:
        check(f"{case}: no mail is stopped by the scan", " 0 would not go" in rehearsed.stdout)
        # Persons are in the order of keyed hashes, whose key is new each time.
        mails = sorted(readable(path) for path in (folder / "examples").glob("*.eml"))
        check(f"{case}: every mail is known: {len(mails)}", mails and all(words_of(case, mail) for mail in mails))
        known = (SCENARIOS / case / "expected" / "mails.txt").read_text(encoding="utf-8")
        for name in sorted({notice["name"] for notice in told["notice"] if notice["way"] == "mail"}):
            mine = next(mail for mail in mails if name in mail)
            paragraphs = [part.strip() for part in mine.split("\n\n") if not part.startswith(NOT_LEFT)]
            other = [part for part in paragraphs if part not in known]
            check(f"{case}: {name} reads what mails.txt says{': ' + repr(other) if other else ''}", len(paragraphs) > 8 and not other)
        output += [f"==== mail\n{mail}" for mail in mails]
    else:
        check(f"{case}: {rehearsed.stdout.strip()} {rehearsed.stderr.strip()}", False)
    letter(case, folder, step)
    counts = json.loads(step("notify", "status", case, "--format", "json"))
    output.append("==== status\n" + json.dumps(counts, indent=1, ensure_ascii=False, sort_keys=True) + "\n")
    compare(SCENARIOS / case / "expected" / "dry-run.txt", "\n".join(output))


def letter(case: str, folder: Path, step) -> None:
    """The letter to whoever has no mail address, as it is printed; its day is the machine's own, and masked."""
    waits = json.loads(step("notify", "status", case, "--format", "json"))["by_state"]["postal"]
    if not waits:
        return
    for operator in ("sato", "tanaka"):
        step("notify", "approve", case, "--operator", operator)
    if not all(map(shutil.which, ("sekisho-pdf", "pdftotext"))):
        print(f"        {case}: its letter is not compared, for want of `sekisho-pdf` or `pdftotext`")
        return
    step("notify", "letters", case)
    pdfs = sorted((folder / "letters").glob("*.pdf"))
    pages = [subprocess.run(["pdftotext", "-layout", pdf, "-"], capture_output=True, text=True, check=True).stdout for pdf in pdfs]
    text = re.sub(r" +(?:\d+年\d+月\d+日|\d+ [A-Z][a-z]+ 20\d\d)$", "  <date>", "\n".join(pages).replace("\f", "\n"), count=1, flags=re.MULTILINE)
    lines = "\n".join(line.rstrip() for line in text.splitlines()).strip()
    compare(SCENARIOS / case / "expected" / "letter.txt", re.sub(r"\n{3,}", "\n\n", lines) + "\n")


def readable(path: Path) -> str:
    mail = email.message_from_bytes(path.read_bytes(), policy=email.policy.default)
    return f"{mail['Subject']}\n\n{mail.get_content().rstrip()}\n".replace("\r\n", "\n")


def words_of(case: str, mail: str) -> bool:
    """Nobody's data but the receiver's own name stand in a mail."""
    with (SCENARIOS / "customers.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    named = [row for row in rows if row["name"] in mail]
    values = [row[column] for row in rows for column in ("account_id", "email", "phone", "card", "password") if row[column]]
    return len(named) == 1 and not any(value in mail for value in values)


def compare(path: Path, found: str) -> None:
    if os.environ.get("SEKISHO_WRITE_EXPECTED"):
        path.write_text(found, encoding="utf-8")
    expected = path.read_text(encoding="utf-8") if path.exists() else ""
    difference = list(difflib.unified_diff(expected.splitlines(), found.splitlines(), "expected", "found", lineterm=""))
    if difference:
        print("\n".join(difference))
    check(str(path.relative_to(SCENARIOS)), not difference)


if __name__ == "__main__":
    sys.exit(main())
