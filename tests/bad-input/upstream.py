"""An upstream that misbehaves on demand: `/dies`, `/huge?bytes=N`, `/customer`. Runs until it is killed."""

import socketserver
import sys
import time
from urllib.parse import parse_qs, urlsplit

TEXT = ("<p>セミナーのご案内 USD/JPY 150.123 / 150.126</p>\n" * 1024).encode()
# A dying upstream has been alive for this long: what it sent first has been released by then.
DEATH_SECONDS = 0.5
CUSTOMER = "<p>高橋 花子様 hanako@example.jp HK-100001</p>".encode()


class Handler(socketserver.StreamRequestHandler):
    def handle(self):
        while line := self.rfile.readline():
            while self.rfile.readline().strip():
                pass
            target = urlsplit(line.split()[1].decode())
            print(target.path, flush=True)
            if target.path == "/dies":
                self.head("Content-Length: 1000000", CUSTOMER + TEXT[:4096])
                time.sleep(DEATH_SECONDS)
                return
            if target.path == "/huge":
                self.huge(int(parse_qs(target.query)["bytes"][0]))
            else:
                self.head(f"Content-Length: {len(CUSTOMER)}", CUSTOMER)

    def huge(self, count: int) -> None:
        """Text, then a customer at the very end."""
        self.head(f"Content-Length: {count + len(CUSTOMER)}")
        for at in range(0, count, len(TEXT)):
            self.wfile.write(TEXT[: count - at])
        self.wfile.write(CUSTOMER)

    def head(self, length: str, body: bytes = b"") -> None:
        head = f"HTTP/1.1 200 OK\r\nContent-Type: text/html; charset=utf-8\r\n{length}\r\n\r\n"
        self.wfile.write(head.encode() + body)


class Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = daemon_threads = True


Server(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
