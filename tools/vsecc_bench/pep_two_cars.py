"""Two cars at our host, which runs in a process of its own; cars, MCU emulator and PECC live in this one."""

from __future__ import annotations

import asyncio
import bisect
import contextlib
import itertools
import json
import os
import signal
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from vsecc_bench import wire_pep, wire_tcp
from vsecc_bench.pep_figures import Figures
from vsecc_bench.session import HOST_UP_S, sdp_addresses
from vsecc_sim.ev import values as ev
from vsecc_sim.ev.profiles import load_profile
from vsecc_sim.ev.simulator import EvSimulator
from vsecc_sim.mcu.service import McuEmulator
from vsecc_sim.pecc.config import PeccConfig
from vsecc_sim.pecc.point import ChargePoint
from vsecc_sim.pecc.service import PeccServer
from vsecc_sim.plant.battery import Battery, BatteryData, Wanted
from vsecc_sim.station.outlet import EmulatedPilot

FIRST_A, STEP_A, CURRENTS = 20.0, 0.1, 300  # what a car asks for, each in a range of its own
LOOPBACK = "::1"  # cars and PECC; the MCU emulator's bytes go over IPv4 and are not looked at
_CHARGE = b'"chargingState":"charge"'


class Watched(ChargePoint):
    """Notes when targets of the charge loop arrive."""

    def __init__(self, number: int, config: PeccConfig) -> None:
        super().__init__(number, config)
        self.targets_at: list[float] = []

    def receive(self, data: str | bytes, now: float) -> None:
        """As the charge point."""
        if _CHARGE in (data.encode() if isinstance(data, str) else data):
            self.targets_at.append(now)
        super().receive(data, now)


class Restless(Battery):
    """Wants another current at every look, so that each request can be told from the others on the wire."""

    def __init__(self, data: BatteryData, soc_percent: float, first_a: float) -> None:
        super().__init__(data, soc_percent)
        self._first_a = first_a
        self._looks = itertools.count()

    def wanted(self) -> Wanted:
        """The voltage of the car, and the next of many currents."""
        return Wanted(self.data.max_voltage_v, self._first_a + STEP_A * (next(self._looks) % CURRENTS))


class Asking(EvSimulator):
    """A car that remembers when it sent its requests of the charge loop, and to which port."""

    asked_at: list[float]

    @property
    def secc_port(self) -> int | None:
        """TCP port of its session."""
        return None if self._line is None else self._line.charger_port

    def _event(self, event: ev.Event) -> None:
        if isinstance(event, ev.Answered) and event.message == "CurrentDemandRes":
            self.asked_at.append(event.at - event.response_s)
        super()._event(event)


async def two_cars(profile: str, seconds: float, reply_s: float, progress: Callable[[str], None]) -> Figures:
    """Both cars of a profile charge for a while; the PECC takes `reply_s` for every answer."""
    progress(f"two cars ({profile}) for {seconds:.0f} s, the PECC answers after {reply_s * 1000:.0f} ms")
    config = PeccConfig(manners=replace(PeccConfig().manners, reply_delay_s=reply_s))
    points = [Watched(number, config) for number in (1, 2)]
    server = PeccServer(points, host=LOOPBACK)
    await server.start()
    for number in server.links:
        server.links[number].supervise(True)  # the relay's wire ends in another process
    name = f"vsecc, two cars, PECC answers after {reply_s * 1000:.0f} ms"
    try:
        async with McuEmulator(url="tcp://127.0.0.1:0", interpreter="auto") as mcu:
            return await _with_host(profile, seconds, Figures(name), mcu, server, points)
    finally:
        await server.stop()


async def _with_host(
    profile: str,
    seconds: float,
    figures: Figures,
    mcu: McuEmulator,
    server: PeccServer,
    points: list[Watched],
) -> Figures:
    with tempfile.TemporaryDirectory() as folder, _tapped() as tap:
        config = Path(folder) / "factory.json"
        config.write_text(json.dumps(_factory_defaults(mcu, server)))
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "vsecc_cli.main", "run", "--factory", str(config),
            stdout=asyncio.subprocess.PIPE,
        )  # fmt: skip
        try:
            addresses = await asyncio.wait_for(sdp_addresses(process), HOST_UP_S)
            await asyncio.wait_for(_linked(points), HOST_UP_S)
            cars, results, ports = await _charge(profile, seconds, mcu, addresses)
        finally:
            process.send_signal(signal.SIGTERM)
            await process.wait()
    notes = []
    if tap is not None and not tap.complete:
        notes.append("the tap lost frames")
    elif tap is not None:
        asked, sent = wire_pep.wishes(tap.segments, server.port, ports)
        figures.wire_ms = wire_pep.delays_ms(asked, sent)
    for car, result, point in zip(cars, results, points, strict=True):
        figures.answers_ms += result.answers.get("CurrentDemandRes", [])
        figures.targets_ms += _delays_ms(car.asked_at, point.targets_at)
        if result.end is not ev.EvEnd.STOPPED_BY_DRIVER:
            notes.append(f"a car ended by {result.end}")
    notes += sorted({f"the PECC noted {rule}" for point in points for rule in point.conduct.counts})
    figures.note = "; ".join(notes)
    return figures


def _factory_defaults(mcu: McuEmulator, server: PeccServer) -> list[dict[str, Any]]:
    entries: list[dict[str, Any]] = [{"component": "Mcu", "variable": "Url", "value": mcu.url}]
    for number in server.links:
        power = {"Type": "Websocket", "Uri": server.url(number), "PepVersion": "auto"}
        entries += [
            {"component": "PowerElectronics", "variable": variable, "evse": number, "value": value}
            for variable, value in power.items()
        ]
    return entries


@contextlib.contextmanager
def _tapped() -> Iterator[wire_tcp.Tap | None]:
    """What passes the loopback meanwhile; None where that may not be read."""
    if os.geteuid() != 0:
        yield None
        return
    with wire_tcp.watching("lo") as tap:
        yield tap


async def _linked(points: list[Watched]) -> None:
    while not all(point.linked for point in points):
        await asyncio.sleep(0.05)


async def _charge(
    profile: str, seconds: float, mcu: McuEmulator, addresses: dict[int, str]
) -> tuple[list[Asking], list[Any], set[int]]:
    """The cars, their results, and the TCP ports of their sessions."""
    cars = []
    for evse, address in addresses.items():
        pilot = EmulatedPilot(mcu, evse)
        pilot.set_state("B")
        data = load_profile(profile).battery
        car = Asking(
            profile,
            sdp=f"sdp://{address}",
            bus=None,
            battery=Restless(data, 30.0, FIRST_A + 2 * (evse - 1) * STEP_A * CURRENTS),
            pilot=pilot,
            target_soc_percent=100.0,
        )
        car.asked_at = []
        cars.append(car)
    tasks = [asyncio.create_task(car.run()) for car in cars]
    await asyncio.sleep(seconds)
    ports = {car.secc_port for car in cars}
    for car in cars:
        car.request_stop()
    return cars, list(await asyncio.gather(*tasks)), {port for port in ports if port is not None}


def _delays_ms(asked_at: list[float], targets_at: list[float]) -> list[float]:
    """Each target from the newest request before it; of several for one request the first counts."""
    delays: dict[int, float] = {}
    for at in targets_at:
        index = bisect.bisect_right(asked_at, at) - 1
        if index >= 0:
            delays.setdefault(index, (at - asked_at[index]) * 1000)
    return list(delays.values())
