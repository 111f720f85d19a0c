"""A broker's site under the test's hand: each path is what the test says, in a frame that is different every time."""

import http.server
import random
import threading

ADS = ["口座開設で最大5万円", "新規デモ口座", "スプレッド0.2銭", "セミナー受付中", "レバレッジ25倍"]


def notice(title, body, site="箱根FX"):
    """A page of the firm's: the title, and paragraphs."""
    paragraphs = "".join(f"<p>{line}</p>" for line in body)
    return {"title": f"{title}｜{site}", "main": f"<h1>{title}</h1>{paragraphs}"}


class Site:
    """`pages[path]` is a page, (status, page), (status, location) or "hang"; `frame(n)` surrounds it."""

    def __init__(self, seed):
        self.pages = {}
        self.seed = seed
        self.robots = (404, "")
        self.lively = False
        self.template = "main"
        self.today = ""
        self.requests = []
        self.count = 0
        self.server = None
        self.port = 0

    def start(self):
        site = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                site.answer(self)

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", self.port), Handler)
        self.server.daemon_threads = True
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def stop(self):
        self.server.shutdown()
        self.server.server_close()

    def url(self, path):
        return f"http://127.0.0.1:{self.port}{path}"

    def answer(self, handler):
        self.requests.append((handler.path, dict(handler.headers)))
        if handler.path == "/robots.txt":
            return self.send(handler, self.robots[0], self.robots[1].encode(), "text/plain")
        page = self.pages.get(handler.path, (404, notice("Not Found", ["見つかりません"])))
        if page == "hang":
            # The client gives up first; a closed socket ends this.
            handler.rfile.read(1)
            return None
        status = 200
        if isinstance(page, tuple):
            status, page = page
        if isinstance(page, str):
            handler.send_response(status)
            handler.send_header("Location", page)
            handler.send_header("Content-Length", "0")
            return handler.end_headers()
        return self.send(handler, status, self.frame(page).encode("shift_jis", "replace"), "text/html; charset=Shift_JIS")

    def send(self, handler, status, body, kind):
        handler.send_response(status)
        handler.send_header("Content-Type", kind)
        if self.count % 2:
            handler.send_header("Content-Length", str(len(body)))
        handler.send_header("Connection", "close")
        handler.end_headers()
        handler.wfile.write(body)

    def frame(self, page):
        """The page with navigation, advertising, clocks and tokens of this moment."""
        self.count += 1
        dice = random.Random(f"{self.seed} {self.count}")
        ads = dice.sample(ADS, dice.randint(1, 4)) if self.lively else ADS[:1]
        token = "".join(dice.choice("0123456789abcdef") for _ in range(32))
        clock = f"{dice.randint(0, 23)}:{dice.randint(0, 59):02}:{dice.randint(0, 59):02}"
        links = "".join(f'<li><a href="/n/{n}">お知らせ その{n}</a></li>' for n in range(3, 3 + dice.randint(0, 5)))
        rate = f"USD/JPY {dice.uniform(100, 160):.3f} {dice.uniform(-1, 1):+.3f}"
        lively = (
            f"<p>現在時刻：{clock}</p><p>{self.today} {clock} 現在</p><p>本日は{self.today}です。</p><p>{rate}</p>"
            f"<p>あなたは{dice.randint(1, 10**6):,}人目の訪問者です</p><p>東京 {self.today} {clock[:-3]}</p><p>受付 {token}</p>"
            f'<div class="ad-slot">{dice.choice(ADS)}</div><ul>{links}</ul>'
            if self.lively
            else ""
        )
        year = dice.randint(2016, 2026) if self.lively else 2017
        if self.template == "table":
            # A page of the nineties: tables, no landmarks, one form around everything.
            return f"""<html><head><title>{page["title"]}</title></head><body bgcolor="#ffffff"><form name="f">
<input type="hidden" name="t" value="{token}"><table width="800"><tr><td colspan="2"><a href="/"><img src="l.gif" alt="{ads[0]}"></a>
<span id="clock">{clock}</span></td></tr><tr><td width="160"><ul>{links}</ul><a href="/a">{ads[0]}</a><br><a href="/b">会社案内</a><br>
<a href="/c">口座開設</a><br><a href="/d">{dice.choice(ADS)}</a></td><td>{page["main"]}{lively}</td></tr>
<tr><td colspan="2">{clock}<br>Copyright (C) {year} Hakone FX</td></tr></table></form></body></html>"""
        if self.template == "div":
            return f"""<!DOCTYPE html><html><head><title>{page["title"]}</title></head><body><div id="wrapper" class="t{token[:4]}">
<div id="globalNav"><a href="/">トップ</a>{links}</div><div id="contents"><div class="breadcrumb"><a href="/">トップ</a> &gt; お知らせ</div>
{page["main"]}{lively}<div class="relatedNews"><h2>関連ニュース</h2><p>{dice.choice(ADS)}</p></div></div>
<div id="sideBar"><p>{" ".join(ads)}</p></div><div id="footer"><p>{clock}</p><p>© {year} Hakone FX</p></div></div></body></html>"""
        return f"""<!DOCTYPE html><html lang="ja"><head><meta charset="Shift_JIS"><title>{page["title"]}</title>
<meta name="csrf-token" content="{token}"><script>var t="{token}";</script></head><body class="page-{token[:6]} nav-open">
<header><div id="clock">{clock}</div><a href="/">箱根FX</a></header><nav><ul>{links}</ul></nav>
<div class="banner">{ads[0]}</div>
<form id="aspnetForm"><input type="hidden" name="__VIEWSTATE" value="{token}">
<main id="contents">{page["main"]}{lively}</main></form>
<aside>{"".join(ads)}</aside><footer><p>© {year} Hakone FX</p><p>{clock}</p></footer></body></html>"""
