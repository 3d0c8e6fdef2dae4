"""A charge point in exact virtual time, and a SECC that sends what a test wants."""

from __future__ import annotations

import json
from typing import Any

from vsecc_host.pep.versions import PepVersion
from vsecc_sim.pecc.config import PeccConfig
from vsecc_sim.pecc.faults import Fault
from vsecc_sim.pecc.outputs import Send
from vsecc_sim.pecc.point import ChargePoint


class Rig:
    """Moves time, keeps every frame of the PECC."""

    def __init__(self, config: PeccConfig | None = None, load: Any = None, version=PepVersion.V1_8) -> None:
        self.now = 100.0
        self.number = 0
        self.frames: list[tuple[float, str | bytes]] = []
        self.others: list[Any] = []
        self.point = ChargePoint(1, config, load)
        self.point.switch_on(self.now)
        self.version = version

    def connect(self) -> Rig:
        self.point.connected(self.version, self.now)
        self._collect()
        return self

    def _collect(self) -> None:
        for output in self.point.take():
            if isinstance(output, Send):
                self.frames.append((self.now, output.data))
            else:
                self.others.append(output)
                if type(output).__name__ == "Ping":
                    self.point.pong(self.now)

    def wait(self, seconds: float) -> None:
        end = self.now + seconds
        while (due := self.point.next_deadline()) is not None and due <= end:
            self.now = max(self.now, due)
            self.point.tick(self.now)
            self._collect()
        self.now = end

    def send(self, data: str | bytes) -> None:
        self.point.receive(data, self.now)
        self._collect()

    def ask(self, kind: str, wait_s: float = 0.02, **payload: Any) -> dict[str, Any]:
        """A request and its reply."""
        self.number += 1
        self.send(
            json.dumps({"type": "request", "kind": kind, "sequenceNumber": self.number, "payload": payload})
        )
        self.wait(wait_s)
        replies = [one for one in self.messages() if one.get("sequenceNumber") == self.number]
        return replies[-1] if replies else {}

    def info(self, kind: str, **payload: Any) -> None:
        self.send(json.dumps({"type": "info", "kind": kind, "payload": payload}))

    def target(self, volts: float, amperes: float, state: str) -> dict[str, Any]:
        return self.ask(
            "targetValues",
            targetVoltage=volts,
            targetCurrent=amperes,
            batteryStateOfCharge=50,
            chargingState=state,
        )

    def messages(self) -> list[dict[str, Any]]:
        return [json.loads(data) for _, data in self.frames if isinstance(data, str)]

    @property
    def status(self) -> dict[str, Any]:
        return [one for one in self.messages() if one["kind"] == "status"][-1]["payload"]

    def fault(self, name: str, active: bool = True, value: float | None = None) -> None:
        self.point.inject(Fault(name, active, value), self.now)
        self._collect()

    def broken(self) -> list[str]:
        return [finding.rule for finding in self.point.conduct.findings]

    # --- a SECC that keeps the rules -----------------------------------------------------------------------

    def configure(self) -> dict[str, Any]:
        return self.ask("configuration")["payload"]

    def plug(self) -> None:
        self.configure()
        self.info("evConnectionState", evConnectionState="connected")
        self.info("chargingSession", evMaxVoltageVolts=450, evMaxCurrentAmperes=200)
        self.info("evConnectionState", evConnectionState="energyTransferAllowed")
        self.point.supervise(True, self.now)

    def close(self) -> None:
        self.plug()
        self.ask("contactorsStatus", contactorsStatus="closed")
        self.wait(0.3)

    def check(self) -> None:
        self.close()
        self.ask("cableCheck", voltage=500)
        self.wait(5.0)

    def pre_charge(self) -> None:
        self.check()
        for _ in range(10):
            self.target(400, 2, "preCharge")
            self.wait(0.2)

    def charge(self, amperes: float = 100) -> None:
        self.pre_charge()
        for _ in range(20):
            self.target(420, amperes, "charge")
            self.wait(0.2)

    def stop(self) -> None:
        self.target(0, 0, "postCharge")
        self.wait(0.6)
        self.info("evConnectionState", evConnectionState="connected")
        self.point.supervise(False, self.now)
        self.ask("reset")
        self.wait(1.0)
        self.info("evConnectionState", evConnectionState="disconnected")
