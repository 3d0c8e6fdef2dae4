"""A serial line in virtual time, shared with the peers' processes: standard library only."""

from __future__ import annotations

import random

BITS_PER_BYTE = 10  # start bit, eight data bits, stop bit


class Noise:
    """Independent bit errors: a data bit flips, a start or stop bit in error loses its byte."""

    def __init__(self, bit_error_rate: float, seed: int) -> None:
        self._rate = bit_error_rate
        self._random = random.Random(seed)
        self._next = self._gap()

    def _gap(self) -> int:
        """Good bits until the next bad one."""
        return int(self._random.expovariate(self._rate)) if self._rate else 1 << 62

    def apply(self, data: bytes) -> bytes:
        """The bytes as they arrive."""
        bits = BITS_PER_BYTE * len(data)
        if self._next >= bits:
            self._next -= bits
            return data
        out = bytearray(data)
        gone = []
        while self._next < bits:
            index, bit = divmod(self._next, BITS_PER_BYTE)
            if 1 <= bit <= 8:
                out[index] ^= 1 << (bit - 1)
            else:
                gone.append(index)
            self._next += 1 + self._gap()
        self._next -= bits
        for index in sorted(set(gone), reverse=True):
            del out[index]
        return bytes(out)


class Wire:
    """One direction: bytes leave one after the other and have arrived when their last bit has passed."""

    def __init__(self, baud: int, noise: Noise) -> None:
        self.byte_s = BITS_PER_BYTE / baud
        self._noise = noise
        self._waiting = bytearray()
        self._free_at = 0.0

    def send(self, data: bytes, now: float) -> None:
        """Put bytes on the line."""
        if data and not self._waiting:
            self._free_at = max(self._free_at, now)
        self._waiting += data

    def arrived(self, now: float) -> bytes:
        """Bytes that have passed by now, damaged as the noise wants."""
        count = min(len(self._waiting), int((now - self._free_at) / self.byte_s + 1e-9))
        if count <= 0:
            return b""
        self._free_at += count * self.byte_s
        data = bytes(self._waiting[:count])
        del self._waiting[:count]
        return self._noise.apply(data)
