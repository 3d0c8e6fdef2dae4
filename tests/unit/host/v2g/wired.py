"""A car, the V2G connection and the real station heart on one clock; the MCU and the power are the test's."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from unit.host.station.rig import LIMITS, Rig
from unit.host.v2g.car import Car
from unit.host.v2g.given import NOW

from vsecc_host.station import events as e
from vsecc_host.station.config import EvseConfig
from vsecc_host.station.values import CpState, Isolation, Phase
from vsecc_host.v2g.dc.kinds import Kind as K

BATTERY_V = 376.0


class Wired:
    """`rig` is the heart with its commands, `car` the connection."""

    def __init__(self, kind: type[Car], config: EvseConfig, max_power_w: float = LIMITS.max_power_w) -> None:
        rig = self.rig = Rig(config)
        rig.now = NOW
        rig.power = replace(rig.power, at=NOW)
        rig.to(Phase.IDLE)
        rig.evse(e.PowerLimitsTold, limits=replace(LIMITS, max_power_w=max_power_w))
        rig.plug()
        self.car = kind(rig.view)

    def send(self, body: Any) -> list[Any]:
        """A request now; what the station says is heard at once."""
        self.car.now = self.rig.now
        self.car.link.update(self.rig.view, self.rig.now)
        self.car.link.receive(self.car.pack(body), self.rig.now)
        answers: list[Any] = []
        while True:
            told = len(self.car.events)
            answers += self.car.take()
            if len(self.car.events) == told:
                return answers
            for event in self.car.events[told:]:
                self.rig.tell(event)
            self.car.link.update(self.rig.view, self.rig.now)

    def ask(self, kind: K) -> list[Any]:
        """The ordinary request of this kind."""
        return self.send(self.car.requests[kind])

    def charge_until_pre_charge(self) -> None:
        """A healthy session up to, not including, the first PreChargeReq."""
        rig, car = self.rig, self.car
        car.shake_hands()
        for kind in car.path[: car.path.index(K.CABLE_CHECK)]:
            self.ask(kind)
            if kind is K.SESSION_SETUP:
                rig.evse(e.AuthorizationDecided, accepted=True, who="test")
        rig.cp(CpState.C)
        self.ask(K.CABLE_CHECK)
        rig.relay(True)
        rig.measure(contactors_closed=True)
        rig.evse(e.CableCheckDone, isolation=Isolation.VALID)
        self.ask(K.CABLE_CHECK)

    def charge(self) -> None:
        """A healthy session up to the loop, and until the limits have stood for a while."""
        rig = self.rig
        self.charge_until_pre_charge()
        self.ask(K.PRE_CHARGE)
        rig.measure(voltage_v=BATTERY_V, isolation=Isolation.VALID)
        self.ask(K.POWER_DELIVERY_ON)
        for _ in range(12):
            self.ask(K.CURRENT_DEMAND)
            rig.wait(0.5)
        assert rig.phase is Phase.CHARGING
        rig.log.clear()
