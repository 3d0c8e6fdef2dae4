"""Bad input from every side while a car charges: the session, the outputs and the next car do not notice."""

from __future__ import annotations

import asyncio
import random
import socket

from vsecc_host.station.values import Phase
from vsecc_sim import virtual_time
from vsecc_sim.station import report
from vsecc_sim.station.options import StationOptions
from vsecc_sim.station.station import SimulatedStation

CONNECTS = 1000


async def charging(station: SimulatedStation) -> None:
    await virtual_time.settle(
        lambda: station.view(1).phase is Phase.CHARGING and station.view(1).power.current_a > 10.0,
        within_s=60.0,
    )


def noise(seed: int, size: int) -> bytes:
    return random.Random(seed).randbytes(size)


async def shout_at_discovery(station: SimulatedStation) -> None:
    """Random, truncated and oversized datagrams at the SDP port."""
    host, port = station.app.evses[1].v2g.sdp_address
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as sock:
        for seed in range(200):
            sock.sendto(noise(seed, seed * 7 % 1400 + 1), (host, port))
        sock.sendto(b"\x01\xfe\x90\x00\xff\xff\xff\xff\x10\x00", (host, port))
        sock.sendto(b"\x01\xfe\x90", (host, port))
    await asyncio.sleep(0.5)


async def crowd_the_listener(station: SimulatedStation) -> None:
    """A thousand connects, some with garbage, some half open, none served."""
    host, _ = station.app.evses[1].v2g.sdp_address
    port = station.app.evses[1].v2g.tcp_port
    for seed in range(CONNECTS):
        reader, writer = await asyncio.open_connection(host, port)
        if seed % 3 == 0:
            writer.write(noise(seed, 300))
        if seed % 50 == 0:
            assert await reader.read() == b""
        writer.close()
    await asyncio.sleep(0.5)


def test_a_session_survives_garbage_on_udp_tcp_and_uart() -> None:
    async def scene() -> None:
        options = StationOptions(evses=1, interpreter="cpython", capacity_wh=2000.0)
        async with SimulatedStation(options) as station:
            station.plug(1)
            await charging(station)
            before = len(asyncio.all_tasks())
            await shout_at_discovery(station)
            await crowd_the_listener(station)
            station.mcu.inject("uart-noise", value=500)  # ppm of bytes flipped, dropped, doubled
            await asyncio.sleep(10.0)
            station.mcu.inject("uart-noise", False)
            assert station.view(1).phase is Phase.CHARGING
            assert station.mcu.relay(1).closed
            assert len(asyncio.all_tasks()) <= before + 3
            await station.session_over(1)
            await station.unplug(1)
            assert report.summary(station)["goal"]
            measured = station.app.snapshot().measured
            assert measured["rx_bad"] > 0, "the noise did not reach the firmware"

    virtual_time.run(scene())


def test_every_outlet_serves_the_next_car_after_garbage_as_a_first_message() -> None:
    async def scene() -> None:
        options = StationOptions(evses=1, interpreter="cpython", capacity_wh=400.0)
        async with SimulatedStation(options) as station:
            station.plug_external(1)
            await virtual_time.settle(lambda: station.view(1).phase is Phase.CONNECTED, within_s=5.0)
            host, _ = station.app.evses[1].v2g.sdp_address
            for seed in range(20):
                port = station.app.evses[1].v2g.tcp_port
                _, writer = await asyncio.open_connection(host, port)
                writer.write(b"\x01\xfe\x80\x01\x00\x00\x00\x40" + noise(seed, 64))
                await asyncio.sleep(1.0)
                writer.close()
            assert not station.mcu.relay(1).closed
            await station.unplug(1, orderly=False)
            station.plug(1)
            await station.session_over(1)
            await station.unplug(1)
            assert report.summary(station)["goal"]

    virtual_time.run(scene())
