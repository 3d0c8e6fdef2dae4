"""Cables between host and modem inside one process: SLAC on a simulated powerline without root."""

from __future__ import annotations

import socket

from vsecc_host.slac.raw_socket import MAX_FRAME_SIZE


class CableEnd:
    """One end, used like a raw socket; `mac` is the host's."""

    def __init__(self, side: socket.socket, mac: bytes) -> None:
        side.setblocking(False)
        self.mac = mac
        self._side = side

    def fileno(self) -> int:
        """For the event loop."""
        return self._side.fileno()

    def receive(self) -> bytes | None:
        """The next frame; None when there is none. OSError when the other end is closed."""
        try:
            raw = self._side.recv(MAX_FRAME_SIZE)
        except BlockingIOError:
            return None
        if not raw:
            raise ConnectionResetError("the cable is pulled")
        return raw

    def send(self, raw: bytes) -> bool:
        """False for a frame dropped for want of room. OSError when the other end is closed."""
        try:
            self._side.send(raw)
        except BlockingIOError:
            return False
        return True

    def close(self) -> None:
        """Pull the cable."""
        self._side.close()


def cable(mac: bytes) -> tuple[CableEnd, CableEnd]:
    """Host side and modem side; frames keep their borders."""
    host, modem = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    return CableEnd(host, mac), CableEnd(modem, mac)
