"""Mail servers that nobody here wrote, on loopback: aiosmtpd takes mails, pymap keeps a mailbox.

with smtp_peer() as smtp, imap_peer() as mailbox:
    Server("localhost", smtp.port, "none")
    mailbox.deliver(b"From: ...")
"""

from __future__ import annotations

import datetime
import imaplib
import ipaddress
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

USER, PASSWORD = "gateway", "s3cret-of-mail"


@dataclass
class SmtpPeer:
    """`answers`: {recipient: what DATA answers}, `refused`: {recipient: what RCPT answers}."""

    port: int = 0
    mails: list[Envelope] = field(default_factory=list)
    answers: dict[str, str] = field(default_factory=dict)
    refused: dict[str, str] = field(default_factory=dict)
    connections: int = 0

    async def handle_EHLO(
        self, server: SMTP, session: Session, envelope: Envelope, host: str, responses: list[str]
    ) -> list[str]:
        self.connections += 1
        session.host_name = host
        return responses

    async def handle_RCPT(
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if words := self.refused.get(address):
            return words
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        if words := self.answers.get(envelope.rcpt_tos[0]):
            return words
        self.mails.append(envelope)
        return "250 2.0.0 OK: queued as 12345"


@contextmanager
def smtp_peer(
    *, tls: ssl.SSLContext | None = None, implicit: bool = False, login: bool = False
) -> Iterator[SmtpPeer]:
    """Run an SMTP server: `tls` = it offers STARTTLS, or speaks TLS from the start (`implicit`)."""
    peer = SmtpPeer(port=free_port())
    options: dict[str, Any] = {}
    if login:
        options = {"authenticator": _authenticate, "auth_required": True}
        options |= {"auth_require_tls": tls is not None and not implicit}
    if tls and implicit:
        options["ssl_context"] = tls
    elif tls:
        options |= {"tls_context": tls, "require_starttls": True}
    controller = Controller(peer, hostname="127.0.0.1", port=peer.port, **options)
    controller.start()
    try:
        yield peer
    finally:
        controller.stop()


def _authenticate(
    server: SMTP, session: Session, envelope: Envelope, mechanism: str, data: Any
) -> AuthResult:
    known = isinstance(data, LoginPassword) and data == LoginPassword(
        USER.encode(), PASSWORD.encode()
    )
    return AuthResult(success=known, handled=False)


@dataclass
class ImapPeer:
    """A mailbox of USER. `deliver` puts a mail into it, as another connection."""

    port: int

    def deliver(self, mail: bytes, folder: str = "INBOX") -> None:
        with self._open() as box:
            assert box.append(folder, "", "", mail)[0] == "OK"

    def flags(self, folder: str = "INBOX") -> list[str]:
        """Give the flags of each mail."""
        with self._open() as box:
            box.select(folder, readonly=True)
            return [str(line) for line in box.fetch("1:*", "(FLAGS)")[1] if line]

    def make(self, folder: str) -> None:
        with self._open() as box:
            box.create(folder)

    @contextmanager
    def _open(self) -> Iterator[imaplib.IMAP4]:
        with imaplib.IMAP4("127.0.0.1", self.port, timeout=10) as box:
            box.login(USER, PASSWORD)
            yield box


@contextmanager
def imap_peer() -> Iterator[ImapPeer]:
    """Run an IMAP server with one empty mailbox, in a process of its own."""
    port = free_port()
    program = Path(sys.executable).with_name("pymap")
    address = ["--host", "127.0.0.1", "--port", str(port), "--no-tls"]
    demo = ["dict", "--demo-user", USER, "--demo-password", PASSWORD]
    with subprocess.Popen(
        [program, *address, *demo], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as process:
        try:
            _wait_for(port)
            yield ImapPeer(port)
        finally:
            process.terminate()


def _wait_for(port: int) -> None:
    ends = time.monotonic() + 20
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        except OSError:
            assert time.monotonic() < ends, "The mailbox did not open."
            time.sleep(0.05)


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def certificate(folder: Path, name: str = "localhost") -> tuple[ssl.SSLContext, Path]:
    """Give what a server called `name` needs for TLS, and the file that makes clients trust it."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.datetime.now(datetime.UTC)
    names: list[x509.GeneralName] = [x509.DNSName(name)]
    if name == "localhost":
        names.append(x509.IPAddress(ipaddress.ip_address("127.0.0.1")))
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    public, private = folder / f"{name}.pem", folder / f"{name}.key"
    public.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    private.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(public, private)
    return context, public
