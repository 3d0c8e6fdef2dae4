"""Shares of the station's total power."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from unit.host.station.rig import Rig

from vsecc_host.station.events import ChargeTargetRequested, StationEvent
from vsecc_host.station.sharing import HEADROOM_W, OWNER, PowerSharing
from vsecc_host.station.values import EvseView, Phase

IDLE_VIEW = Rig().machine.view


def view(evse_id: int, phase: Phase) -> EvseView:
    return replace(IDLE_VIEW, evse_id=evse_id, phase=phase)


def asks(evse_id: int, power_w: float) -> ChargeTargetRequested:
    return ChargeTargetRequested(
        at=1.0, evse_id=evse_id, voltage_v=400.0, current_a=power_w / 400.0, soc_percent=50
    )


class Shared:
    """Two outlets and what they were told last."""

    def __init__(self, total_w: float | None) -> None:
        self.sharing = PowerSharing(total_w, (1, 2))
        self.phases = {1: Phase.IDLE, 2: Phase.IDLE}
        self.told: dict[int, float] = {}

    def hear(self, event: StationEvent) -> None:
        for limit in self.sharing.hear(event, [view(evse, phase) for evse, phase in self.phases.items()]):
            assert limit.owner == OWNER and limit.max_power_w is not None
            self.told[limit.evse_id] = limit.max_power_w


def test_without_a_total_nobody_is_limited() -> None:
    shared = Shared(None)
    shared.hear(asks(1, 90_000))
    assert shared.told == {}


def test_one_car_may_have_everything() -> None:
    shared = Shared(100_000)
    shared.phases[1] = Phase.CHARGING
    shared.hear(asks(1, 95_000))
    assert shared.told[1] == 100_000


def test_one_car_that_asks_for_little_is_not_cut_to_it() -> None:
    shared = Shared(100_000)
    shared.phases[1] = Phase.CHARGING
    shared.hear(asks(1, 400))
    assert shared.told[1] == pytest.approx(100_000)


def test_a_car_that_asks_for_nothing_yet_keeps_its_equal_share() -> None:
    shared = Shared(100_000)
    shared.phases = {1: Phase.CHARGING, 2: Phase.CHARGING}
    shared.hear(asks(1, 90_000))
    shared.hear(asks(2, 0))
    assert shared.told == {1: 50_000, 2: 50_000}


def test_two_hungry_cars_share_equally() -> None:
    shared = Shared(100_000)
    shared.phases = {1: Phase.CHARGING, 2: Phase.CHARGING}
    shared.hear(asks(1, 90_000))
    shared.hear(asks(2, 90_000))
    assert shared.told == {1: 50_000, 2: 50_000}


def test_a_content_car_leaves_the_rest_to_the_other() -> None:
    shared = Shared(100_000)
    shared.phases = {1: Phase.CHARGING, 2: Phase.CHARGING}
    shared.hear(asks(1, 90_000))
    shared.hear(asks(2, 10_000))
    assert shared.told == {1: 100_000 - 10_000 - HEADROOM_W, 2: 10_000 + HEADROOM_W}


def test_a_car_that_leaves_gives_its_share_back() -> None:
    shared = Shared(100_000)
    shared.phases = {1: Phase.CHARGING, 2: Phase.CHARGING}
    shared.hear(asks(1, 90_000))
    shared.phases[2] = Phase.FINISHED
    shared.hear(asks(1, 50_000))
    assert shared.told[1] == 100_000


def test_a_grown_appetite_is_noticed_within_its_headroom() -> None:
    shared = Shared(100_000)
    shared.phases = {1: Phase.CHARGING, 2: Phase.CHARGING}
    shared.hear(asks(1, 90_000))
    shared.hear(asks(2, 10_000))
    for _ in range(20):
        shared.hear(asks(2, min(90_000, shared.told[2])))
    assert shared.told == {1: pytest.approx(50_000), 2: pytest.approx(50_000)}


@given(
    st.lists(
        st.tuples(st.sampled_from((1, 2)), st.floats(0, 400_000), st.sampled_from(list(Phase))), max_size=30
    )
)
def test_drawing_outlets_never_get_more_than_the_total(story: list[tuple[int, float, Phase]]) -> None:
    shared = Shared(100_000)
    for evse, power_w, phase in story:
        shared.phases[evse] = phase
        shared.hear(asks(evse, power_w))
        drawing = [one for one, now in shared.phases.items() if now in (Phase.CHARGING, Phase.PRE_CHARGE)]
        assert sum(shared.told.get(one, 0.0) for one in drawing) <= 100_000 + 2 * 500.0
