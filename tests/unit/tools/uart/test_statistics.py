"""Figures of a line whose faults and times are known beforehand."""

from __future__ import annotations

import random

import pytest
from unit.tools.uart.lines import built, charged, decoded

from vsecc_link import frame, messages
from vsecc_uart.series import Series
from vsecc_uart.statistics import BITS_PER_BYTE, Statistics
from vsecc_uart.values import HOST, MCU, Chunk, FrameRecord

CLEAR = (messages.CLEAR_FAULTS, 1)
TICKS_PERIOD = 1 << 30


def figures(chunks: list[Chunk], baud: int = 921_600) -> Statistics:
    found = Statistics(baud)
    for record in decoded(chunks):
        found.add(record)
    return found


def status(ticks_us: int, stamp: int, grant_ticks_us: int) -> tuple[object, ...]:
    rest = [max(0, field[2]) for field in messages.CATALOGUE[messages.STATUS][3]][3:]
    return (messages.STATUS, ticks_us, stamp, grant_ticks_us, *rest)


def frame_by_frame(duration_ms: int) -> list[Chunk]:
    """A charge with one frame in each chunk."""
    return [Chunk(record.at_s, record.sender, record.raw) for record in decoded(charged(duration_ms))
            if isinstance(record, FrameRecord)]  # fmt: skip


def test_every_damaged_and_every_dropped_frame_is_counted_once() -> None:
    source, damaged, dropped, chunks = random.Random(3), 0, 0, []
    for chunk in frame_by_frame(8000):
        chance = source.random() if chunk.sender == MCU and len(chunk.data) > 30 else 1.0
        data = bytearray(chunk.data)
        if chance < 0.05:
            data[20] ^= 4  # in the payload: the frame keeps its length
            damaged += 1
        elif chance < 0.08:
            dropped += 1
            continue
        chunks.append(chunk._replace(data=bytes(data)))
    found = figures(chunks)
    assert damaged > 10 and dropped > 5
    assert found.sides[MCU].errors["crc"] == damaged
    whole = figures(charged(8000))
    assert whole.sides[MCU].frames - found.sides[MCU].frames >= damaged + dropped
    assert found.sides[MCU].missing <= damaged + dropped  # reliable ones are sent again, not missed
    assert found.sides[MCU].missing >= 0.8 * (damaged + dropped)
    assert found.errors(HOST) == whole.errors(MCU) == whole.sides[MCU].missing == 0


def test_use_of_the_line_is_bits_over_time() -> None:
    data = built(HOST, CLEAR, kind=frame.RELIABLE)
    found = figures([Chunk(1.0, HOST, data), Chunk(3.0, HOST, data)], baud=9600)
    assert found.utilisation(HOST) == pytest.approx(2 * len(data) * BITS_PER_BYTE / 9600 / 2.0)
    assert found.utilisation(MCU) == 0.0 and figures([], baud=9600).utilisation(HOST) is None
    assert figures([Chunk(1.0, HOST, data), Chunk(3.0, HOST, data)], baud=0).utilisation(HOST) is None


def test_an_ack_is_timed_from_the_first_sending_and_not_after_a_repeat() -> None:
    def acked(repeats: int) -> Statistics:
        data = built(HOST, CLEAR, kind=frame.RELIABLE)
        sent = [Chunk(1.0 + 0.01 * number, HOST, data) for number in range(1 + repeats)]
        return figures([*sent, Chunk(1.05, MCU, frame.build(frame.ACK, 9, 1, 2))])

    assert acked(0).sides[HOST].until_ack.max == pytest.approx(0.05)
    assert not acked(1).sides[HOST].until_ack, "which sending was answered is not known"


@pytest.mark.parametrize("ticks_us", [500_000, 3_000, TICKS_PERIOD - 1])
def test_time_on_the_wires_is_without_what_the_mcu_held_also_when_its_ticks_wrap(ticks_us: int) -> None:
    grant = built(HOST, (messages.GRANT, 7, 0, 500), kind=frame.CYCLIC)
    taken = (ticks_us - 8_000) % TICKS_PERIOD
    answer = built(MCU, status(ticks_us, 7, taken), kind=frame.CYCLIC)
    found = figures([Chunk(5.0, HOST, grant), Chunk(5.010, MCU, answer)])
    assert found.stamp_trip.max == pytest.approx(0.010)
    assert found.on_wires.max == pytest.approx(0.002)


def test_percentiles_are_the_nearest_rank() -> None:
    series = Series()
    for value in (5.0, 1.0, 4.0, 2.0, 3.0):
        series.add(value)
    assert [series.percentile(percent) for percent in (1, 20, 21, 50, 99, 100)] == [
        1.0,
        1.0,
        2.0,
        3.0,
        5.0,
        5.0,
    ]
    assert (series.count, series.mean, series.min, series.max) == (5, 3.0, 1.0, 5.0)
    assert series.deviation == pytest.approx(2**0.5)
