"""A line between the real firmware and a host twin in virtual time, as chunks."""

from __future__ import annotations

from collections.abc import Iterable

from unit.tools.mcu.rig import Rig

from vsecc_link import frame
from vsecc_link.envelope import HOST as HOST_ROLE
from vsecc_link.envelope import MCU as MCU_ROLE
from vsecc_link.envelope import pack
from vsecc_uart.decoder import LineDecoder
from vsecc_uart.values import HOST, MCU, Chunk, Record

ROLES = {HOST: HOST_ROLE, MCU: MCU_ROLE}
EPOCH_S = 1_700_000_000.0


class RecordedRig(Rig):
    """A rig whose host side is heard; `chunks` are what a tap would see."""

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.chunks = []
        self._step = self.host.step
        self.host.step = self._heard

    def _heard(self, data, now_ms):
        if data:
            self.chunks.append(Chunk(EPOCH_S + now_ms / 1000, MCU, data))
        out = self._step(data, now_ms)
        if out:
            self.chunks.append(Chunk(EPOCH_S + now_ms / 1000, HOST, out))
        return out


def charged(after_ms: int = 300, *, seed: int = 1) -> list[Chunk]:
    """From power-on to a closed relay and a little further."""
    with RecordedRig(seed=seed) as rig:
        rig.charge()
        rig.run_ms(after_ms)
        return rig.chunks


def decoded(chunks: Iterable[Chunk]) -> list[Record]:
    """Everything the decoder says of them."""
    decoder = LineDecoder()
    records: list[Record] = []
    for chunk in chunks:
        decoder.receive(chunk)
        records += decoder.take()
    decoder.finish()
    return records + decoder.take()


def built(
    sender: str, message: tuple, *, kind: int, session: int = 7, number: int = 1, ack: int = 1
) -> bytes:
    """A frame that end may send."""
    return frame.build(kind, session, number, ack, pack(message, ROLES[sender]))
