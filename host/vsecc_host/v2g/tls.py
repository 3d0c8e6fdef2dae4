"""TLS towards cars as ISO 15118-2 wants it: context, files it is made of, one connection's channel."""

from __future__ import annotations

import ssl
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from vsecc_host.pki.judge import Chain

# ISO 15118-2 table 7 wants two suites of the station and one of the car. OpenSSL dropped the other one,
# static ECDH; cars were seen to abort when it was chosen.
CIPHER_SUITE = "ECDHE-ECDSA-AES128-SHA256"
CURVE = "prime256v1"  # OpenSSL's name of secp256r1
SETUP_S = 10.0  # TLS handshake and first message together; a car's own limit for all of the set-up is 20 s
_READ_SIZE = 16_384  # bytes: one TLS record
_REVOCATION_LISTS = "*.crl.pem"  # beside the chain

WallClock = Callable[[], float]  # s since 1970


class TlsError(Exception):
    """The connection cannot go on; one line for a person."""


def server_context(chain: Path, key: Path) -> ssl.SSLContext:
    """A context for ISO 15118-2 only; OSError when OpenSSL does not take the files.

    TLS 1.3 is off: its suites cannot be restricted from Python, it needs the car's certificate and a leaf on
    another curve in ISO 15118-20, and -2 cars that offer it expect 1.2 to be chosen.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers(CIPHER_SUITE)
    context.set_ecdh_curve(CURVE)
    context.verify_mode = ssl.CERT_NONE  # -2 cars have no TLS certificate
    context.options |= ssl.OP_NO_RENEGOTIATION | ssl.OP_NO_TICKET | ssl.OP_CIPHER_SERVER_PREFERENCE
    # An encrypted key must fail, not ask on the terminal.
    context.load_cert_chain(chain, key, password=lambda: b"")
    return context


class TlsCredentials:
    """Chain and key on disk: read again when the files change, judged by the wall clock at every use."""

    def __init__(self, chain: Path, key: Path, wall_clock: WallClock = time.time) -> None:
        self._paths = (chain, key)
        self._wall_clock = wall_clock
        self._seen: tuple[object, ...] | None = None  # what the files looked like when they were read
        self._chain: Chain | None = None
        self._unusable = "not read yet"

    @property
    def summary(self) -> str:
        """Whose certificate it is and how long it lasts; empty while none can be used."""
        return f"{self._chain.subject}, until {self._chain.valid_until:%Y-%m-%d}" if self._chain else ""

    @property
    def hint(self) -> str:
        """What some cars may dislike; usually empty."""
        return self._chain.hint if self._chain is not None else ""

    def problem(self) -> str:
        """Why TLS is impossible now, in one line; empty when it is possible."""
        self._refresh()
        if self._chain is None:
            return self._unusable
        return self._chain.problem_at(datetime.fromtimestamp(self._wall_clock(), UTC))

    def context(self) -> ssl.SSLContext | None:
        """For one new connection; None while there is a problem.

        Each has its own (1.6 ms): OpenSSL's session cache, which Python cannot turn off, goes with it, and
        nothing can be resumed beyond the certificate it began with.
        """
        if self.problem():
            return None
        try:
            return server_context(*self._paths)
        except OSError as error:  # the files were changed since they were judged
            self._seen, self._chain, self._unusable = None, None, _in_one_line(error)
            return None

    def reload(self) -> None:
        """Read the files again although they look unchanged."""
        self._seen = None
        self._refresh()

    def _refresh(self) -> None:
        lists = _revocation_lists(self._paths[0])
        seen = tuple((path, _look(path)) for path in (*self._paths, *lists))
        if seen == self._seen:
            return
        self._seen = seen
        self._chain = None
        try:
            chain = _read(*self._paths, lists)
            server_context(*self._paths)  # OpenSSL takes them too
            self._chain = chain
        except (OSError, ValueError) as error:
            self._unusable = _in_one_line(error)


class TlsChannel:
    """The TLS layer of one connection, without its socket: encrypted bytes outside, plain ones inside."""

    def __init__(self, context: ssl.SSLContext) -> None:
        self._incoming = ssl.MemoryBIO()
        self._outgoing = ssl.MemoryBIO()
        self._object = context.wrap_bio(self._incoming, self._outgoing, server_side=True)
        self.established = False
        self.closed = False  # the car said that it sends no more

    @property
    def summary(self) -> str:
        """Version and cipher suite of an established connection."""
        cipher = self._object.cipher()
        return f"{self._object.version()} {cipher[0] if cipher else ''}"

    def receive(self, data: bytes) -> bytes:
        """Plain bytes out of encrypted ones; TlsError when they are no TLS, or no TLS of ours."""
        self._incoming.write(data)
        try:
            if not self.established:
                self._object.do_handshake()
                self.established = True
            return self._read()
        except ssl.SSLWantReadError:
            return b""
        except ssl.SSLError as error:
            raise TlsError(_reason(error)) from None

    def send(self, data: bytes) -> None:
        """Encrypt; `take` has the result."""
        self._object.write(data)

    def close(self) -> None:
        """Tell the car that nothing follows."""
        with suppress(ssl.SSLError):
            self._object.unwrap()

    def take(self) -> bytes:
        """Encrypted bytes to write, an alert perhaps."""
        return self._outgoing.read()

    def _read(self) -> bytes:
        plain = b""
        try:
            while chunk := self._object.read(_READ_SIZE):
                plain += chunk
            self.closed = True
        except ssl.SSLZeroReturnError:
            self.closed = True
        except ssl.SSLWantReadError:
            pass
        return plain


def _revocation_lists(chain: Path) -> list[Path]:
    return sorted(chain.parent.glob(_REVOCATION_LISTS)) if chain.name else []


def _read(chain: Path, key: Path, lists: list[Path]) -> Chain:
    # Imported here: a station without TLS needs none of it.
    from vsecc_host.pki.judge import read_server_chain

    if not chain.name:
        raise ValueError("no certificate chain is configured")
    told = {path.name: path.read_bytes() for path in lists}
    return read_server_chain(chain.read_bytes(), key.read_bytes(), told)


def _look(path: Path) -> object:
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_mtime_ns, status.st_size, status.st_ino


def _in_one_line(error: OSError | ValueError) -> str:
    if isinstance(error, ssl.SSLError):
        return f"certificate chain and key: {_reason(error)}"
    if isinstance(error, OSError):
        return f"{error.filename}: {error.strerror}"
    return str(error)


def _reason(error: ssl.SSLError) -> str:
    return error.reason.lower().replace("_", " ") if error.reason else str(error)
