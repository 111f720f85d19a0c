"""A client that keeps every byte it receives, and reads HTTP/1.1 framing by itself.

One `Connection` is one client address: loopback has many (127.0.0.0/8), so that each group of requests can be asked
for in the ledger by itself.
"""

import json
import socket
from typing import BinaryIO, Iterator, NamedTuple


class Exchange(NamedTuple):
    """What was sent and what came back, byte for byte."""

    client: str
    request: bytes
    response: bytes


class Connection:
    def __init__(self, server: tuple[str, int], client: str, timeout_s: float = 60):
        self.server, self.client, self.timeout_s = server, client, timeout_s
        self.socket: socket.socket | None = None

    def get(self, target: str, **headers: str) -> Exchange:
        return self.send("GET", target, b"", headers)

    def send(self, method: str, target: str, body: bytes, headers: dict[str, str]) -> Exchange:
        fields = {"Host": "app.example", "Accept": "*/*", **headers}
        if body:
            fields["Content-Length"] = str(len(body))
        head = f"{method} {target} HTTP/1.1\r\n" + "".join(f"{name}: {value}\r\n" for name, value in fields.items())
        request = head.encode() + b"\r\n" + body
        for attempt in (1, 2):
            fresh = self.socket is None
            if fresh:
                self.socket = socket.create_connection(self.server, self.timeout_s, (self.client, 0))
                self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            try:
                self.socket.sendall(request)
                response = self.receive(method)
                break
            except (ConnectionError, EOFError):
                self.close()
                # A kept-alive connection may have been closed meanwhile; a fresh one may not.
                if fresh or attempt == 2:
                    raise
        return Exchange(self.client, request, response)

    def receive(self, method: str) -> bytes:
        """One whole response, raw."""
        received = bytearray()
        while b"\r\n\r\n" not in received:
            self.more(received)
        head_end = received.index(b"\r\n\r\n") + 4
        status, headers = parse_head(bytes(received[:head_end]))
        if method == "HEAD" or status in (204, 304):
            pass
        elif headers.get("transfer-encoding", "").lower() == "chunked":
            at = head_end
            while True:
                while b"\r\n" not in received[at:]:
                    self.more(received)
                line_end = received.index(b"\r\n", at)
                size = int(bytes(received[at:line_end]).split(b";")[0], 16)
                at = line_end + 2 + size + 2
                while len(received) < at:
                    self.more(received)
                if size == 0:
                    break
        elif "content-length" in headers:
            while len(received) < head_end + int(headers["content-length"]):
                self.more(received)
        else:
            try:
                while True:
                    self.more(received)
            except EOFError:
                self.close()
        if headers.get("connection", "").lower() == "close":
            self.close()
        return bytes(received)

    def more(self, received: bytearray) -> None:
        chunk = self.socket.recv(1 << 16)
        if not chunk:
            raise EOFError("the server closed the connection in mid-response")
        received += chunk

    def close(self) -> None:
        if self.socket is not None:
            self.socket.close()
            self.socket = None


def parse_head(head: bytes) -> tuple[int, dict[str, str]]:
    first, *lines = head.decode("latin-1").split("\r\n")
    fields = (line.partition(":") for line in lines if ":" in line)
    return int(first.split(" ")[1]), {name.strip().lower(): value.strip() for name, _, value in fields}


def split_response(response: bytes) -> tuple[int, dict[str, str], bytes]:
    """Status, headers and the body without its chunks."""
    head, _, rest = response.partition(b"\r\n\r\n")
    status, headers = parse_head(head)
    if headers.get("transfer-encoding", "").lower() != "chunked":
        return status, headers, rest
    body = bytearray()
    while rest:
        line, _, rest = rest.partition(b"\r\n")
        size = int(line.split(b";")[0], 16)
        body += rest[:size]
        rest = rest[size + 2 :]
        if size == 0:
            break
    return status, headers, bytes(body)


def split_request(request: bytes) -> list[bytes]:
    """The parts that can be reflected: the target, three header values and the body."""
    head, _, body = request.partition(b"\r\n\r\n")
    first, *lines = head.split(b"\r\n")
    fields = [line.partition(b":") for line in lines]
    values = [value.strip() for name, _, value in fields if name.lower() in (b"cookie", b"referer", b"user-agent")]
    return [first.split(b" ")[1], *values, body]


def store(file: BinaryIO, exchange: Exchange) -> None:
    """One line that says how much follows, then the bytes as they were."""
    sizes = {"client": exchange.client, "request": len(exchange.request), "response": len(exchange.response)}
    file.write(json.dumps(sizes).encode() + b"\n" + exchange.request + exchange.response)


def stored(file: BinaryIO) -> Iterator[Exchange]:
    while line := file.readline():
        sizes = json.loads(line)
        yield Exchange(sizes["client"], file.read(sizes["request"]), file.read(sizes["response"]))
