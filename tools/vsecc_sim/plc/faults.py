"""Faults of a simulated powerline: by name, as the control API takes them, and acts on single messages."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import StrEnum
from random import Random
from typing import Any

from vsecc_host.slac import codec
from vsecc_sim.plc.medium import Medium, clean
from vsecc_sim.plc.modem import Manners
from vsecc_sim.plc.site import FAR_DB, NEAR_DB, car_modem, outlet_modem

LATE_S = 0.15  # still inside TT_match_response
TOO_LATE_S = 1.5  # beyond every answer's time
LOSS_SHARE = 0.3
FOREIGN_MAC = bytes.fromhex("02eeeeeeee01")
_RUN_ID_AT = {0x6064: 21, 0x6065: 36, 0x606A: 30, 0x6076: 39, 0x606E: 27, 0x606F: 27, 0x607C: 69, 0x607D: 69}

Passed = Iterable[tuple[float, bytes]]
Change = Callable[[bytes, Random], Passed]


class UnknownLineFault(ValueError):
    """No fault of that name."""


class Do(StrEnum):
    """What becomes of a frame; `foreign` and `malformed` come in addition, before the true one."""

    LOSE = "lost"
    DOUBLE = "doubled"
    LATE = "late"
    TOO_LATE = "too late"
    FOREIGN = "foreign"  # the same from another host, and with another run id
    MALFORM = "malformed"  # cut short, and with changed bytes


def _foreign(raw: bytes) -> Passed:
    yield 0.0, raw[:6] + FOREIGN_MAC + raw[12:]
    at = _RUN_ID_AT.get(codec.mmtype_in(raw) or 0)
    if at is not None:
        yield 0.0, raw[:at] + bytes(b ^ 0x55 for b in raw[at : at + 8]) + raw[at + 8 :]
    yield 0.0, raw


def _malformed(raw: bytes, random: Random) -> Passed:
    yield 0.0, raw[: random.randrange(17, 30)]
    changed = bytearray(raw)
    changed[19:21] = b"\x01\x01"  # application and security type nobody has
    yield 0.0, bytes(changed)
    yield 0.0, raw[:17] + b"\xff\xff" + raw[19:]  # a fragment
    yield 0.0, raw[:14] + random.randbytes(random.randrange(3, 200))
    yield 0.0, raw


_CHANGES: dict[Do, Change] = {
    Do.LOSE: lambda raw, random: (),
    Do.DOUBLE: lambda raw, random: ((0.0, raw), (0.03, raw)),
    Do.LATE: lambda raw, random: ((LATE_S, raw),),
    Do.TOO_LATE: lambda raw, random: ((TOO_LATE_S, raw),),
    Do.FOREIGN: lambda raw, random: _foreign(raw),
    Do.MALFORM: _malformed,
}


@dataclass(slots=True)
class Act:
    """`do` with the next `times` frames of a type, of any type without one, on one outlet's line."""

    do: Do
    outlet: int
    mmtype: int | None = None
    times: float = float("inf")
    share: float = 1.0  # of the frames that would be concerned


class LineFaults:
    """What is wrong with `medium`'s lines at the moment; takes its `wire`."""

    def __init__(self, medium: Medium, *, seed: int = 1) -> None:
        self.acts: list[Act] = []
        self._medium = medium
        self._random = Random(seed)
        self._named: dict[tuple[str, int], Act] = {}
        medium.wire = self._wire

    def inject(self, code: str, active: bool, outlet: int, now: float) -> None:
        """Set or heal a fault of an outlet's line; UnknownLineFault."""
        if code not in FAULTS:
            raise UnknownLineFault(f"no fault {code}; there are {', '.join(sorted(FAULTS))}")
        FAULTS[code](self, active, outlet, now)

    def on_wire(self, code: str, act: Act, active: bool) -> None:
        """An act that stays until healed."""
        self._forget(self._named.pop((code, act.outlet), None))
        if active:
            self._named[code, act.outlet] = act
            self.acts.append(act)

    def manners(self, outlet: int) -> Manners:
        """Of the outlet's modem."""
        return self._medium.modems[outlet_modem(outlet)].manners

    def hear(self, outlet: int, car: int, loss_db: int | None, now: float) -> None:
        """How an outlet's modem hears a car's; None: not at all."""
        if loss_db is None:
            self._medium.part(car_modem(car), outlet_modem(outlet), now)
        else:
            self._medium.reconnect(car_modem(car), outlet_modem(outlet), loss_db, now)

    def others(self, outlet: int) -> list[int]:
        """The other outlets."""
        numbers = range(1, len(self._medium.modems) // 2 + 1)
        return [number for number in numbers if number != outlet]

    def _forget(self, act: Act | None) -> None:
        self.acts = [one for one in self.acts if one is not act]

    def _wire(self, sender: str, receiver: str, raw: bytes) -> Passed:
        for act in self.acts:
            line = (outlet_modem(act.outlet), car_modem(act.outlet))
            if sender not in line or receiver not in line:
                continue
            if act.mmtype not in (None, codec.mmtype_in(raw)) or self._random.random() >= act.share:
                continue
            act.times -= 1
            if act.times <= 0:
                self._forget(act)
            return _CHANGES[act.do](raw, self._random)
        return clean(sender, receiver, raw)


Inject = Callable[[LineFaults, bool, int, float], None]


def _manner(name: str, faulty: Any) -> Inject:
    healthy = getattr(Manners(), name)

    def inject(faults: LineFaults, active: bool, outlet: int, now: float) -> None:
        setattr(faults.manners(outlet), name, faulty if active else healthy)

    return inject


def _wire_fault(code: str, do: Do, share: float = LOSS_SHARE) -> Inject:
    def inject(faults: LineFaults, active: bool, outlet: int, now: float) -> None:
        faults.on_wire(code, Act(do, outlet, share=share), active)

    return inject


def _link_lost(faults: LineFaults, active: bool, outlet: int, now: float) -> None:
    faults.hear(outlet, outlet, None if active else NEAR_DB, now)


def _neighbour(loss_db: int) -> Inject:
    """The cars of the other outlets are heard here with this attenuation."""

    def inject(faults: LineFaults, active: bool, outlet: int, now: float) -> None:
        for other in faults.others(outlet):
            faults.hear(outlet, other, loss_db if active else FAR_DB, now)

    return inject


FAULTS: dict[str, Inject] = {
    "modem-dead": _manner("silent", True),
    "modem-no-set-key": _manner("takes_keys", False),
    "modem-refuses-key": _manner("refuse_keys", 1_000_000),
    "modem-slow-key": _manner("settle_s", 5.0),
    "modem-tells-nothing": _manner("tells_network", False),
    "modem-deaf": _manner("drop_sounds", frozenset(range(100))),
    "modem-unmeasuring": _manner("groups", 0),
    "sounds-lost": _manner("drop_sounds", frozenset((1, 4, 7))),
    "link-lost": _link_lost,
    "link-fails": _manner("joins", False),
    "line-lossy": _wire_fault("line-lossy", Do.LOSE),
    "line-doubling": _wire_fault("line-doubling", Do.DOUBLE, 1.0),
    "line-late": _wire_fault("line-late", Do.LATE),
    "line-noisy": _wire_fault("line-noisy", Do.MALFORM, 1.0),
    "neighbour-louder": _neighbour(NEAR_DB - 10),
    "neighbour-as-loud": _neighbour(NEAR_DB),
}
