"""A station of a few lines around the V2G service: says yes to everything and follows every target."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from types import TracebackType
from typing import Any, Self

from unit.host.v2g.given import VIEW

from vsecc_host.runtime.trace import Trace
from vsecc_host.station import events as e
from vsecc_host.station.values import CableCheck, CpState
from vsecc_host.v2g.service import V2gConfig, V2gService

MEASURE_S = 0.05
RAMP_V_PER_ROUND = 60.0


class ScriptedStation:
    """Async context manager; `events` holds what the service told, each with its cause id."""

    def __init__(self, *, endpoint: str = "sim://", accepted: bool = True) -> None:
        loop = asyncio.get_running_loop()
        self.loop = loop
        self.trace = Trace(loop.time)
        self.events: list[tuple[e.StationEvent, int]] = []
        self.view = replace(
            VIEW,
            cp_state=CpState.B,
            cable_check=CableCheck.IDLE,
            power=replace(VIEW.power, at=loop.time(), contactors_closed=False),
        )
        self.accepted = accepted
        self.target_v = self.target_a = 0.0
        self.v2g = V2gService(
            evse_id=1, endpoint=endpoint, trace=self.trace, on_event=self._on_event, config=V2gConfig()
        )
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        self.v2g.update(self.view)
        await self.v2g.start()
        self.v2g.accept(self.accepted)
        self._task = self.loop.create_task(self._measure())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        assert self._task is not None
        self._task.cancel()
        await self.v2g.stop()

    @property
    def sdp_url(self) -> str:
        host, port = self.v2g.sdp_address
        return f"sdp://[{host}]:{port}"

    @property
    def ends(self) -> list[e.V2gSessionEnded]:
        return [event for event, _ in self.events if isinstance(event, e.V2gSessionEnded)]

    def change(self, **changes: Any) -> None:
        self.view = replace(self.view, **changes)
        self.v2g.update(self.view)

    async def _measure(self) -> None:
        while True:
            power = self.view.power
            step = self.target_v - power.voltage_v
            step = max(-RAMP_V_PER_ROUND, min(RAMP_V_PER_ROUND, step))
            power = replace(
                power,
                at=self.loop.time(),
                voltage_v=power.voltage_v + step,
                current_a=self.target_a,
                contactors_closed=self.view.cable_check is CableCheck.PASSED,
            )
            self.change(power=power)
            await asyncio.sleep(MEASURE_S)

    def _on_event(self, event: e.StationEvent, cause: int) -> None:
        self.events.append((event, cause))
        match event:
            case e.V2gSessionStarted() | e.V2gSessionEnded():
                self.target_v = self.target_a = 0.0
                self.change(cable_check=CableCheck.IDLE, cp_state=CpState.B)
                if self.accepted and isinstance(event, e.V2gSessionEnded):
                    self.v2g.accept(True)
            case e.CableCheckRequested():
                self.change(cable_check=CableCheck.ONGOING)
                self.loop.call_later(0.02, lambda: self.change(cp_state=CpState.C))
                self.loop.call_later(0.1, lambda: self.change(cable_check=CableCheck.PASSED))
            case e.PreChargeRequested():
                self.target_v = event.voltage_v
            case e.ChargeTargetRequested():
                self.target_v, self.target_a = event.voltage_v, event.current_a
            case e.ChargeStopRequested():
                self.target_v = self.target_a = 0.0
                self.loop.call_later(0.03, lambda: self.change(cp_state=CpState.B))
