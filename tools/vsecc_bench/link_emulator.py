"""Latency of the link with the real MCU program in the emulator, whose clock jitters by milliseconds."""

from __future__ import annotations

import asyncio
import random
import time

from vsecc_host.mcu_link.service import McuLinkConfig, McuLinkService
from vsecc_host.runtime.trace import Trace
from vsecc_host.station.events import CpStateChanged, McuLinkUp, StationEvent
from vsecc_host.station.values import PilotMode
from vsecc_sim.mcu.service import McuEmulator
from vsecc_sim.mcu.trace import Entry

GAP_S = (0.03, 0.05)  # longer than the MCU takes to confirm a state
DUTIES_PERMILLE = (100, 101)
START_TIMEOUT_S = 10.0


class _Stopwatch:
    """Latencies in ms: to the host by the MCU's time of the change, to the MCU as the emulator reports."""

    def __init__(self) -> None:
        self.up = asyncio.Event()
        self.to_host_ms: list[float] = []
        self.to_mcu_ms: list[float] = []
        self.commanded: tuple[int, float] | None = None

    def on_event(self, event: StationEvent, _cause: int) -> None:
        """From the host service."""
        if isinstance(event, CpStateChanged):
            self.to_host_ms.append((time.monotonic() - event.at) * 1000)
        elif isinstance(event, McuLinkUp):
            self.up.set()

    def on_change(self, entry: Entry) -> None:
        """From the emulator: the car's end measures another duty cycle."""
        if self.commanded and entry.name == "pilot1.duty" and entry.value == self.commanded[0]:
            self.to_mcu_ms.append((time.monotonic() - self.commanded[1]) * 1000)
            self.commanded = None


async def emulator_latency(events: int) -> tuple[str, dict[str, list[float]]]:
    """What ran, and latencies in ms by direction; InterpreterUnavailable or OSError without an emulator."""
    watch = _Stopwatch()
    async with McuEmulator() as mcu:
        mcu.on_change.append(watch.on_change)
        config = McuLinkConfig(url=mcu.url, host_version="bench")
        service = McuLinkService(config, trace=Trace(time.monotonic), on_event=watch.on_event)
        await service.start()
        try:
            await asyncio.wait_for(watch.up.wait(), START_TIMEOUT_S)
            await _drive(mcu, service, watch, events)
        finally:
            await service.stop()
        name = mcu.interpreter.describe()
    return name, {"CP change to host event": watch.to_host_ms, "command to pin": watch.to_mcu_ms}


async def _drive(mcu: McuEmulator, service: McuLinkService, watch: _Stopwatch, events: int) -> None:
    rng = random.Random(8)
    service.set_pilot(1, PilotMode.PWM, 50)
    mcu.ev(1).set_state("B")
    await asyncio.sleep(1.0)
    watch.to_host_ms.clear()
    for index in range(events):
        mcu.ev(1).set_state("CB"[index % 2])
        await asyncio.sleep(rng.uniform(*GAP_S))
        duty = DUTIES_PERMILLE[index % 2]
        watch.commanded = (duty, time.monotonic())
        service.set_pilot(1, PilotMode.PWM, duty)
        await asyncio.sleep(rng.uniform(*GAP_S))
