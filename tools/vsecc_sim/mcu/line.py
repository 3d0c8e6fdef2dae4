"""UART between MCU and host: paced by the baud rate, bounded rings, overrun, and noise for tests."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass

BAUD = 921_600
BITS_PER_BYTE = 10
# The receive ring of the port, and what a sender may have waiting before it must stop.
RX_RING_BYTES = 256
TX_RING_BYTES = 1024
HOST_QUEUE_BYTES = 65_536


@dataclass(slots=True)
class Noise:
    """What may happen to a byte, in parts per million; `cut` loses everything."""

    flip_ppm: int = 0
    drop_ppm: int = 0
    double_ppm: int = 0
    cut: bool = False

    def apply(self, data: bytes, source: random.Random) -> bytes:
        """The bytes as they arrive."""
        if self.cut:
            return b""
        if not (self.flip_ppm or self.drop_ppm or self.double_ppm):
            return data
        out = bytearray()
        for byte in data:
            if source.randrange(1_000_000) < self.drop_ppm:
                continue
            if source.randrange(1_000_000) < self.flip_ppm:
                byte ^= 1 << source.randrange(8)
            out.append(byte)
            if source.randrange(1_000_000) < self.double_ppm:
                out.append(byte)
        return bytes(out)


class Wire:
    """One direction: bytes leave the sender one after the other and arrive a byte time later."""

    def __init__(self, baud: int, limit: int) -> None:
        """An idle wire; at most `limit` bytes wait for it."""
        self.limit = limit
        self.baud = baud
        self._waiting = bytearray()
        self._free_at_ns = 0

    @property
    def free(self) -> int:
        """Bytes that may still be queued."""
        return max(0, self.limit - len(self._waiting))

    @property
    def waiting(self) -> int:
        """Bytes still to be sent."""
        return len(self._waiting)

    def send(self, data: bytes, now_us: int) -> int:
        """Queues what fits; number of bytes taken."""
        taken = data[: self.free]
        if taken and not self._waiting:
            self._free_at_ns = max(self._free_at_ns, now_us * 1000)
        self._waiting += taken
        return len(taken)

    def arrived(self, now_us: int) -> bytes:
        """The bytes whose last bit has passed by now."""
        if not self._waiting:
            return b""
        byte_ns = BITS_PER_BYTE * 1_000_000_000 // self.baud
        count = min(len(self._waiting), max(0, now_us * 1000 - self._free_at_ns) // byte_ns)
        if not count:
            return b""
        self._free_at_ns += count * byte_ns
        done = bytes(self._waiting[:count])
        del self._waiting[:count]
        return done

    def clear(self) -> None:
        """Forgets what is under way."""
        self._waiting.clear()


class UartLine:
    """Both directions, the MCU's receive ring, and the host's listener."""

    def __init__(self, *, seed: int = 0, baud: int = BAUD) -> None:
        """A quiet line. `on_host_bytes` gets what arrives at the host."""
        self.noise_to_mcu = Noise()
        self.noise_to_host = Noise()
        self.rx_limit = RX_RING_BYTES
        self.overruns = 0
        self.on_host_bytes: Callable[[bytes], object] | None = None
        self._to_mcu = Wire(baud, HOST_QUEUE_BYTES)
        self._to_host = Wire(baud, TX_RING_BYTES)
        self._ring = bytearray()
        self._random = random.Random(seed)

    @property
    def tx_free(self) -> int:
        """Room in the MCU's transmit ring."""
        return self._to_host.free

    @property
    def host_free(self) -> int:
        """Bytes the host may still hand over before it must wait."""
        return self._to_mcu.free

    def host_send(self, data: bytes, now_us: int) -> int:
        """The host puts bytes on the line; number of bytes taken."""
        return self._to_mcu.send(data, now_us)

    def mcu_write(self, data: bytes, now_us: int) -> int:
        """The MCU queues bytes; number of bytes taken."""
        return self._to_host.send(data, now_us)

    def mcu_read(self) -> bytes:
        """Takes everything out of the MCU's receive ring."""
        data = bytes(self._ring)
        self._ring.clear()
        return data

    def set_baud(self, baud: int) -> None:
        """Both ends change their rate."""
        self._to_mcu.baud = self._to_host.baud = baud

    def advance(self, now_us: int) -> None:
        """Moves the bytes that have arrived by now."""
        data = self._to_mcu.arrived(now_us)
        if data:
            data = self.noise_to_mcu.apply(data, self._random)
            room = self.rx_limit - len(self._ring)
            self.overruns += max(0, len(data) - room)
            self._ring += data[:room]
        data = self._to_host.arrived(now_us)
        if data:
            data = self.noise_to_host.apply(data, self._random)
            if data and self.on_host_bytes:
                self.on_host_bytes(data)

    def mcu_reset(self) -> None:
        """The chip restarts: its rings are empty, a byte under way is lost."""
        self._ring.clear()
        self._to_host.clear()
