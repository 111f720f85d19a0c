"""From the end of an attack to everything that must be told: report, notice in Japanese and English with its site, and a mail to
each person rendered, signed and scanned. No hand but the two approvals' would be needed; the texts a firm has prepared beforehand
stand in this file. PERSONS says how many persons the export holds."""

import argparse
import csv
import json
import os
import random
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from enforce.run import STAFF  # noqa: E402
from enforce.stage import PLANTED, Stage  # noqa: E402
from referee import product  # noqa: E402

CASE = "hakone-2026-1"
RESULTS: list[bool] = []
FACTS = {
    "summary": "2026年11月、当社サイトへの不正アクセスを確認し、直ちに遮断しました。",
    "cause": "出力機能の権限の確認に不備がありました。",
    "secondary_damage": "現時点で、情報の不正利用は確認されていません。",
    "person_response": "対象のお客様へ個別にお知らせします。",
    "publication": "当社の公開記録で公表します。",
    "prevention": "権限の確認を見直し、監視を強化しました。",
    "other": "特になし。",
    "jp_finance_business": "yes",
    "wrongful_purpose": "yes",
}
NOTIFY = """
[mail]
from = "箱根FX <notice@hakonefx.example>"
reply_to = "desk@hakonefx.example"
language = "ja"
[relay]
host = "127.0.0.1"
port = 9
tls = "none"
timeout = "10s"
[dkim]
domain = "hakonefx.example"
selector = "s1"
key_file = "dkim.pem"
[throttle]
connections = 64
per_minute = 1000000
per_day = 1000000
[letter]
sender = ["箱根FX株式会社", "〒250-0000 神奈川県箱根町0-0"]
[text.ja]
firm = "箱根FX株式会社"
summary = "2026年11月、当社のウェブサイトが不正に操作されました。"
cause = "出力機能の不備によるものです。"
damage = "現時点で、情報の不正利用は確認されておりません。"
measures = "不備を修正し、関係当局に報告いたしました。"
contact = "お客さま相談窓口 0120-000-000"
[text.en]
firm = "Hakone FX Co., Ltd."
summary = "In November 2026 our web site was abused."
cause = "A fault in its export."
damage = "We know of no misuse so far."
measures = "We corrected the fault and reported it."
contact = "Customer desk 0120-000-000"
[[register]]
name = "account_holders"
file = "register/account_holders.csv"
row_key = "account_id"
mail = "email"
person = "name"
[register.columns]
account_id = {{ kind = "account_id", pattern = "{pattern}" }}
name = "name"
kana = "kana"
email = "email"
phone = "phone"
"""


def check(what: str, ok: bool) -> None:
    print(f"{'ok    ' if ok else 'FAILED'}  {what}", flush=True)
    RESULTS.append(ok)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--persons", type=int, default=int(os.environ.get("PERSONS", "3000")))
    parser.add_argument("--key", choices=["rsa", "ed25519"], default="rsa")
    parser.add_argument("--seed", type=int, default=None, help="random when not given")
    options = parser.parse_args()
    seed = options.seed if options.seed is not None else random.SystemRandom().randrange(1 << 32)
    with tempfile.TemporaryDirectory(prefix="sekisho-tell-") as folder:
        stage = Stage(Path(folder), seed, options.persons + PLANTED, "record")
        prepare(stage.folder, options.key)
        with stage.running():
            attack(stage)
            took = tell(stage, options.persons)
    print(f"seed {seed}, {options.persons} persons, DKIM {options.key}: {took:.1f} s from the end of the attack to the last draft")
    if options.persons >= 100_000:
        check("under 60 s", took < 60)
    print(f"{RESULTS.count(True)} passed, {RESULTS.count(False)} failed")
    return 0 if all(RESULTS) else 1


def prepare(folder: Path, key: str) -> None:
    algorithm = ["-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048"] if key == "rsa" else ["-algorithm", "ED25519"]
    subprocess.run(["openssl", "genpkey", *algorithm, "-out", folder / "dkim.pem"], check=True, capture_output=True)
    (folder / "dkim.pem").chmod(0o600)


def attack(stage: Stage) -> None:
    session = stage.log_in(rows(stage)[0]["account_id"], "127.5.0.1")
    _, response = stage.get("/staff/export.csv?encoding=utf-8", session, "127.5.0.1", more=STAFF)
    check(f"the thief received {len(response):,} bytes", response.startswith(b"HTTP/1.1 200"))


def rows(stage: Stage) -> list[dict[str, str]]:
    with stage.register_csv.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def tell(stage: Stage, persons: int) -> float:
    folder, begin = stage.folder, time.perf_counter()

    def step(what: str, *arguments: object, codes: tuple[int, ...] = (0,)) -> str:
        started = time.perf_counter()
        done = subprocess.run([str(product.executable()), *map(str, arguments)], cwd=folder, capture_output=True, text=True)
        if done.returncode not in codes:
            raise SystemExit(f"{arguments}: {done.returncode}\n{done.stdout}{done.stderr}")
        print(f"        {time.perf_counter() - started:6.2f} s  {what}", flush=True)
        if done.returncode != 0:
            print(done.stderr, flush=True)
        return done.stdout

    answer = step("scope, as JSON", "scope", "-c", stage.config, "--client", "127.5.0.1", "--format", "json", "--operator", "sato")
    (folder / "scope.json").write_text(answer)
    register = stage.register_csv
    text = step("scope, by row key", "scope", "-c", stage.config, "--client", "127.5.0.1", "--format", "csv", "--register", register, "--operator", "sato")
    (folder / "exposed.csv").write_text(text)
    told = {register["name"]: register["persons"] for register in json.loads(answer)["registers"]}
    check(f"the scope has every person: {told}", told.get("account_holders") == persons and text.count("\n") == persons + 1)
    step("the case, with its counts", "case", "take", CASE, "scope.json", "--title", "お客様情報の漏えいについて", "--intrusion", "web", "--aware")
    for key, value in FACTS.items():
        step(f"fact {key}", "case", "fact", CASE, key, value, "--state", "confirmed")
    deadlines = step("deadlines", "case", "deadlines", CASE, "--lang", "ja")
    check("the deadlines name the preliminary and the final report", "jp.appi.prelim" in deadlines and "jp.appi.final" in deadlines)
    report = step("report to the authority", "case", "report", CASE, "jp.appi.prelim", "--lang", "ja")
    check("the report has its figure and lacks nothing", f"{persons}" in report and "今後確認する事項" not in report)
    step("report in English", "case", "report", CASE, "jp.appi.prelim", "--lang", "en")
    notice(folder, step)
    pattern = rows(stage)[0]["account_id"][:2] + "[0-9]{{8}}"
    (folder / "notify.toml").write_text(NOTIFY.format(pattern=pattern.replace("{{", "{").replace("}}", "}")), encoding="utf-8")
    step("plan of notices", "notify", "plan", CASE, "--scope", "exposed.csv", "-c", "notify.toml", "--operator", "sato")
    rendered = step("every mail rendered, signed and scanned", "notify", "dry-run", CASE, "-c", "notify.toml", "--all", codes=(0, 1))
    took = time.perf_counter() - begin
    line = next(line for line in rendered.splitlines() if "signed and scanned" in line)
    held = int(found[1]) if (found := re.search(r"; (\d+) would not go", line)) else 0
    # Persons who share an address may be told apart by hand: the scan stops a mail rather than tell one of another.
    check(f"{line}: at most one in ten thousand is stopped for a person to look at", line.startswith(f"{persons} ") and held * 10_000 <= persons)
    return took


def notice(folder: Path, step) -> None:
    step("who publishes", "disclose", "init")
    draft = step("draft of the notice", "disclose", "draft", CASE, "--scope", "scope.json")
    prepared = {
        'title': "Customer data left our systems", 'happened': "In November 2026 we found an attack on our site and stopped it at once.",
    }
    draft = draft.replace('[[to_do]]\nja = "TODO"\nen = "TODO"', '[[to_do]]\nja = "当社を名乗る不審なメールにご注意ください。"\nen = "Beware of mails that claim to come from us."')
    draft = draft.replace('[next_note]\nja = "TODO"\nen = "TODO"', '[next_note]\nja = "7日以内に続報をお知らせします。"\nen = "We will tell more within seven days."')
    for part, english in prepared.items():
        head, rest = draft.split(f"[{part}]", 1)
        draft = f"{head}[{part}]" + rest.replace('en = "TODO"', f'en = "{english}"', 1)
    draft = draft.replace('en = "TODO"', 'en = "We review every permission and watch the site more closely."')
    (folder / "notice.toml").write_text(draft, encoding="utf-8")
    step("its first version", "disclose", "publish", "notice.toml", "--incident", CASE, "--case", CASE, "--scope", "scope.json", "--operator", "sato")
    step("the site", "disclose", "build", "--out", "site")
    found = step("the site, verified", "disclose", "verify", "site", "--key", "keys/disclosure.vkey")
    check("the site is whole", "is whole" in found)
    papers = sorted(path.name for path in (folder / "site" / "pdf").glob("*.pdf")) if (folder / "site" / "pdf").exists() else []
    print(f"        PDF: {', '.join(papers) or 'none, `sekisho-pdf` is not installed'}")


if __name__ == "__main__":
    sys.exit(main())
