"""Plays the car of a recorded session and judges the answers.

A recorded charger's own pace shapes the sequence: how often a car had to ask again, when the voltage came. So
runs of equal requests are adapted, never compared one by one: a loop that says Ongoing ends when our station
has finished and goes on until it has; pre-charge goes on until the voltage fits before power is asked for.
"""

from __future__ import annotations

import asyncio
from itertools import groupby
from typing import Any

from vsecc_host.v2g import v2gtp
from vsecc_host.v2g.exi import Protocol, encode
from vsecc_host.v2g.exi import din70121 as m
from vsecc_host.v2g.physical import amount
from vsecc_sim.replay.capture import Capture, Exchange, RecordedSession, Told, read_message
from vsecc_sim.replay.channel import Channel, Connect, Unreachable
from vsecc_sim.replay.report import ReplayReport, Row

PATIENCE_S = 2.0  # the EV's message timeout; later is as bad as never
PATIENCE_LOOP_S = 0.25  # CurrentDemand
DUE_S = 1.5  # SECC performance time: a note, no difference
DUE_LOOP_S = 0.025
REPEAT_S = 0.1  # between requests the record does not hold
ONGOING_S = {"ContractAuthenticationReq": 60.0, "ChargeParameterDiscoveryReq": 60.0, "CableCheckReq": 40.0}
PRE_CHARGE_S = 7.0  # the EV's own timer
VOLTAGE_FITS_V = 20.0


class _Over(Exception):
    """The session cannot be played on."""


async def replay(capture: Capture, connect: Connect, *, speed: float = 1.0) -> ReplayReport:
    """Play every session of the capture; recorded pauses are divided by `speed`."""
    report = ReplayReport(capture.name, capture.ev, capture.evse)
    for recorded in capture.sessions:
        await asyncio.sleep(recorded.pause_s / speed)
        player = _Player(recorded, speed)
        report.sessions.append(player.rows)
        await player.play(connect)
    return report


class _Player:
    """One session."""

    def __init__(self, recorded: RecordedSession, speed: float) -> None:
        self.rows: list[Row] = []
        self._recorded = recorded
        self._speed = speed
        self._session_id = b""  # ours, once told
        self._loop = asyncio.get_running_loop()

    async def play(self, connect: Connect) -> None:
        """Connect, play until the record or the station ends, close."""
        runs = [list(run) for _, run in groupby(self._recorded.exchanges, key=_kind)]
        try:
            channel = await connect()
        except Unreachable as error:
            row = self._row(runs[0][0])
            row.differ(str(error))
            return
        try:
            for run, following in zip(runs, [*runs[1:], []], strict=True):
                await self._run(channel, run, following)
        except _Over:
            pass
        finally:
            await channel.close()

    async def _run(self, channel: Channel, run: list[Exchange], following: list[Exchange]) -> None:
        row = self._row(run[0])
        loops = run[0].told.name in ONGOING_S
        answer: Told | None = None
        for position, exchange in enumerate(run):
            await asyncio.sleep(exchange.think_s / self._speed)
            answer = await self._one(channel, row, exchange)
            left = len(run) - position - 1
            if loops and left and answer is not None and not answer.ongoing:
                row.skipped = left
                row.note(f"{left} more were recorded while the charger said Ongoing; ours was finished")
                break
        if following and loops:
            await self._until_finished(channel, row, run[-1], answer)
        if following and run[-1].told.name == "PreChargeReq" and _starts_power(following[0]):
            await self._until_voltage_fits(channel, row, run[-1], answer)

    async def _until_finished(
        self, channel: Channel, row: Row, exchange: Exchange, answer: Told | None
    ) -> None:
        give_up_at = self._loop.time() + ONGOING_S[exchange.told.name]
        while answer is not None and answer.ongoing:
            if self._loop.time() > give_up_at:
                row.differ(f"still Ongoing after {ONGOING_S[exchange.told.name]:g} s")
                raise _Over
            answer = await self._again(channel, row, exchange, "asked on until finished")

    async def _until_voltage_fits(
        self, channel: Channel, row: Row, exchange: Exchange, answer: Told | None
    ) -> None:
        target_v = _volts(exchange.told.message.body.ev_target_voltage)
        give_up_at = self._loop.time() + PRE_CHARGE_S
        while answer is not None:
            present_v = _volts(answer.message.body.evse_present_voltage)
            if abs(present_v - target_v) <= VOLTAGE_FITS_V:
                return
            if self._loop.time() > give_up_at:
                row.differ(f"{present_v:.1f} V instead of {target_v:.1f} V")
                raise _Over
            answer = await self._again(channel, row, exchange, "asked on until the voltage was there")

    async def _again(self, channel: Channel, row: Row, exchange: Exchange, why: str) -> Told | None:
        row.repeated += 1
        row.note(why)
        await asyncio.sleep(REPEAT_S)
        return await self._one(channel, row, exchange)

    async def _one(self, channel: Channel, row: Row, exchange: Exchange) -> Told | None:
        """Send one request and judge its answer; _Over when nothing can follow."""
        row.sent += 1
        if exchange.told.message is None:
            row.differ("the recorded request does not decode")
            raise _Over
        loop_message = exchange.told.name == "CurrentDemandReq"
        began = self._loop.time()
        raw = await channel.exchange(
            self._rewritten(exchange), PATIENCE_LOOP_S if loop_message else PATIENCE_S
        )
        took_s = self._loop.time() - began
        _remember(row.recorded, exchange.answer.code if exchange.answer else "no answer")
        if raw is None:
            self._unanswered(row, exchange)
            raise _Over
        row.times_s.append(took_s)
        if took_s > (DUE_LOOP_S if loop_message else DUE_S):
            row.note("slower than the SECC's performance time")
        handshake = exchange.told.name == "supportedAppProtocolReq"
        answer = read_message(raw, handshake=handshake)
        self._judge(row, exchange, answer)
        return answer

    def _unanswered(self, row: Row, exchange: Exchange) -> None:
        if exchange.answer is None:
            row.note("the recorded charger did not answer either")
        else:
            row.differ("no answer in time")

    def _judge(self, row: Row, exchange: Exchange, answer: Told | None) -> None:
        wanted = exchange.told.name.removesuffix("Req") + "Res"
        if answer is None or answer.name != wanted:
            row.differ(f"{answer.name if answer else 'an undecodable message'} instead of {wanted}")
            raise _Over
        _remember(row.answered, answer.code)
        if answer.name == "SessionSetupRes":
            self._session_id = answer.message.header.session_id
        recorded = exchange.answer
        if answer.failed:
            if recorded is not None and not recorded.failed:
                row.differ(f"{answer.code} where the record has {recorded.code}")
            else:
                row.note(f"{answer.code}; the recorded charger did not go on either")
            raise _Over
        if recorded is not None and recorded.failed:
            row.note(f"the recorded charger refused ({recorded.code}), the car did not go on")

    def _rewritten(self, exchange: Exchange) -> bytes:
        """The request with our session id where the record has the recorded charger's."""
        message = exchange.told.message
        if not isinstance(message, m.V2gMessage) or not self._session_id:
            return exchange.request
        if message.header.session_id != self._recorded.session_id:
            return exchange.request
        header = message.header._replace(session_id=self._session_id)
        return v2gtp.pack(v2gtp.PayloadType.EXI, encode(Protocol.DIN, message._replace(header=header)))

    def _row(self, exchange: Exchange) -> Row:
        row = Row(_kind(exchange))
        self.rows.append(row)
        return row


def _kind(exchange: Exchange) -> str:
    if exchange.told.name == "PowerDeliveryReq" and exchange.told.message is not None:
        return (
            "PowerDeliveryReq on"
            if exchange.told.message.body.ready_to_charge_state
            else "PowerDeliveryReq off"
        )
    return exchange.told.name


def _starts_power(exchange: Exchange) -> bool:
    return _kind(exchange) == "PowerDeliveryReq on"


def _volts(value: Any) -> float:
    return amount(value.multiplier, value.value)


def _remember(codes: list[str], code: str) -> None:
    if code not in codes:
        codes.append(code)
