"""What became of notices, replayed on a local site with a clock of its own: each verdict must be the right one.

Reads the archive with warcio, an implementation that shares no code with ours.
"""

import datetime
import json
import os
import pathlib
import shutil
import socket
import ssl
import subprocess
import sys
import tempfile
import threading
import xml.dom.minidom

sys.path.insert(0, str(pathlib.Path(__file__).parent))

from site_replay import ADS, Site, notice  # noqa: E402
from warcio.archiveiterator import ArchiveIterator  # noqa: E402

SEKISHO = os.environ["SEKISHO"]
ROOT = pathlib.Path(__file__).parents[2]
SITE = pathlib.Path(os.environ["SEKISHO_CACHE"]) / "register-site"
ROUNDS = 30

CARD = notice(
    "不正アクセスによるクレジットカード情報流出に関するお詫びとお知らせ",
    [
        "2017年6月5日",
        "株式会社箱根FX",
        "このたび、当社のウェブサイトが第三者による不正アクセスを受け、お客様のクレジットカード情報が流出した可能性があることが判明いたしました。",
        "対象となるお客様は9,822名で、流出した可能性のある情報はカード番号、有効期限およびセキュリティコードです。",
        "お客様には多大なるご迷惑とご心配をおかけいたしますことを、深くお詫び申し上げます。",
        "お問い合わせ窓口 0120-000-000（平日9時から17時まで）",
    ],
)
MAINTENANCE = notice(
    "カード決済メンテナンスのお知らせ",
    [
        "2017年6月5日",
        "株式会社箱根FX",
        "平素は格別のお引き立てを賜り、厚く御礼申し上げます。",
        "ただいまシステムメンテナンスのため、カード決済のご利用を一時停止しております。",
        "お問い合わせ窓口 0120-000-000（平日9時から17時まで）",
    ],
)
NOT_FOUND = notice("ページが見つかりません", ["お探しのページは移動または削除された可能性があります。", "トップページへお戻りください。"])
TOP = notice("FX取引なら箱根FX", ["業界最狭水準のスプレッドでお取引いただけます。", "口座開設は最短5分で完了します。"])

JST = datetime.timezone(datetime.timedelta(hours=9))
BEGIN = datetime.datetime(2017, 6, 5, 13, 0, tzinfo=JST)


class Watch:
    """One state directory and its site."""

    def __init__(self, root, seed):
        self.root = pathlib.Path(root)
        self.site = Site(seed)
        self.site.start()
        self.now = BEGIN
        self.failures = []

    def run(self, command, *arguments, at=True):
        place = ["--dir", str(self.root / "watch"), "--keys", str(self.root / "keys")]
        if at:
            place += ["--at", self.now.isoformat()]
        ended = subprocess.run([SEKISHO, "watch", command, *arguments, *place], capture_output=True, text=True, timeout=60)
        if ended.returncode > 1:
            raise SystemExit(f"`watch {command}` failed: {ended.stderr}")
        return ended

    def check(self, *arguments):
        self.site.today = f"{self.now.year}年{self.now.month}月{self.now.day}日"
        return self.run("check", "--now", "--allow-private", "--host-gap", "1ms", "--timeout", "2s", *arguments)

    def report(self):
        return json.loads(self.run("report", "--format", "json", at=False).stdout)

    def page(self, url):
        return next(page for page in self.report()["pages"] if page["url"] == url)

    def expect(self, name, url, kind, **fields):
        """The last thing that happened to the page."""
        last = self.page(url)["history"][-1]
        wrong = [f"{field} is {last.get(field)!r}" for field, value in fields.items() if last.get(field) != value]
        if last["kind"] != kind or wrong or last["at"] != self.now.astimezone(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ"):
            self.failures.append(f"{name}: expected {kind} {fields}, got {last}")
            print(f"  FAILED {self.failures[-1]}")
        else:
            print(f"  ok     {name}: {kind} {fields or ''}")


def fx_on(watch):
    """Notice, replaced the same day by a maintenance page, back 53 days later."""
    url = watch.site.url("/fx-on.html")
    watch.site.pages["/fx-on.html"] = CARD
    watch.run("add", url, "--firm", "箱根FX", "--case", "fx-on")
    watch.check()
    watch.expect("fx-on, first look", url, "published")
    watch.site.pages["/fx-on.html"] = MAINTENANCE
    watch.now += datetime.timedelta(hours=5)
    told = watch.check()
    watch.expect("fx-on, same day", url, "replaced", title="カード決済メンテナンスのお知らせ|箱根FX")
    if told.returncode != 1:
        watch.failures.append("a check that finds a replaced notice must end with 1")
    replaced = watch.now
    for days in (1, 20, 52):
        watch.now = replaced + datetime.timedelta(days=days)
        watch.check()
    if watch.page(url)["standing"] != "replaced" or len(watch.page(url)["history"]) != 2:
        watch.failures.append(f"fx-on must stay replaced without further events: {watch.page(url)}")
    watch.site.pages["/fx-on.html"] = CARD
    watch.now = replaced + datetime.timedelta(days=53)
    watch.check()
    watch.expect("fx-on, 53 days later", url, "back", after="replaced", away_s=53 * 86400)


def lively(watch):
    """Navigation, advertising, dates, clocks, rates, counters and tokens change; the notice does not."""
    for template in ("main", "div", "table"):
        path = f"/lively-{template}.html"
        watch.site.pages = {path: CARD}
        watch.site.lively, watch.site.template = True, template
        url = watch.site.url(path)
        watch.run("add", url)
        for _ in range(ROUNDS + 1):
            watch.check()
            watch.now += datetime.timedelta(days=1, hours=1)
        history = watch.page(url)["history"]
        good = [event["kind"] for event in history] == ["published"]
        print(f"  {'ok    ' if good else 'FAILED'} {ROUNDS} rounds of a lively page ({template}): {len(history) - 1} false verdicts")
        if not good:
            lines = [line for event in history[1:] for line in event.get("diff", {}).get("lines", [])]
            told = [line for line in lines if line["op"] in ("added", "removed")]
            watch.failures.append(f"lively, {template}: {told or history}")
        watch.run("remove", url)
    watch.site.lively, watch.site.template = False, "main"


def small_ones(watch):
    """A correction, the ways of removal, and redirects."""
    corrected = {**CARD, "main": CARD["main"].replace("9,822名", "9,828名")}
    cases = {
        "correction": (corrected, "changed", {}),
        "404": ((404, NOT_FOUND), "removed", {"status": 404, "is_soft": False}),
        "410": ((410, NOT_FOUND), "removed", {"status": 410, "is_soft": False}),
        "soft-404": (NOT_FOUND, "removed", {"status": 200, "is_soft": True}),
        "redirect": ((302, "/"), "redirected", {"to": watch.site.url("/"), "has_notice": False}),
        "moved": ((301, "/archive.html"), "redirected", {"to": watch.site.url("/archive.html"), "has_notice": True}),
        "timeout": ("hang", "unreachable", {"reason": "no whole answer within 2 s"}),
        "status-503": ((503, NOT_FOUND), "unreachable", {"reason": "the server answers with status 503"}),
    }
    paths = {name: f"/{name}.html" for name in cases}
    watch.site.pages = {"/": TOP, "/archive.html": CARD, **{path: CARD for path in paths.values()}}
    addresses = watch.root / "urls.txt"
    addresses.write_text("# notices\n" + "\n".join(watch.site.url(path) for path in paths.values()), encoding="utf-8")
    watch.run("add", "--list", str(addresses))
    watch.check()
    watch.now += datetime.timedelta(hours=1)
    watch.site.pages.update({paths[name]: page for name, (page, _, _) in cases.items()})
    watch.check()
    for name, (_, kind, fields) in cases.items():
        watch.expect(name, watch.site.url(paths[name]), kind, **fields)
    diff = watch.run("diff", watch.site.url(paths["correction"]), at=False).stdout
    wanted = ["- 対象となるお客様は9,822名で、", "+ 対象となるお客様は9,828名で、"]
    if not all(line in diff for line in wanted):
        watch.failures.append(f"the correction's difference is not readable:\n{diff}")
    print("".join(f"           {line}\n" for line in diff.splitlines()), end="")


def outage(watch):
    """The server goes down, stays down for three looks, and comes back."""
    url = watch.site.url("/outage.html")
    watch.site.pages["/outage.html"] = CARD
    for page in (page for page in watch.report()["pages"] if page["is_watched"]):
        watch.run("remove", page["url"])
    watch.run("add", url)
    watch.check()
    watch.site.stop()
    watch.now += datetime.timedelta(hours=1)
    down = watch.now
    for _ in range(3):
        watch.check()
        watch.now += datetime.timedelta(hours=1)
    page = watch.page(url)
    if [event["kind"] for event in page["history"]] != ["published", "unreachable"] or page["reached"] != 1:
        watch.failures.append(f"an outage is told once: {page}")
    watch.site.start()
    watch.check()
    watch.expect("server down, then up", url, "back", after="unreachable", away_s=3 * 3600)
    page = watch.page(url)
    if page["reached_percent"] != 40.0 or page["outages"][0]["from"] != down.astimezone(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ"):
        watch.failures.append(f"reachability: {page['reached_percent']} {page['outages']}")


def tls_error(watch):
    """A certificate that nobody vouches for."""
    listener = socket.create_server(("127.0.0.1", 0))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    certificate, key = watch.root / "cert.pem", watch.root / "key.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
         "-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", key, "-out", certificate],
        check=True, capture_output=True,
    )
    context.load_cert_chain(certificate, key)

    def serve():
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            try:
                context.wrap_socket(connection, server_side=True).close()
            except OSError:
                connection.close()

    threading.Thread(target=serve, daemon=True).start()
    url = f"https://127.0.0.1:{listener.getsockname()[1]}/notice.html"
    watch.run("add", url)
    watch.check()
    last = watch.page(url)["history"][-1]
    good = last["kind"] == "unreachable" and last["reason"].startswith("TLS: invalid peer certificate")
    print(f"  {'ok    ' if good else 'FAILED'} TLS error: {last['kind']} ({last['reason']})")
    if not good:
        watch.failures.append(f"TLS error: {last}")
    listener.close()
    watch.run("remove", url)


def manners(watch):
    """robots.txt is kept to, pages are asked for when due, and private addresses only when told."""
    url = watch.site.url("/private/notice.html")
    watch.site.pages["/private/notice.html"] = CARD
    watch.site.robots = (200, "User-agent: *\nDisallow: /private/\n")
    watch.site.requests.clear()
    watch.run("add", url)
    watch.check()
    watch.expect("robots.txt forbids", url, "not_allowed")
    asked = [path for path, _ in watch.site.requests]
    if "/private/notice.html" in asked or not watch.site.requests[0][1]["user-agent"].startswith("sekisho-watch/"):
        watch.failures.append(f"asked in spite of robots.txt: {watch.site.requests}")
    watch.site.robots = (404, "")
    due = watch.run("check", "--allow-private", "--host-gap", "1ms").stdout
    watch.now += datetime.timedelta(minutes=67)
    due_later = watch.run("check", "--allow-private", "--host-gap", "1ms").stdout
    if "nothing is due" not in due or "published" not in due_later:
        watch.failures.append(f"a page is due after an hour: {due!r}, then {due_later!r}")
    watch.now += datetime.timedelta(hours=1)
    refused = watch.run("check", "--now", "--host-gap", "1ms").stdout
    if "is a private address; --allow-private asks it" not in refused:
        watch.failures.append(f"a private address was asked: {refused}")


def conditional(watch):
    """A tag is sent back within a day, and the page is fetched whole after it."""
    url = watch.site.url("/tagged.html")
    page = watch.site.frame(CARD).encode("shift_jis", "replace")

    class Tagged(dict):
        pass

    asked = []
    original = watch.site.answer

    def answer(handler):
        if handler.path != "/tagged.html":
            return original(handler)
        asked.append(handler.headers.get("If-None-Match"))
        if asked[-1] == '"v1"':
            handler.send_response(304)
            handler.send_header("ETag", '"v1"')
            return handler.end_headers()
        handler.send_response(200)
        handler.send_header("ETag", '"v1"')
        handler.send_header("Content-Type", "text/html; charset=Shift_JIS")
        handler.send_header("Content-Length", str(len(page)))
        handler.end_headers()
        handler.wfile.write(page)

    watch.site.answer = answer
    watch.run("add", url)
    for _ in range(3):
        watch.check()
        watch.now += datetime.timedelta(hours=13)
    happened = [event["kind"] for event in watch.page(url)["history"]]
    watch.site.answer = original
    good = asked == [None, '"v1"', None] and happened == ["published"]
    print(f"  {'ok    ' if good else 'FAILED'} conditional requests, whole once a day: {asked}")
    if not good:
        watch.failures.append(f"conditional: {asked} {happened}")


def daemon(watch):
    """`run` looks at what is due, and ends in order at SIGTERM."""
    site = Site("daemon")
    site.pages["/notice.html"] = CARD
    site.start()
    place = ["--dir", watch.root / "daemon", "--keys", watch.root / "daemon-keys"]
    subprocess.run([SEKISHO, "watch", "add", site.url("/notice.html"), *place], check=True, capture_output=True)
    command = [SEKISHO, "watch", "run", "--allow-private", "--host-gap", "1ms", *place]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as running:
        told = running.stdout.readline()
        running.terminate()
        code = running.wait(timeout=30)
    site.stop()
    good = told.startswith("published") and code == 0
    print(f"  {'ok    ' if good else 'FAILED'} daemon: {told.split()[0]}, then SIGTERM: exit code {code}")
    if not good:
        watch.failures.append(f"daemon: {told!r}, exit code {code}")


def evidence(watch):
    """The archive is whole by our own word and by warcio's; one changed byte is found."""
    whole = watch.run("verify", at=False)
    print("".join(f"  {line}\n" for line in whole.stdout.splitlines()), end="")
    if whole.returncode != 0:
        watch.failures.append(f"verify: {whole.stdout}{whole.stderr}")
    kinds, texts = {}, 0
    files = sorted((watch.root / "watch/archive").glob("*.warc.gz"))
    for path in files:
        with path.open("rb") as stream:
            for record in ArchiveIterator(stream, check_digests="raise"):
                kinds[record.rec_type] = kinds.get(record.rec_type, 0) + 1
                body = record.content_stream().read()
                if record.rec_type == "response" and "9,822名".encode("shift_jis") in body:
                    texts += 1
                if record.digest_checker.passed is not True:
                    watch.failures.append(f"{path.name}: digest of {record.rec_headers}")
    print(f"  warcio read {len(files)} files: {kinds}; the notice's text in {texts} responses")
    if kinds.get("response", 0) < 40 or texts < 30:
        watch.failures.append(f"the archive has too little in it: {kinds} {texts}")
    checkpoint = watch.root / "older-checkpoint"
    checkpoint.write_bytes((watch.root / "watch/log/checkpoint").read_bytes())
    watch.run("add", "https://example.com/later.html")
    if watch.run("verify", "--since", str(checkpoint), at=False).returncode != 0:
        watch.failures.append("the log grew out of its older checkpoint")
    middle = files[len(files) // 2]
    bytes_before = middle.read_bytes()
    edited = bytearray(bytes_before)
    edited[len(edited) // 2] ^= 1
    middle.write_bytes(bytes(edited))
    found = watch.run("verify", at=False)
    print(f"  one changed bit: {found.stdout.splitlines()[-1].strip()}")
    if found.returncode != 1 or middle.name not in found.stdout:
        watch.failures.append(f"a changed byte was not found: {found.stdout}")
    middle.write_bytes(bytes_before)


ENTRY = """
id = "hakone-fx-2017"
firm = {{ ja = "箱根FX", en = "Hakone FX" }}
title = {{ ja = "不正アクセスによるカード情報の流出", en = "Card data taken in an unauthorised access" }}
summary = {{ ja = "架空の事業者による例です。", en = "An example by an invented firm." }}
leak = "yes"
leak_source = "firm"

[[source]]
id = "firm"
text = {{ ja = "箱根FXのお知らせ", en = "Hakone FX's notice" }}
url = "{url}"

[detected]
at = "2017-06-02T10:00"
source = "firm"

[disclosed]
at = "2017-06-05T13:00"
source = "firm"

[[notice]]
title = {{ ja = "お詫びとお知らせ", en = "Apology and notice" }}
url = "{url}"
source = "firm"

[[promise]]
text = {{ ja = "調査の中間報告", en = "An interim report" }}
due = "2017-06-30"
came = "2017-07-25"
source = "firm"

[[promise]]
text = {{ ja = "コールセンターの開設", en = "A call centre" }}
due = "2017-06-09"
came = "2017-06-07"
source = "firm"
"""


def public_register(watch):
    """The register from the six historical entries and this watch; the same bytes each time."""
    url = watch.site.url("/fx-on.html")
    corrected = {**CARD, "main": CARD["main"].replace("9,822名", "9,828名")}
    watch.site.pages["/fx-on.html"] = corrected
    watch.run("add", url)
    watch.check()
    watch.expect("removed, and back with another figure", url, "back", after="removed")
    entries = watch.root / "entries"
    shutil.copytree(ROOT / "registry", entries)
    (entries / "hakone-fx-2017.toml").write_text(ENTRY.format(url=url), encoding="utf-8")
    sites = [SITE, watch.root / "again"]
    for out in sites:
        shutil.rmtree(out, ignore_errors=True)
        command = [SEKISHO, "register-site", "build", "--entries", entries, "--watch", watch.root / "watch"]
        command += ["--keys", watch.root / "keys", "--out", out, "--base-url", "https://register.example/"]
        print("  " + subprocess.run(command, check=True, capture_output=True, text=True).stdout.split(" in ")[0])
    files = [{path.relative_to(out): path.read_bytes() for path in out.rglob("*") if path.is_file()} for out in sites]
    if files[0] != files[1]:
        watch.failures.append("the register's site is not the same twice")
    data = json.loads((SITE / "data.json").read_text(encoding="utf-8"))
    figures = {entry["incident"]["id"]: entry["figures"] for entry in data["incidents"]}
    wanted = {
        "fx-on-2017": ({"days": [626, 626]}, {"minutes": 75 * 60}, {"exactly": 2}, "not_all"),
        "yjfx-2016": ({"days": [59, 88]}, {"days": [5, 5]}, {"at_least": 2}, "unknown"),
        "money-square-2017": ({"months": [8, 12]}, {"days": [4, 4]}, {"exactly": 10}, "unknown"),
        "fx-prime-2015": (None, {"days": [52, 53]}, "unknown", "unknown"),
        "seven-bank-2015": (None, {"days": [18, 18]}, "unknown", "unknown"),
        "kabu-com-2017": (None, {"days": [0, 0]}, {"exactly": 1}, "unknown"),
        "hakone-fx-2017": (None, {"minutes": 75 * 60}, {"at_least": 2}, "interrupted"),
    }
    found = {
        name: (one["to_detect"], one["to_disclose"], one["updates"], one["standing"]) for name, one in figures.items()
    }
    if found != wanted:
        watch.failures.append(f"the register's figures: {found}")
    if figures["hakone-fx-2017"]["promises"] != [{"late": 25}, "in_time"]:
        watch.failures.append(f"promises: {figures['hakone-fx-2017']['promises']}")
    for path in SITE.rglob("*.xml"):
        xml.dom.minidom.parse(str(path))


def main():
    seed = sys.argv[1] if len(sys.argv) > 1 else "1"
    with tempfile.TemporaryDirectory() as root:
        watch = Watch(root, seed)
        print(f"watch: a local site, seed {seed}, the clock begins at {BEGIN}")
        steps = [fx_on, lively, small_ones, outage, tls_error, manners, conditional, daemon, evidence, public_register]
        for step in steps:
            step(watch)
        watch.site.stop()
    for failure in watch.failures:
        print(f"FAILED: {failure}")
    print(f"watch: {len(watch.failures)} failures")
    sys.exit(1 if watch.failures else 0)


if __name__ == "__main__":
    main()
