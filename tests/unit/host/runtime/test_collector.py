"""What the collector freezes goes in the end, cycles included."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Iterator

import pytest

from vsecc_host.runtime.collector import THOROUGH_EVERY, Collector


class Session:
    """Holds itself, as callbacks make parts of a session do."""

    def __init__(self) -> None:
        self.me = self


@pytest.fixture(autouse=True)
def collector_as_before() -> Iterator[None]:
    """Other tests see the collector of the interpreter's start."""
    threshold = gc.get_threshold()
    yield
    gc.unfreeze()
    gc.set_threshold(*threshold)


def test_a_cycle_that_was_alive_in_a_quiet_moment_goes_in_a_later_one() -> None:
    collector = Collector()
    collector.settle()
    session = Session()
    left = weakref.ref(session)
    collector.quiet()  # the session's last second: frozen
    del session
    for _ in range(THOROUGH_EVERY):
        collector.quiet()
    assert left() is None


def test_young_cycles_go_at_once() -> None:
    collector = Collector()
    collector.settle()
    left = weakref.ref(Session())
    collector.quiet()
    assert left() is None
