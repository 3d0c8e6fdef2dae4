"""The host's end of the emulated UART in a plain process: a TCP listener or a pty, one host at a time."""

from __future__ import annotations

import contextlib
import os
import socket
import tty
from pathlib import Path
from urllib.parse import urlsplit

CHUNK = 4096


class HostSide:
    """Descriptors to wait for and bytes to move; subclasses differ in how a host appears."""

    url: str

    def listeners(self) -> list[int]:
        """Descriptors that become readable when there is something to take."""
        raise NotImplementedError

    def receive(self) -> bytes:
        """Bytes from the host; accepts and drops hosts on the way."""
        raise NotImplementedError

    def send(self, data: bytes) -> int:
        """Bytes to the host; how many it took: none are kept for one that is not there or does not read."""
        raise NotImplementedError

    def close(self) -> None:
        """Ends it."""
        raise NotImplementedError


class TcpHostSide(HostSide):
    """Listens on an address; the newest connection is the host."""

    def __init__(self, host: str, port: int) -> None:
        """Port 0 takes a free one; `url` tells which."""
        self._listener = socket.create_server((host, port))
        self._listener.setblocking(False)
        self._peer: socket.socket | None = None
        name = self._listener.getsockname()
        self.url = f"tcp://{name[0]}:{name[1]}"

    def listeners(self) -> list[int]:
        """The listener, and the host once it is there."""
        fds = [self._listener.fileno()]
        return [*fds, self._peer.fileno()] if self._peer else fds

    def receive(self) -> bytes:
        """Bytes of the host."""
        with contextlib.suppress(BlockingIOError):
            peer, _ = self._listener.accept()
            peer.setblocking(False)
            peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._drop()
            self._peer = peer
        if self._peer is None:
            return b""
        try:
            data = self._peer.recv(CHUNK)
        except BlockingIOError:
            return b""
        except OSError:
            data = b""
        if not data:
            self._drop()
        return data

    def send(self, data: bytes) -> int:
        """Bytes to the host."""
        if self._peer is None:
            return 0
        try:
            return self._peer.send(data)
        except BlockingIOError:
            return 0
        except OSError:
            self._drop()
            return 0

    def _drop(self) -> None:
        if self._peer:
            self._peer.close()
            self._peer = None

    def close(self) -> None:
        """Ends it."""
        self._drop()
        self._listener.close()


class PtyHostSide(HostSide):
    """A pseudo terminal behind a symbolic link at the given path."""

    def __init__(self, path: Path) -> None:
        """Replaces a link that an earlier emulator left behind, nothing else."""
        self._master, self._slave = os.openpty()
        tty.setraw(self._slave)
        os.set_blocking(self._master, False)
        self._path = path
        try:
            if path.is_symlink():
                path.unlink()
            path.symlink_to(os.ttyname(self._slave))
        except OSError:
            os.close(self._master)
            os.close(self._slave)
            raise
        self.url = f"pty://{path}"

    def listeners(self) -> list[int]:
        """The master end."""
        return [self._master]

    def receive(self) -> bytes:
        """Bytes written to the terminal."""
        try:
            return os.read(self._master, CHUNK)
        except OSError:
            return b""

    def send(self, data: bytes) -> int:
        """Bytes to whoever reads the terminal."""
        try:
            return os.write(self._master, data)
        except OSError:
            return 0

    def close(self) -> None:
        """Removes the link."""
        with contextlib.suppress(OSError):
            self._path.unlink()
        os.close(self._master)
        os.close(self._slave)


def open_host_side(url: str) -> HostSide:
    """`tcp://HOST:PORT` or `pty://PATH`."""
    parts = urlsplit(url)
    if parts.scheme == "tcp" and parts.hostname is not None and parts.port is not None:
        return TcpHostSide(parts.hostname, parts.port)
    if parts.scheme == "pty" and parts.netloc + parts.path:
        return PtyHostSide(Path(parts.netloc + parts.path))
    raise ValueError(f"{url!r} is neither tcp://HOST:PORT nor pty://PATH")
