"""Shares of the station's total power."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from unit.host.station.rig import Rig

from vsecc_host.station.events import ChargeTargetRequested, StationEvent
from vsecc_host.station.sharing import HEADROOM_W, PowerSharing
from vsecc_host.station.values import EvseView, Phase

IDLE_VIEW = Rig().machine.view


DRAWING = (Phase.CABLE_CHECK, Phase.PRE_CHARGE, Phase.CHARGING)


def view(evse_id: int, phase: Phase, relay_closed: bool = False) -> EvseView:
    return replace(IDLE_VIEW, evse_id=evse_id, phase=phase, relay_closed=relay_closed)


def asks(evse_id: int, power_w: float) -> ChargeTargetRequested:
    return ChargeTargetRequested(
        at=1.0, evse_id=evse_id, voltage_v=400.0, current_a=power_w / 400.0, soc_percent=50
    )


class Shared:
    """Two outlets and what they were told last."""

    def __init__(self, total_w: float | None) -> None:
        self.sharing = PowerSharing(total_w, (1, 2))
        self.phases = {1: Phase.IDLE, 2: Phase.IDLE}
        self.relays = {1: False, 2: False}
        self.told: dict[int, float] = {}

    def hear(self, event: StationEvent) -> None:
        views = [view(evse, phase, self.relays[evse]) for evse, phase in self.phases.items()]
        for limit in self.sharing.hear(event, views):
            assert limit.owner == "station_total" and limit.max_power_w is not None
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


def test_another_total_is_shared_at_once_and_nothing_is_forgotten() -> None:
    shared = Shared(100_000)
    shared.phases = {1: Phase.CHARGING, 2: Phase.CHARGING}
    shared.hear(asks(1, 90_000))
    shared.hear(asks(2, 10_000))
    shared.sharing.resize(100_000)  # some other setting changed
    shared.told.clear()
    shared.hear(asks(1, 85_000))
    assert shared.told == {}
    shared.sharing.resize(60_000)
    shared.hear(asks(1, 85_000))
    assert shared.told == {1: 60_000 - 10_000 - HEADROOM_W}  # the content car keeps what it has


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


def test_a_car_that_waits_for_its_card_takes_nothing_from_the_other() -> None:
    shared = Shared(100_000)
    shared.phases = {1: Phase.CHARGING, 2: Phase.SETUP}
    shared.hear(asks(1, 90_000))
    assert shared.told == {1: 100_000, 2: 50_000}  # what it will get is what it may be told
    shared.phases[2] = Phase.CABLE_CHECK
    shared.hear(asks(1, 90_000))
    assert shared.told == {1: 50_000, 2: 50_000}


@pytest.mark.parametrize("phase", [Phase.STOPPING, Phase.SETUP])
def test_a_share_is_free_only_when_no_energy_can_flow_any_more(phase: Phase) -> None:
    shared = Shared(100_000)
    shared.phases = {1: Phase.CHARGING, 2: Phase.CHARGING}
    shared.hear(asks(1, 90_000))
    shared.phases[2] = phase  # it stops, or negotiates again
    shared.relays[2] = True
    shared.hear(asks(1, 50_000))
    assert shared.told[1] == 50_000
    shared.relays[2] = False
    shared.hear(asks(1, 50_000))
    assert shared.told[1] == 100_000


def test_who_gives_is_told_before_who_gets() -> None:
    shared = Shared(100_000)
    shared.phases = {1: Phase.CHARGING, 2: Phase.CHARGING}
    shared.hear(asks(1, 90_000))
    shared.hear(asks(2, 10_000))
    views = [view(1, Phase.CHARGING), view(2, Phase.CHARGING)]
    changed = shared.sharing.hear(asks(2, 15_000), views)  # it wants its half back
    assert [limit.evse_id for limit in changed] == [1, 2]
    assert [limit.max_power_w for limit in changed] == [50_000, 50_000]


STORIES = st.lists(
    st.tuples(st.sampled_from((1, 2)), st.floats(0, 400_000), st.sampled_from(list(Phase))), max_size=30
)


@example([(1, 40_636.0, Phase.CHARGING), (2, 0.0, Phase.CHARGING)])  # a share that shrinks by a little
@given(STORIES)
def test_drawing_outlets_never_get_more_than_the_total(story: list[tuple[int, float, Phase]]) -> None:
    shared = Shared(100_000)
    for evse, power_w, phase in story:
        shared.phases[evse] = phase
        shared.hear(asks(evse, power_w))
        drawing = [one for one, now in shared.phases.items() if now in DRAWING]
        assert sum(shared.told.get(one, 0.0) for one in drawing) <= 100_000 + 1e-6
