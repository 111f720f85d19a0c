"""HTTP/2 clients that misbehave, by hand: frames as the client wants them (RFC 9113), header fields as literals (RFC 7541)."""

import os
import socket
import ssl
import struct
import subprocess
import threading
import time
from pathlib import Path

from referee import product

HEADERS, RST_STREAM, SETTINGS, PING, GOAWAY = 1, 3, 4, 6, 7
END_STREAM, ACK, END_HEADERS = 1, 1, 4
INITIAL_WINDOW_SIZE = 4
GOOD = [(b":method", b"GET"), (b":scheme", b"https"), (b":authority", b"site.example"), (b":path", b"/customer")]


def changed(name: bytes, value: bytes) -> list:
    return [(known, value if known == name else before) for known, before in GOOD]


# (what is wrong, the head, whether it is refused)
HEADS = [
    ("a good head", GOOD, False),
    ("an authority that adds to Forwarded", changed(b":authority", b"a,for=6.6.6.6"), True),
    ("a path outside ASCII", changed(b":path", "/箱根".encode()), True),
    ("a path with a space", changed(b":path", b"/customer HTTP/1.1"), True),
    ("an empty length", GOOD + [(b"content-length", b"")], True),
    ("two lengths", GOOD + [(b"content-length", b"0"), (b"content-length", b"25")], True),
    ("an imitated length", GOOD + [(b"content_length", b"3")], True),
    ("a transfer-encoding", GOOD + [(b"transfer-encoding", b"chunked")], True),
    ("an imitated transfer-encoding", GOOD + [(b"transfer_encoding", b"chunked")], True),
    ("a line end in a value", GOOD + [(b"x-a", b"b\r\nc: d")], True),
]
HOARDERS, STREAMS = 2, 100
# All room is taken when no head has come for so long; it is less than `held_wait`.
QUIET_SECONDS = 0.5
# One to two times `response_body_idle`, and as much again for a slow machine.
SERVED_SECONDS_MAX = 30


class Client:
    """A connection; `window` is what each response may send unasked."""

    def __init__(self, port: int, window: int = 65535):
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        context.set_alpn_protocols(["h2"])
        self.socket = context.wrap_socket(socket.create_connection(("127.0.0.1", port), 15), server_hostname="site.example")
        self.unread, self.heads = b"", 0
        settings = struct.pack(">HI", INITIAL_WINDOW_SIZE, window)
        self.socket.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + frame(SETTINGS, 0, 0, settings) + frame(SETTINGS, ACK, 0, b""))

    def send(self, stream: int, head: list) -> None:
        block = b"".join(b"\0" + text(name) + text(value) for name, value in head)
        self.socket.sendall(frame(HEADERS, END_HEADERS | END_STREAM, stream, block))

    def frames(self):
        """Everything until the other side closes or falls silent."""
        try:
            while True:
                while len(self.unread) < 9 or len(self.unread) < 9 + int.from_bytes(self.unread[:3], "big"):
                    more = self.socket.recv(65536)
                    if not more:
                        return
                    self.unread += more
                end = 9 + int.from_bytes(self.unread[:3], "big")
                kind, flags, stream = self.unread[3], self.unread[4], int.from_bytes(self.unread[5:9], "big")
                payload, self.unread = self.unread[9:end], self.unread[end:]
                if kind == PING and not flags & ACK:
                    self.socket.sendall(frame(PING, ACK, 0, payload))
                self.heads += kind == HEADERS
                yield kind, flags, stream, payload
        except OSError:
            return

    def is_refused(self, stream: int) -> bool:
        """Whether a stream ends with a status that is not 200, or with an error of the protocol."""
        for kind, _, about, payload in self.frames():
            if kind == HEADERS and about == stream:
                # 200 is the eighth of the static table, and indexed by everybody.
                return payload[:1] != b"\x88"
            if kind == GOAWAY or kind == RST_STREAM and about == stream:
                return True
        return True


def frame(kind: int, flags: int, stream: int, payload: bytes) -> bytes:
    return len(payload).to_bytes(3, "big") + bytes([kind, flags]) + struct.pack(">I", stream) + payload


def text(value: bytes) -> bytes:
    """A string literal of at most 126 bytes."""
    return bytes([len(value)]) + value


def prepare(folder: Path, upstream_port: int, port: int, plain_port: int) -> Path:
    """A site with a certificate, little room for bodies and short deadlines; its configuration."""
    product.ask("init", folder)
    key, certificate = folder / "site.key", folder / "site.pem"
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
                    "-subj", "/CN=site.example", "-addext", "subjectAltName=DNS:site.example", "-keyout", key, "-out", certificate],
                   check=True, capture_output=True)
    os.chmod(key, 0o600)
    config = folder / "http2.toml"
    config.write_text(f"""workers = 1
[[listener]]
address = "127.0.0.1:{port}"
certificate = "site.pem"
key = "site.key"
[[listener]]
address = "127.0.0.1:{plain_port}"
[[upstream]]
name = "site"
url = "http://127.0.0.1:{upstream_port}"
[[route]]
path = "/"
upstream = "site"
[ledger]
directory = "ledger"
[keys]
directory = "keys"
[deadlines]
response_body_idle = "3s"
held_wait = "1s"
[limits]
held_bytes_max = "1MiB"
""", encoding="utf-8")
    return config


def heads(port: int, results) -> None:
    for what, head, is_refused in HEADS:
        client = Client(port)
        client.send(1, head)
        refused = client.is_refused(1)
        results.check(f"HTTP/2: {what} → {'refused' if is_refused else 200}", refused == is_refused)
        client.socket.close()


def hoarders(port: int, is_served, results) -> None:
    """Clients that ask for much and take nothing: another client is served all the same, after a while."""
    big, clients = changed(b":path", b"/huge?bytes=10000000"), []
    for _ in range(HOARDERS):
        client = Client(port, window=0)
        client.socket.settimeout(None)
        for stream in range(STREAMS):
            client.send(1 + 2 * stream, big)
        clients.append(client)
    ended = [threading.Thread(target=lambda one=client: list(one.frames()), daemon=True) for client in clients]
    [thread.start() for thread in ended]
    heads_before, heads_now = -1, 0
    while heads_now == 0 or heads_now != heads_before:
        time.sleep(QUIET_SECONDS)
        heads_before, heads_now = heads_now, sum(client.heads for client in clients)
    began, served = time.monotonic(), False
    while not served and time.monotonic() - began < SERVED_SECONDS_MAX:
        served = is_served()
    results.check("HTTP/2: streams without a window do not stop other clients", served)
    [thread.join(SERVED_SECONDS_MAX) for thread in ended]
    results.check("HTTP/2: and their connections end", not any(thread.is_alive() for thread in ended))
