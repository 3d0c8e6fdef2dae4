"""Monitor, inject and proxy on the real firmware, the emulator in virtual time."""

from __future__ import annotations

import asyncio
import json

import pytest

from vsecc_host.mcu_link.config import McuLinkConfig
from vsecc_host.mcu_link.service import McuLinkService
from vsecc_host.records.uart_tap import open_tap
from vsecc_host.runtime.trace import Trace
from vsecc_host.station.events import McuLinkLost, McuLinkUp
from vsecc_link import messages
from vsecc_sim import virtual_time
from vsecc_sim.mcu.service import McuEmulator
from vsecc_uart import endpoint
from vsecc_uart.faults import FAULTS
from vsecc_uart.filters import compile_filter
from vsecc_uart.inject import Bench, NoPeer, via_proxy
from vsecc_uart.proxy import ProxySource
from vsecc_uart.request import message_of, payload_of
from vsecc_uart.sources import HostSource, ListenSource, TapSource
from vsecc_uart.values import HOST, MCU, BadRecord, FrameRecord, GapRecord, NoteRecord
from vsecc_uart.watch import Watch


def emulator(**options):
    return McuEmulator("tcp://127.0.0.1:0", interpreter="cpython", in_process=True, **options)


def line_of(url):
    return endpoint.parse_line(url)


async def watched(source, seconds):
    records = []
    watch = Watch(records.append, baud=921_600)
    await watch.run(source, seconds)
    return records, watch.statistics


def frames(records, name):
    return [record for record in records if isinstance(record, FrameRecord) and record.name == name]


@pytest.mark.clause("S1")
def test_the_monitor_as_host_sees_the_pilot_and_permits_nothing():
    async def main():
        async with emulator() as mcu:
            loop = asyncio.get_running_loop()
            loop.call_later(1.0, mcu.ev(1).set_state, "B")
            loop.call_later(2.0, mcu.ev(1).set_state, "C")
            records, figures = await watched(HostSource(line_of(mcu.url)), 5.0)
            assert mcu.trace.last("relay1.closed") is None
            return records, figures

    records, figures = virtual_time.run(main())
    states = [
        record.fields()["state"] for record in frames(records, "CP_STATE") if record.fields()["port"] == 1
    ]
    assert states[-2:] == [messages.CP_B, messages.CP_C]
    assert {record.fields()["relays"] for record in frames(records, "GRANT")} == {0}
    ours = [record for record in records if isinstance(record, FrameRecord) and record.sender == HOST]
    assert {record.name for record in ours} == {"HELLO_REQUEST", "GRANT", "ACK"}
    assert not [record for record in records if isinstance(record, BadRecord | GapRecord)]
    assert figures.sides[MCU].kinds["STATUS"].every.mean == pytest.approx(0.02, abs=0.002)
    assert figures.on_wires.count > 30
    assert figures.sides[MCU].until_ack.count > 5
    assert figures.as_json()["sides"]["mcu"]["utilisation"] == pytest.approx(0.037, abs=0.01)


def test_listen_only_sends_nothing():
    async def main():
        async with emulator() as mcu:
            return await watched(ListenSource(line_of(mcu.url)), 1.0)

    records, figures = virtual_time.run(main())
    assert [type(record) for record in records] == [NoteRecord]
    assert figures.sides[HOST].bytes == figures.sides[MCU].bytes == 0


def test_clock_drift_is_found(monkeypatch):
    """The emulated crystal is made 200 ppm fast where its ticks leave the chip."""
    from vsecc_uart.drift import Drift

    drift = Drift()
    for index in range(2000):
        at_s = index * 0.02
        late_s = 0.001 + (index * 7919 % 13) / 1000  # queueing only ever delays
        drift.status(round(at_s * 1.0002e6) % (1 << 30), at_s + late_s)
    assert drift.ppm == pytest.approx(200, abs=15)
    drift.status(5, 40.1)  # the MCU restarted
    assert drift.ppm is None


def injected(action, *, lasts_s=0.0, wait_s=0.5):
    async def main():
        async with emulator() as mcu:
            mcu.ev(1).set_state("B")
            async with Bench(line_of(mcu.url)) as bench:
                await asyncio.sleep(0.5)
                mcu.ev(1).set_state("C")
                await asyncio.sleep(0.5)
                report = await bench.perform(action, lasts_s=lasts_s, wait_s=wait_s)
                await asyncio.sleep(1.5)
                up = bench.injector.link.up
            return report, up, mcu.trace.last("relay1.drive"), mcu.trace.entries()

    return virtual_time.run(main())


def sending(name, *fields, raw=False):
    message = message_of(name, list(fields))
    payload = payload_of(message, raw=raw)
    travel = messages.CATALOGUE[message[0]][2]
    return lambda injector, now: injector.send_payload(payload, travel, now)


def test_a_message_is_carried_out_and_acknowledged():
    report, up, _, entries = injected(sending("SET_LED", "led=1", "pattern=green"))
    assert report.acknowledged
    assert report.refusals == []
    assert ("led1", 2) in [(entry.name, entry.value) for entry in entries]
    assert up


@pytest.mark.clause("S7")
def test_a_forbidden_value_is_counted_and_moves_nothing():
    report, up, _, entries = injected(sending("SET_LED", "led=9", "pattern=4", raw=True))
    assert report.counters["rx_refused"] == 1
    assert ("led1", 4) not in [(entry.name, entry.value) for entry in entries]
    assert up


def test_what_the_mcu_will_not_do_comes_back_in_its_words():
    report, up, _, _ = injected(sending("SET_PILOT", "port=1", "mode=PWM", "duty_permille=0"))
    assert len(report.refusals) == 1
    assert report.refusals[0].startswith("SET_PILOT: ")
    assert up


@pytest.mark.clause("S7")
@pytest.mark.parametrize("name", sorted(FAULTS))
def test_no_fault_of_the_line_drives_a_relay_and_the_session_comes_back(name):
    """The car is in C all the while: a single wrong grant would close."""
    report, up, driven, _ = injected(
        lambda injector, now: injector.begin(FAULTS[name], now, ppm=20_000, size=300), lasts_s=1.5
    )
    assert driven is None
    assert up
    told = {
        "flip": report.counters.get("rx_bad", 0) > 0,
        "drop": report.counters.get("rx_bad", 0) > 0,
        "double": report.counters.get("rx_bad", 0) > 0,
        "cut": report.sessions_lost == 1,
        "garbage": report.counters.get("rx_bad", 0) + report.sessions_lost > 0,
        "half-frame": report.counters.get("rx_bad", 0) > 10,
        "bad-crc": report.counters.get("rx_bad", 0) > 10,
        "long-length": report.counters.get("rx_bad", 0) > 10,
        "foreign-session": report.counters.get("rx_refused", 0) > 10,
        "wrong-version": any("version" in text for text in report.refusals),
        "wrong-catalogue": any("catalogue" in text for text in report.refusals),
        "second-host": any(record.name == "HELLO" for record in report.answers),
        "flood": report.counters.get("rx_frames", 0) > 1000 or report.sessions_lost > 0,
    }
    assert told[name], report.text()


def test_nobody_there_is_told():
    async def main():
        server = await asyncio.start_server(lambda reader, writer: reader.read(), "127.0.0.1", 0)
        try:
            async with Bench(line_of(f"tcp://127.0.0.1:{server.sockets[0].getsockname()[1]}")):
                pass
        finally:
            server.close()

    with pytest.raises(NoPeer, match="no session with an MCU"):
        virtual_time.run(main())


async def until(condition, within_s=10.0):
    async with asyncio.timeout(within_s):
        while not condition():
            await asyncio.sleep(0.01)


def test_through_the_proxy_a_host_works_and_noise_is_seen(tmp_path):
    async def main():
        events, records = [], []
        loop = asyncio.get_running_loop()
        async with emulator() as mcu:
            proxy = ProxySource(line_of(mcu.url), "tcp://127.0.0.1:0", control=tmp_path / "ctl")
            watch = Watch(records.append, baud=921_600)
            run = asyncio.create_task(watch.run(proxy))
            await until(lambda: proxy.offered)
            host = McuLinkService(
                McuLinkConfig(url=proxy.offered),
                trace=Trace(loop.time),
                on_event=lambda event, cause: events.append(event),
            )
            await host.start()
            await until(lambda: any(isinstance(event, McuLinkUp) for event in events))
            host.set_led(2, 2)
            await until(lambda: mcu.trace.last("led2") is not None)
            assert not [record for record in records if isinstance(record, BadRecord)]
            control = str(tmp_path / "ctl")
            await via_proxy(control, {"from": "mcu", "flip_ppm": 3000, "seconds": 1.0})
            await asyncio.sleep(1.5)
            spoilt = [record for record in records if isinstance(record, BadRecord)]
            assert spoilt
            assert {record.sender for record in spoilt} == {MCU}
            await via_proxy(control, {"from": "host", "cut": True, "seconds": 1.0})
            await until(lambda: any(isinstance(event, McuLinkLost) for event in events))
            await until(lambda: isinstance(events[-1], McuLinkUp) or host.machine.accepted)
            with pytest.raises(ValueError, match="from"):
                await via_proxy(control, {"from": "car"})
            await host.stop()
            run.cancel()
            await asyncio.gather(run, return_exceptions=True)
        assert not (tmp_path / "ctl").exists()

    virtual_time.run(main())


def test_following_a_host_takes_nothing_from_it_and_survives_its_restart(tmp_path):
    async def live(mcu, gone):
        """One life of a host; `gone` says when its follower has noticed the end."""
        trace = Trace(asyncio.get_running_loop().time)
        tap = await open_tap(trace, tmp_path)
        host = McuLinkService(McuLinkConfig(url=mcu.url), trace=trace, on_event=lambda event, cause: None)
        await until(lambda: trace._listeners)
        await host.start()
        await until(lambda: host.machine.accepted)
        await asyncio.sleep(1.0)
        await host.stop()
        await tap.stop()
        await until(gone)

    async def main():
        records = []

        def ends():
            return sum("went away" in record.text for record in records if isinstance(record, NoteRecord))

        async with emulator() as mcu:
            watch = Watch(records.append, baud=921_600)
            run = asyncio.create_task(follow(watch))
            await live(mcu, lambda: ends() == 1)
            await asyncio.sleep(2.0)
            await live(mcu, lambda: ends() == 2)
            run.cancel()
            await asyncio.gather(run, return_exceptions=True)
        return records

    async def follow(watch):
        await until((tmp_path / "mcu.tap").exists)
        await watch.run(TapSource(tmp_path / "mcu.tap"))

    records = virtual_time.run(main())
    assert len(frames(records, "HELLO")) == 2
    assert len(frames(records, "STATUS")) > 80
    assert not [record for record in records if isinstance(record, BadRecord | GapRecord)]
    assert not [record for record in records if isinstance(record, FrameRecord) and record.marks]


def test_json_lines_hold_everything(tmp_path):
    from vsecc_uart.show import as_json

    async def main():
        async with emulator() as mcu:
            records, _ = await watched(HostSource(line_of(mcu.url)), 0.5)
            return records

    records = virtual_time.run(main())
    wanted = compile_filter("CP_STATE and port==1")
    (first, *_) = [json.loads(json.dumps(as_json(record))) for record in records if wanted(record)]
    assert first["message"] == "CP_STATE"
    assert first["from"] == "mcu"
    assert first["fields"]["port"] == 1
    assert first["names"]["state"] in messages.CP_NAMES
    assert bytes.fromhex(first["raw"]).startswith(b"\xa5\x5a")
