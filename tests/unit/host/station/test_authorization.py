"""Who may charge without a back end."""

from __future__ import annotations

from vsecc_host.station.authorization import FREE_VEND, LocalAuthorization
from vsecc_host.station.commands import RequestAuthorization

ASKED = RequestAuthorization(evse_id=1, evcc_id="AA", protocol="din")


def test_without_authorization_every_car_may_charge():
    decided = LocalAuthorization(enabled=False).request(ASKED, 5.0)
    assert [(x.evse_id, x.accepted, x.who, x.at) for x in decided] == [(1, True, FREE_VEND, 5.0)]


def test_a_token_lets_those_charge_that_wait_for_one():
    local = LocalAuthorization(enabled=True)
    assert local.request(ASKED, 5.0) == []
    assert local.waiting == {1}
    assert [x.evse_id for x in local.token("04AABB", {1, 2}, 6.0)] == [1]
    assert local.token("04AABB", {1, 2}, 7.0) == []


def test_a_car_that_left_waits_no_longer():
    local = LocalAuthorization(enabled=True)
    local.request(ASKED, 5.0)
    local.forget(1)
    assert local.waiting == frozenset()
