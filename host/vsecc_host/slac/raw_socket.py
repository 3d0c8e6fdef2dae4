"""An AF_PACKET socket on one interface: whole Ethernet frames of one type (needs CAP_NET_RAW)."""

from __future__ import annotations

import errno
import fcntl
import os
import socket
import struct
from typing import Protocol

MAX_FRAME_SIZE = 2048  # bytes; longer frames are cut, SLAC's are below 1100
BUFFER_SIZE = 256 * 1024  # bytes in the kernel: some hundred frames, a flood beyond it is dropped there
_PACKET_OUTGOING = 4  # linux/if_packet.h: our own frames, heard again
_SIOCGIFFLAGS = 0x8913
_IFF_UP = 1
_ARPHRD_ETHER = 1  # linux/if_arp.h
_IFREQ_SIZE = 40  # bytes of struct ifreq on 64 bit
ALL_TYPES = 0x0003  # ETH_P_ALL


class FrameSocket(Protocol):
    """What the service needs of a socket; a simulated powerline has another."""

    @property
    def mac(self) -> bytes:
        """Address of the interface; it may change."""

    def fileno(self) -> int:
        """For the event loop."""

    def receive(self) -> bytes | None:
        """The next frame somebody else sent; None when there is none. OSError when the interface is gone."""

    def send(self, raw: bytes) -> bool:
        """False for a frame dropped for want of room. OSError when it is too long or the interface gone."""

    def close(self) -> None:
        """Done with it."""


class RawSocket:
    """Bound to one interface from the start, so that no other's frames ever queue up."""

    def __init__(self, interface: str, ethertype: int) -> None:
        """OSError when there is no such interface or no permission."""
        self.interface = interface
        # Protocol 0 receives nothing until bind names interface and type together.
        self._socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
        try:
            self._socket.setblocking(False)
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, BUFFER_SIZE)
            self._need_up(interface)
            self._socket.bind((interface, ethertype))
            if self._socket.getsockname()[3] != _ARPHRD_ETHER:
                raise OSError(errno.EOPNOTSUPP, "not an Ethernet interface")
        except BaseException:
            self._socket.close()
            raise

    def _need_up(self, interface: str) -> None:
        """A socket on an interface that is down would open and break at once, over and over."""
        request = struct.pack("16sh", interface.encode()[:15], 0).ljust(_IFREQ_SIZE, b"\0")
        answer = fcntl.ioctl(self._socket, _SIOCGIFFLAGS, request)
        if not struct.unpack_from("16sh", answer)[1] & _IFF_UP:
            raise OSError(errno.ENETDOWN, os.strerror(errno.ENETDOWN))

    @property
    def mac(self) -> bytes:
        """Address of the interface at this moment."""
        address: bytes = self._socket.getsockname()[4]
        return address

    def fileno(self) -> int:
        """For the event loop."""
        return self._socket.fileno()

    def receive(self) -> bytes | None:
        """The next frame somebody else sent; None when there is none. OSError when the interface is gone."""
        while True:
            try:
                raw, address = self._socket.recvfrom(MAX_FRAME_SIZE)
            except BlockingIOError:
                return None
            if address[2] != _PACKET_OUTGOING:
                return raw

    def send(self, raw: bytes) -> bool:
        """False for a frame dropped for want of room. OSError when it is too long or the interface gone."""
        try:
            self._socket.send(raw)
        except BlockingIOError:
            return False
        except OSError as error:
            if error.errno == errno.ENOBUFS:
                return False
            raise
        return True

    def close(self) -> None:
        """Done with it."""
        self._socket.close()
