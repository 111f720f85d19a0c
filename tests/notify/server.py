"""A real SMTP server (aiosmtpd) that does to each mail what its recipient's domain says, and writes down every mail that
it took: one line with the recipient, the Message-ID and the connection's protection.

It is the witness: what it wrote down was delivered, whatever it answered."""

import argparse
import asyncio
import signal
import ssl
from email.parser import BytesHeaderParser
from pathlib import Path

from aiosmtpd.smtp import SMTP, AuthResult


class Handler:
    """By domain: see `behaviour`."""

    def __init__(self, folder: Path, keep: int):
        self.received = (folder / "received.tsv").open("a", buffering=1, encoding="utf-8")
        self.mails = folder / "mails"
        self.mails.mkdir(exist_ok=True)
        self.keep, self.kept = keep, len(list(self.mails.iterdir()))
        self.seen: dict[str, int] = {}

    def behaviour(self, address: str) -> str:
        return address.rsplit("@", 1)[1].split(".", 1)[0]

    async def handle_RCPT(self, server, session, envelope, address, rcpt_options):
        behaviour = self.behaviour(address)
        self.seen[address] = self.seen.get(address, 0) + 1
        if behaviour == "refused":
            return "550 5.1.1 no such user"
        if behaviour == "greylisted" and self.seen[address] == 1:
            return "451 4.7.1 try again later"
        if behaviour == "closes-at-rcpt" and self.seen[address] == 1:
            server.transport.abort()
            return "250 OK"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server, session, envelope):
        [address] = envelope.rcpt_tos
        behaviour = self.behaviour(address)
        if behaviour == "full":
            return "452 4.2.2 mailbox full"
        if behaviour == "spam":
            return "554 5.7.1 refused"
        self.take(address, server, session, envelope)
        if behaviour == "silent-close":
            server.transport.abort()
            return "250 OK"
        if behaviour == "garbles":
            await server.push("certainly, thank you")
            server.transport.close()
            return "250 OK"
        if behaviour == "wrong-code":
            return "354 more please"
        if behaviour == "talks-twice":
            # An answer too many: it must not pass for the next mail's.
            return "250 OK\r\n250 OK"
        if behaviour == "lies-refused":
            # It took the mail and says that it did not: the one lie that makes a second mail.
            return "451 4.3.0 local error" if self.seen[address] == 1 else "250 OK"
        return "250 2.0.0 OK: queued as T" + format(abs(hash(address)) % 10**8, "08d")

    def take(self, address, server, session, envelope):
        head = BytesHeaderParser().parsebytes(envelope.content)
        line = (address, head["Message-ID"], "tls" if server.transport.get_extra_info("ssl_object") else "plain", str(session.authenticated or ""))
        self.received.write("\t".join(line) + "\n")
        if self.kept < self.keep:
            self.kept += 1
            (self.mails / f"{self.kept}.eml").write_bytes(envelope.content)


class Server(SMTP):
    """`closes-in-data` is cut off before its end of data can be read."""

    async def smtp_DATA(self, arg):
        recipients = self.envelope.rcpt_tos if self.envelope else []
        behaviour = self.event_handler.behaviour(recipients[0]) if recipients else ""
        count = self.event_handler.seen.get(recipients[0], 0) if recipients else 0
        if behaviour == "closes-at-data" and count == 1:
            self.transport.abort()
            return
        if behaviour == "closes-in-data":
            await self.push("354 go on")
            self.transport.abort()
            return
        await super().smtp_DATA(arg)


def authenticate(server, session, envelope, mechanism, data):
    good = mechanism in ("PLAIN", "LOGIN") and data.login == b"notice" and data.password == b"correct horse"
    return AuthResult(success=good, handled=False)


async def serve(arguments):
    handler = Handler(arguments.folder, arguments.keep)
    context = None
    if arguments.certificate:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(arguments.certificate, arguments.key)
    starttls = context if arguments.tls == "starttls" else None

    def server():
        return Server(
            handler, hostname="mx.example.jp", tls_context=starttls, require_starttls=bool(starttls),
            authenticator=authenticate if arguments.auth else None, auth_required=arguments.auth,
            auth_require_tls=arguments.tls == "starttls", data_size_limit=2**20,
        )

    implicit = context if arguments.tls == "implicit" else None
    listening = await asyncio.get_running_loop().create_server(server, "127.0.0.1", arguments.port, ssl=implicit)
    (arguments.folder / "port.new").write_text(str(listening.sockets[0].getsockname()[1]))
    (arguments.folder / "port.new").rename(arguments.folder / "port")
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    await stop.wait()


parser = argparse.ArgumentParser()
parser.add_argument("folder", type=Path)
parser.add_argument("--port", type=int, default=0)
parser.add_argument("--keep", type=int, default=50)
parser.add_argument("--tls", choices=["none", "starttls", "implicit"], default="none")
parser.add_argument("--certificate")
parser.add_argument("--key")
parser.add_argument("--auth", action="store_true")
asyncio.run(serve(parser.parse_args()))
