"""The public record of an invented incident of 箱根FX, from the case to the site, and what others make of it."""

import argparse
import functools
import hashlib
import http.server
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

import feedparser

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from referee import product  # noqa: E402

HERE = Path(__file__).resolve().parent
RESULTS: list[bool] = []
SCOPE = {
    "registers": [{"name": "seminar", "age_s": 60, "persons": 2455, "persons_registered": 9000, "combinations": [{"fields": ["name", "email"], "persons": 2455}]}],
    "fields": [
        {"register": "seminar", "field": "name", "state": "exposed", "persons": 2455, "reason": None},
        {"register": "seminar", "field": "email", "state": "exposed", "persons": 2455, "reason": None},
        {"register": "holders", "field": "card", "state": "not_observed", "persons": 0, "reason": None},
        {"register": "holders", "field": "address", "state": "not_examined", "persons": 0, "reason": "no detector reads addresses"},
    ],
    "generic": {"emails": 0, "cards": 0, "my_number_findings": 0},
    "first": "2026-11-20T05:00:00Z",
    "last": "2026-11-20T06:10:00Z",
}
LABELS = """
[[field]]
name = "name"
ja = "お名前"
en = "name"
[[field]]
name = "email"
ja = "メールアドレス"
en = "mail address"
[[field]]
name = "card"
ja = "支払用カードの番号"
en = "card number"
[[field]]
name = "address"
ja = "ご住所"
en = "postal address"
"""


def check(what: str, ok: bool) -> None:
    print(f"{'ok    ' if ok else 'FAILED'}  {what}")
    RESULTS.append(ok)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--keep", type=Path, help="keep the folder there")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="sekisho-disclosure-") as name:
        folder = Path(name)
        record(folder)
        feeds(folder / "site")
        go(folder / "site", (folder / "keys" / "disclosure.vkey").read_text().strip())
        edited(folder)
        look(folder)
        if options.keep:
            shutil.copytree(folder, options.keep, dirs_exist_ok=True)
    print(f"{RESULTS.count(True)} passed, {RESULTS.count(False)} failed")
    return 0 if all(RESULTS) else 1


def run(folder: Path, *arguments, code: int = 0) -> str:
    done = subprocess.run([str(product.executable()), *map(str, arguments)], cwd=folder, capture_output=True, text=True, env={**os.environ, "USER": "suzuki"})
    if done.returncode != code:
        raise RuntimeError(f"{arguments}: {done.returncode}\n{done.stdout}{done.stderr}")
    return done.stdout + done.stderr


def record(folder: Path) -> None:
    (folder / "scope.json").write_text(json.dumps(SCOPE))
    (folder / "labels.toml").write_text(LABELS)
    run(folder, "case", "take", "hakone-2026-1", "scope.json", "--title", "お客様情報の漏えいについて", "--intrusion", "web", "--aware")
    run(folder, "disclose", "init")
    draft = subprocess.run(
        [str(product.executable()), "disclose", "draft", "hakone-2026-1", "--scope", "scope.json", "--labels", "labels.toml"],
        cwd=folder, capture_output=True, text=True, check=True,
    ).stdout
    check("the draft tells what left and what did not, computed", all(word in draft for word in ("お名前（2,455 名）", "支払用カードの番号", "ご住所（住所は照合の対象外のため）")))
    (folder / "notice.toml").write_text(draft)
    publish = ["disclose", "publish", "notice.toml", "--incident", "hakone-2026-1", "--scope", "scope.json", "--labels", "labels.toml"]
    check("where the lists come from must be said", "--stated" in run(folder, *publish[:5], code=2))
    refused = run(folder, *publish, code=1)
    check("a draft is refused, and all that is missing is told", refused.count("TODO") >= 5)
    (folder / "notice.toml").write_text(written(draft))
    (folder / "edited.toml").write_text(written(draft).replace("支払用カードの番号", "支払用カードの番号とご住所").replace("value = 2455", "value = 2400"))
    refused = run(folder, *["edited.toml" if one == "notice.toml" else one for one in publish], "--case", "hakone-2026-1", code=1)
    check("what was computed cannot be edited", "`not_left` has" in refused and "other persons than the case" in refused)
    (folder / "numbers.toml").write_text(written(draft).replace("監視を強化しました。", "監視を強化しました。番号 1234-5678-9018"))
    refused = run(folder, *["numbers.toml" if one == "notice.toml" else one for one in publish], code=1)
    check("an individual number is not published", "マイナンバー" in refused)
    told = run(folder, *publish, "--case", "hakone-2026-1", "--operator", "sato")
    check("the first version is leaf 1, behind who publishes", "leaf 1: published" in told)
    more = written(draft).replace("value = 2455", "value = 2460").replace("不正アクセスを確認し", "不正アクセスを再度調査し")
    (folder / "notice.toml").write_text(more)
    update = ["disclose", "update", "notice.toml", "--stated"]
    (folder / "without.toml").write_text(re.sub(r"\[\[counts\]\][^\[]*", "", more))
    refused = run(folder, "disclose", "update", "without.toml", "--stated", "--changed-ja", "削除", "--changed-en", "gone", code=1)
    check("a figure that was told does not go away", "leaves out" in refused)
    run(folder, *update, "--changed-ja", "人数を2,455名から2,460名に訂正しました。", "--changed-en", "The number was corrected from 2,455 to 2,460.")
    run(folder, "disclose", "status", "degraded", "--incident", "hakone-2026-1", "--service-ja", "取引サイト", "--service-en", "Trading site",
        "--text-ja", "つながりにくい状態です。調査しています。", "--text-en", "It answers slowly. We are looking into it.")
    run(folder, "disclose", "redact", "1", "happened", "--ground", "court-order", "--reference-ja", "令和8年（ヨ）第1号", "--reference-en", "order 1 of 2026")
    run(folder, "disclose", "withdraw", "--requester-ja", "当社取締役会", "--requester-en", "The board", "--reason-ja", "内容を改めて調査するため", "--reason-en", "To look into it again")
    built = run(folder, "disclose", "build", "--out", "site")
    if shutil.which("sekisho-pdf") is None and not (product.executable().parent / "sekisho-pdf").exists():
        check("without the typesetter it says so and builds the rest", "there is no `sekisho-pdf`" in built)
    page = (folder / "site" / "index.html").read_text(encoding="utf-8")
    check("the withdrawal stands above what it said", page.index("このお知らせは撤回されました") < page.index("不正アクセスを再度調査し"))
    first = (folder / "site" / "v" / "1" / "index.html").read_text(encoding="utf-8")
    check("the redacted part is gone, and its statement and hash are there", "不正アクセスを確認し" not in first and "令和8年（ヨ）第1号" in first)
    check("the case has it too", "public record of `hakone-2026-1`: leaf 1" in run(folder, "case", "show", "hakone-2026-1"))
    check("it verifies", "is whole" in run(folder, "disclose", "verify", "site", "--key", "keys/disclosure.vkey"))
    log = run(folder, "disclose", "log").splitlines()
    check("the firm sees who did what", len(log) == 6 and "published  by sato" in log[1] and "happened of leaf 1  by suzuki" in log[4])
    shown = b"".join(path.read_bytes() for path in (folder / "site").rglob("*") if path.is_file())
    check("and the public does not", b"sato" not in shown and b"suzuki" not in shown)
    check("hashes are what another program computes", all(document_hash(path) == path.stem for path in (folder / "site" / "documents").iterdir()))


def document_hash(path: Path) -> str:
    """As the page `verify` tells it."""
    document = json.loads(path.read_text(encoding="utf-8"))
    text = f"sekisho-document/1\n{document['kind']}\n"
    for part in document["parts"]:
        value = part.get("withheld")
        if value is None:
            canonical = json.dumps(part["value"], sort_keys=True, separators=(",", ":"), ensure_ascii=False)
            value = hashlib.sha256(f"sekisho-part/1\n{part['name']}\n{part['salt']}\n{canonical}".encode()).hexdigest()
        text += f"{part['name']} {value}\n"
    return hashlib.sha256(text.encode()).hexdigest()


def written(draft: str) -> str:
    """The draft with everything that a person must write."""
    draft = re.sub(r'\[happened\]\nja = "TODO"\nen = "TODO"', '[happened]\nja = """2026年11月20日、当社のセミナー申込サイトに対する不正アクセスを確認し、直ちに遮断しました。\n外部の専門機関とともに調査を続けています。"""\nen = """On 20 November 2026 we found an attack on our seminar site and stopped it at once.\nWe go on looking into it with outside experts."""', draft)
    draft = draft.replace('[[to_do]]\nja = "TODO"\nen = "TODO"', '[[to_do]]\nja = "当社を名乗る不審なメールや電話にご注意ください。"\nen = "Beware of mails and calls that claim to come from us."')
    draft = draft.replace('[[measures]]\nja = "TODO"\nen = "TODO"', '[[measures]]\nja = "該当するプログラムを修正し、監視を強化しました。"\nen = "We mended the program and watch it more closely."')
    draft = draft.replace('[next_note]\nja = "TODO"\nen = "TODO"', '[next_note]\nja = "調査の進み具合を、11月27日までにお知らせします。"\nen = "We will tell more by 27 November."')
    return draft.replace('en = "TODO"', 'en = "Customer data left our systems"')


def feeds(site: Path) -> None:
    for folder, words in (("", "撤回"), ("en/", "withdrawn")):
        feed = feedparser.parse(str(site / folder / "feed.xml"))
        check(f"{folder or 'ja/'} Atom: {len(feed.entries)} entries, well-formed", not feed.bozo and len(feed.entries) == 5 and words in feed.entries[0].title)
        check(f"{folder or 'ja/'} Atom ids are different", len({entry.id for entry in feed.entries}) == 5)
        told = json.loads((site / folder / "feed.json").read_text(encoding="utf-8"))
        check(f"{folder or 'ja/'} JSON Feed 1.1", told["version"].endswith("/1.1") and len(told["items"]) == 5)


def go(site: Path, key: str) -> None:
    """Go's own client of transparency logs, on the log and on every changed byte of it."""
    binaries = Path(sys.executable).parent
    environment = {**os.environ, "GO111MODULE": "off", "GOFLAGS": "", "GOTOOLCHAIN": "local", "PATH": f"{binaries}:{os.environ['PATH']}"}
    root = subprocess.run(["go", "env", "GOROOT"], env=environment, capture_output=True, text=True, check=True).stdout.strip()
    with tempfile.TemporaryDirectory(prefix="sekisho-go-") as folder:
        vendor = Path(folder) / "src" / "golang.org" / "x" / "mod" / "sumdb"
        vendor.parent.mkdir(parents=True)
        sumdb = Path(root) / "src" / "cmd" / "vendor" / "golang.org" / "x" / "mod" / "sumdb"
        for package in ("note", "tlog"):
            shutil.copytree(sumdb / package, vendor / package)
        environment["GOPATH"] = folder
        environment["GOCACHE"] = str(Path(os.environ["SEKISHO_CACHE"]) / "go-cache")
        program = Path(folder) / "verify"
        subprocess.run(["go", "build", "-o", program, HERE / "verify.go"], env=environment, check=True, cwd=folder)
        verify = functools.partial(subprocess.run, [str(program), str(site / "log"), key], capture_output=True, text=True)
        told = verify()
        check(f"Go's sumdb/tlog and note: {told.stdout.strip()}", told.returncode == 0)
        flipped = accepted = 0
        for path in sorted(path for path in (site / "log").rglob("*") if path.is_file()):
            whole = path.read_bytes()
            for at in range(len(whole)):
                path.write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])
                flipped += 1
                if verify().returncode == 0:
                    accepted += 1
                    print(f"        accepted: byte {at} of {path.relative_to(site)}: {whole[max(0, at - 20):at + 20]!r}")
            path.write_bytes(whole)
        check(f"every flipped byte is refused: {flipped} flipped, {accepted} accepted", flipped > 1000 and accepted == 0)
        check("and the whole one is accepted again", verify().returncode == 0)


def edited(folder: Path) -> None:
    site = folder / "site"
    page = site / "en" / "index.html"
    whole = page.read_bytes()
    page.write_bytes(whole.replace(b"2,460", b"2,450", 1))
    verify = functools.partial(run, folder, "disclose", "verify", "site", "--key", "keys/disclosure.vkey")
    check("an edited page is named", "`en/index.html` is not what its log says" in verify(code=1))
    manifest = site / "site.json"
    listed = manifest.read_bytes()
    forged = listed.replace(hashlib.sha256(whole).hexdigest().encode(), hashlib.sha256(page.read_bytes()).hexdigest().encode())
    check("the forger knows the list of files", forged != listed)
    manifest.write_bytes(forged)
    check("and is not believed", "`en/index.html` is not what its log says" in verify(code=1))
    told = run(folder, "disclose", "build", "--out", "site")
    check("what is as its list says may be built over", "files" in told and page.read_bytes() == whole)
    page.write_bytes(whole.replace(b"2,460", b"2,450", 1))
    told = run(folder, "disclose", "build", "--out", "site", code=1)
    check("another hand's work is not lost", "changed by another hand" in told)
    run(folder, "disclose", "build", "--out", "site", "--replace")
    shutil.rmtree(site / "v" / "1")
    listed = json.loads(manifest.read_bytes())
    listed["files"] = [file for file in listed["files"] if not file["path"].startswith("v/1/")]
    manifest.write_text(json.dumps(listed))
    check("a version that was taken away is missed", "`v/1/index.html` is missing" in verify(code=1))
    document = next(path for path in (folder / "disclosure" / "documents").iterdir() if b"2460" in path.read_bytes())
    kept = document.read_bytes()
    document.write_bytes(kept.replace(b"2460", b"2450"))
    told = run(folder, "disclose", "build", "--out", "site", code=1)
    check("an edited document of the record is refused", "was changed after it was published" in told)
    document.write_bytes(kept)
    run(folder, "disclose", "build", "--out", "site")
    check("and nothing was lost", "is whole" in verify())


def watched(folder: Path, base: str) -> None:
    """The watcher, which knows the firm's key, on the site as it is and with a document changed."""
    key = (folder / "keys" / "disclosure.vkey").read_text().strip()
    run(folder, "watch", "add", base, "--log-key", key)
    told = subprocess.run([str(product.executable()), "watch", "check", "--now", "--allow-private"], cwd=folder, capture_output=True, text=True)
    check("the watcher finds the site as its log says", "the firm's log: matches (6 entries; 6 documents match)" in told.stdout)
    document = next(path for path in (folder / "site" / "documents").iterdir() if b"2460" in path.read_bytes())
    whole = document.read_bytes()
    document.write_bytes(whole.replace(b"2460", b"2450"))
    told = subprocess.run([str(product.executable()), "watch", "check", "--now", "--allow-private"], cwd=folder, capture_output=True, text=True)
    document.write_bytes(whole)
    check("and sees a document that was altered", "ALTERED" in told.stdout and told.returncode == 1)


def look(folder: Path) -> None:

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def __init__(self, *arguments):
            super().__init__(*arguments, directory=str(folder / "site"))

        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Quiet)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    pages = ["", "v/1/", "v/2/", "trail/", "status/", "genuine/", "verify/"]
    paths = [folder_ + page for folder_ in ("", "en/") for page in pages]
    base = f"http://127.0.0.1:{server.server_port}/"
    watched(folder, base)
    done = subprocess.run(["node", str(HERE / "look.mjs"), base, str(folder / "pictures"), *paths], capture_output=True, text=True)
    print(done.stdout + done.stderr, end="")
    check("Chromium at 1280 and 360 px, in dark, at 320 px, by keyboard, without script", done.returncode == 0)
    server.shutdown()


if __name__ == "__main__":
    sys.exit(main())
