"""The virtual-time loop: order, sockets, executor, pacing."""

from __future__ import annotations

import asyncio
import time

import pytest

from vsecc_sim.virtual_time import START_S, VirtualTimeLoop, VirtualTimeStalled, run, settle


def test_an_hour_passes_at_once() -> None:
    async def main() -> float:
        await asyncio.sleep(3600)
        return asyncio.get_running_loop().time()

    began = time.monotonic()
    assert run(main()) == pytest.approx(START_S + 3600, abs=1e-3)
    assert time.monotonic() - began < 5


def test_timers_fire_in_order_and_at_their_own_time() -> None:
    async def main() -> list[tuple[str, float]]:
        loop = asyncio.get_running_loop()
        seen: list[tuple[str, float]] = []
        loop.call_later(2.0, lambda: seen.append(("late", loop.time() - START_S)))
        loop.call_later(0.5, lambda: seen.append(("early", loop.time() - START_S)))
        await asyncio.sleep(3)
        return seen

    (first, at_first), (second, at_second) = run(main())
    assert (first, second) == ("early", "late")
    assert at_first == pytest.approx(0.5, abs=1e-6)
    assert at_second == pytest.approx(2.0, abs=1e-6)


@pytest.mark.parametrize("rounds", [500])
def test_loopback_round_trips_take_no_virtual_time(rounds: int) -> None:
    async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(100):
            writer.write(data)
        writer.close()

    async def main() -> float:
        loop = asyncio.get_running_loop()
        server = await asyncio.start_server(echo, "::1", 0)
        port = server.sockets[0].getsockname()[1]
        reader, writer = await asyncio.open_connection("::1", port)
        began = loop.time()
        for _ in range(rounds):
            writer.write(b"x" * 40)
            # a jump while bytes are on their way would fire this timeout, however short
            await asyncio.wait_for(reader.readexactly(40), 0.001)
        spent = loop.time() - began
        writer.close()
        server.close()
        return spent

    assert run(main()) < 0.001


def test_a_job_in_the_executor_is_waited_for() -> None:
    async def main() -> str:
        loop = asyncio.get_running_loop()
        return await asyncio.wait_for(loop.run_in_executor(None, _slow_job), 0.001)

    assert run(main()) == "done"


def _slow_job() -> str:
    time.sleep(0.05)  # real work in a real thread
    return "done"


def test_hold_stops_the_clock() -> None:
    async def main() -> float:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, VirtualTimeLoop)
        timer = loop.create_task(asyncio.sleep(10))
        before = loop.time()
        with loop.hold():
            await loop.run_in_executor(None, _slow_job)
            held = loop.time() - before
        await timer
        return held

    assert run(main()) == pytest.approx(0.0, abs=1e-6)


def test_a_stall_is_named() -> None:
    loop = VirtualTimeLoop(stall_s=0.1)
    try:
        with pytest.raises(VirtualTimeStalled):
            loop.run_until_complete(asyncio.Event().wait())
    finally:
        loop.close()


def test_paced_loop_follows_real_time_and_jumps_when_told() -> None:
    async def main() -> tuple[float, float]:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, VirtualTimeLoop)
        began, real = loop.time(), time.monotonic()
        await asyncio.sleep(0.1)
        paced = time.monotonic() - real
        loop.advance(7200)
        await asyncio.sleep(7000)
        assert loop.time() - began < 7100
        return paced, time.monotonic() - real

    paced, total = run(main(), paced=True)
    assert paced >= 0.09
    assert total < 5


def test_settle_times_out_in_virtual_time() -> None:
    began = time.monotonic()
    with pytest.raises(TimeoutError):
        run(settle(lambda: False, within_s=500, step_s=1))
    assert time.monotonic() - began < 5
