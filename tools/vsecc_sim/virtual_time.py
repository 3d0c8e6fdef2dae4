"""An asyncio event loop whose clock jumps: hours of charging in seconds, real loopback sockets included.

Time stands still while callbacks run, while bytes are pending in a socket of this process and while a job
is in the executor; when all is quiet the clock jumps to the next timer. A peer in another process does not
see the jump: talk to such peers inside `hold()`, or use a paced loop, which follows real time and jumps only
where `advance` allows it.
"""

from __future__ import annotations

import asyncio
import os
import selectors
import time
from collections.abc import Callable, Coroutine, Iterator
from concurrent.futures import Executor
from contextlib import contextmanager
from typing import Any, TypeVar, TypeVarTuple

T = TypeVar("T")
Ts = TypeVarTuple("Ts")
Ready = list[tuple[selectors.SelectorKey, int]]

START_S = 1000.0  # first reading of the clock: not 0, so that "0 means never" mistakes show
_LOOK_S = 0.05  # real wait for descriptors while the clock must not jump
_STALL_S = 30.0  # real seconds without a timer and without a descriptor: nothing will wake the loop any more
_ROUND_UP_S = 1e-9  # a jump that ends just short of its timer would leave the loop spinning


class VirtualTimeStalled(RuntimeError):
    """No timer is set and no file descriptor becomes ready: the program waits for what cannot come."""


class _Clock:
    """Virtual seconds and the rule how they pass; `jump_until_s` is how far jumps are allowed."""

    def __init__(self, start_s: float, jump_until_s: float) -> None:
        self.now_s = start_s
        self.jump_until_s = jump_until_s
        self.holds = 0

    @property
    def free_s(self) -> float:
        """Seconds that may be jumped at once from here."""
        return 0.0 if self.holds else max(0.0, self.jump_until_s - self.now_s)


class _JumpingSelector(selectors.BaseSelector):
    """Polls the real descriptors and moves the clock instead of waiting."""

    def __init__(self, clock: _Clock, stall_s: float | None) -> None:
        self._real = selectors.DefaultSelector()
        self._clock = clock
        self._stall_s = stall_s
        self._quiet_s = 0.0

    def select(self, timeout: float | None = None) -> Ready:
        """Ready descriptors at once, else `timeout` s pass; `VirtualTimeStalled` when nothing can wake us."""
        busy = timeout is not None and timeout <= 0
        ready = self._real.select(0) if busy else self._poll()
        if ready or busy:
            self._quiet_s = 0.0
            return ready
        if timeout is not None and self._clock.free_s > 0:
            self._clock.now_s += min(timeout, self._clock.free_s) + _ROUND_UP_S
            self._quiet_s = 0.0
            return []
        return self._wait(timeout)

    def _poll(self) -> Ready:
        ready = self._real.select(0)
        if not ready:
            os.sched_yield()  # the kernel may hand loopback packets to its own thread under load
            ready = self._real.select(0)
        return ready

    def _wait(self, timeout: float | None) -> Ready:
        """Real time, either because jumping is not allowed or because only a descriptor can wake the loop."""
        began = time.monotonic()
        ready = self._real.select(_LOOK_S if timeout is None else min(timeout, _LOOK_S))
        waited_s = time.monotonic() - began
        if self._clock.jump_until_s <= self._clock.now_s:
            self._clock.now_s += waited_s
        self._quiet_s = 0.0 if ready or timeout is not None else self._quiet_s + waited_s
        if self._stall_s is not None and self._quiet_s > self._stall_s:
            raise VirtualTimeStalled("no timer is pending and no file descriptor becomes ready")
        return ready

    def register(self, fileobj: Any, events: int, data: Any = None) -> selectors.SelectorKey:
        """As the real selector."""
        return self._real.register(fileobj, events, data)

    def unregister(self, fileobj: Any) -> selectors.SelectorKey:
        """As the real selector."""
        return self._real.unregister(fileobj)

    def modify(self, fileobj: Any, events: int, data: Any = None) -> selectors.SelectorKey:
        """As the real selector."""
        return self._real.modify(fileobj, events, data)

    def get_map(self) -> Any:
        """As the real selector."""
        return self._real.get_map()

    def close(self) -> None:
        """As the real selector."""
        self._real.close()


class VirtualTimeLoop(asyncio.SelectorEventLoop):
    """Event loop in virtual seconds; `paced` follows real time and jumps only what `advance` granted."""

    def __init__(
        self, start_s: float = START_S, *, paced: bool = False, stall_s: float | None = _STALL_S
    ) -> None:
        self._virtual = _Clock(start_s, start_s if paced else float("inf"))
        super().__init__(_JumpingSelector(self._virtual, stall_s))

    def time(self) -> float:
        """Virtual monotonic seconds."""
        return self._virtual.now_s

    def advance(self, seconds: float) -> None:
        """Let a paced loop jump `seconds` ahead; every timer on the way fires at its own time, in order."""
        clock = self._virtual
        clock.jump_until_s = max(clock.jump_until_s, clock.now_s) + max(0.0, seconds)

    @contextmanager
    def hold(self) -> Iterator[None]:
        """No jumps inside: the clock of a free loop stands still while a thread or another process works."""
        self._virtual.holds += 1
        try:
            yield
        finally:
            self._virtual.holds -= 1

    def run_in_executor(
        self, executor: Executor | None, func: Callable[[*Ts], T], *args: *Ts
    ) -> asyncio.Future[T]:
        """As asyncio; the clock does not jump over a job, or a timeout around it would fire too early."""
        future: asyncio.Future[T] = super().run_in_executor(executor, func, *args)
        self._virtual.holds += 1
        future.add_done_callback(self._executor_done)
        return future

    def _executor_done(self, _future: asyncio.Future[Any]) -> None:
        self._virtual.holds -= 1


class VirtualTimePolicy(asyncio.DefaultEventLoopPolicy):
    """Policy for test runners that create loops themselves (pytest-asyncio: `event_loop_policy`)."""

    def new_event_loop(self) -> VirtualTimeLoop:
        """A fresh loop with a fresh clock."""
        return VirtualTimeLoop()


def run(main: Coroutine[Any, Any, T], *, start_s: float = START_S, paced: bool = False) -> T:
    """`asyncio.run` in virtual time."""
    with asyncio.Runner(loop_factory=lambda: VirtualTimeLoop(start_s, paced=paced)) as runner:
        return runner.run(main)


async def settle(condition: Callable[[], bool], *, within_s: float = 60.0, step_s: float = 0.01) -> None:
    """Let time pass in steps until `condition` holds; TimeoutError after `within_s`."""
    loop = asyncio.get_running_loop()
    end_s = loop.time() + within_s
    while not condition():
        if loop.time() >= end_s:
            raise TimeoutError(f"not settled within {within_s} s")
        await asyncio.sleep(step_s)
