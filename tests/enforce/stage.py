"""The sample broker with Sekisho in front of it, on routes that show a session its own person only."""

import re
import socket
import subprocess
import sys
import urllib.request
from contextlib import contextmanager
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from referee import product  # noqa: E402
from referee.wire import Connection, split_response  # noqa: E402

PLANTED = 3
COLUMNS = {
    "account_id": "account_id", "name": "name", "kana": "kana", "romaji": "romaji", "email": "email", "phone": "phone",
    "card": "pan", "password_hash": "secret",
}
CONFIG = """
[[listener]]
address = "127.0.0.1:{port}"

[[upstream]]
name = "site"
url = "http://127.0.0.1:{site}"

[[route]]
path = "/"
upstream = "site"
class = "own"
foreign = "{action}"

[[route]]
path = "/staff"
upstream = "site"
class = "public"
foreign = "{action}"

[[login]]
path = "/login"
field = "account_id"
kind = "account_id"
success_location = "/mypage"

[session]
logout = ["/logout"]

[admin]
address = "127.0.0.1:{admin}"
"""


class Stage:
    """The site and Sekisho in front of it, in a folder of their own."""

    def __init__(self, folder: Path, seed: int, customers: int, action: str, more: str = ""):
        self.folder, self.seed, self.customers, self.action, self.more = folder, seed, customers, action, more
        self.site_port, self.port, self.admin = (product.free_port() for _ in range(3))
        self.register_csv = folder / "register" / "account_holders.csv"
        self.config = folder / "sekisho.toml"

    @contextmanager
    def running(self):
        site = product.executable().parent / "examples" / "site"
        command = [
            site, "--listen", f"127.0.0.1:{self.site_port}", "--seed", self.seed, "--customers", self.customers,
            "--write-register", self.folder / "register",
        ]
        with product.running(command, self.site_port, self.folder / "site.log", stdin=subprocess.PIPE):
            self.configure()
            serve = [product.executable(), "serve", "-c", self.config]
            with product.running(serve, self.port, self.folder / "sekisho.log"):
                yield

    def configure(self) -> None:
        # The last customers of the site's database are planted ones: in a register of their own, and in no other.
        lines = self.register_csv.read_text(encoding="utf-8").splitlines(keepends=True)
        self.register_csv.write_text("".join(lines[:-PLANTED]), encoding="utf-8")
        planted = self.folder / "planted.csv"
        planted.write_text("".join([lines[0], *lines[-PLANTED:]]), encoding="utf-8")
        self.planted = [dict(zip(lines[0].strip().split(","), line.strip().split(","))) for line in lines[-PLANTED:]]
        canaries = product.answer("register", "learn", planted).replace("[[register]]", "[[register]]\ncanary = true", 1)
        learnt = [canaries] + [product.answer("register", "learn", file) for file in sorted((self.folder / "register").glob("*.csv"))]
        text = CONFIG.format(port=self.port, site=self.site_port, admin=self.admin, action=self.action)
        subprocess.run([str(product.executable()), "init"], cwd=self.folder, check=True, capture_output=True)
        product.answer("webhook", "keys", "--keys", self.folder / "keys")
        self.config.write_text("\n".join([text, self.more, *learnt]))
        product.answer("check", "-c", self.config)
        product.answer("register", "build", "-c", self.config)

    def get(self, target: str, session: str = "", client: str = "127.0.0.1", more: str = "") -> tuple[bytes, bytes]:
        """Request and response, whole or broken off, raw."""
        cookies = "; ".join(cookie for cookie in (f"session={session}" if session else "", more) if cookie)
        head = f"GET {target} HTTP/1.1\r\nHost: app.example\r\nConnection: close\r\n"
        return self.exchange(head + (f"Cookie: {cookies}\r\n" if cookies else "") + "\r\n", client)

    def direct(self, target: str, session: str = "", more: str = "") -> tuple[int, dict[str, str], bytes]:
        """The same from the site itself."""
        cookies = "; ".join(cookie for cookie in (f"session={session}" if session else "", more) if cookie)
        wire = Connection(("127.0.0.1", self.site_port), "127.0.0.1")
        answer = wire.get(target, **({"Cookie": cookies} if cookies else {}))
        wire.close()
        return split_response(answer.response)

    def exchange(self, request: str, client: str) -> tuple[bytes, bytes]:
        return request.encode(), until_closed(("127.0.0.1", self.port), request.encode(), client)

    def log_in(self, account: str, client: str) -> str:
        form = f"account_id={account}&password={account[::-1]}"
        request = (
            "POST /login HTTP/1.1\r\nHost: app.example\r\nConnection: close\r\n"
            f"Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {len(form)}\r\n\r\n{form}"
        )
        _, response = self.exchange(request, client)
        return re.search(rb"session=([0-9a-f]{32})", response)[1].decode()

    def metric(self, name: str) -> int:
        text = urllib.request.urlopen(f"http://127.0.0.1:{self.admin}/metrics", timeout=10).read().decode()
        return int(re.search(rf"^sekisho_{name}_total (\d+)$", text, re.MULTILINE)[1])


def until_closed(server: tuple[str, int], request: bytes, client: str) -> bytes:
    """What comes back until the server closes; of a response that is broken off, what came before."""
    received = bytearray()
    with socket.create_connection(server, 60, (client, 0)) as wire:
        wire.sendall(request)
        try:
            while chunk := wire.recv(1 << 16):
                received += chunk
        except ConnectionResetError:
            pass
    return bytes(received)
