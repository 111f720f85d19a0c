"""An upstream that misbehaves on demand: `/dies`, `/huge?bytes=N`, `/customer`. Runs until it is killed."""

import socketserver
import sys
from urllib.parse import parse_qs, urlsplit

TEXT = ("<p>セミナーのご案内 USD/JPY 150.123 / 150.126</p>\n" * 1024).encode()
CUSTOMER = "<p>高橋 花子様 hanako@example.jp HK-100001</p>".encode()


class Handler(socketserver.StreamRequestHandler):
    def handle(self):
        while line := self.rfile.readline():
            while self.rfile.readline().strip():
                pass
            target = urlsplit(line.split()[1].decode())
            if target.path == "/dies":
                self.head("Content-Length: 1000000")
                self.wfile.write(CUSTOMER + TEXT[:4096])
                return
            if target.path == "/huge":
                self.huge(int(parse_qs(target.query)["bytes"][0]))
            else:
                self.head(f"Content-Length: {len(CUSTOMER)}")
                self.wfile.write(CUSTOMER)

    def huge(self, count: int) -> None:
        """Text, then a customer at the very end."""
        self.head(f"Content-Length: {count + len(CUSTOMER)}")
        for at in range(0, count, len(TEXT)):
            self.wfile.write(TEXT[: count - at])
        self.wfile.write(CUSTOMER)

    def head(self, length: str) -> None:
        self.wfile.write(f"HTTP/1.1 200 OK\r\nContent-Type: text/html; charset=utf-8\r\n{length}\r\n\r\n".encode())


class Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = daemon_threads = True


Server(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
