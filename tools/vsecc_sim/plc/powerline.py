"""A powerline on network namespaces: one for the station, one per car, one for the modems between them.

    with Powerline(outlets=2, cars=1) as line:
        shell = line.shell()          # in a running loop; carries the frames
        line.station                  # namespace of the station, its interfaces plc1, plc2
        line.ev_socket(1)             # SLAC socket of the first car, interface plc0 in line.car(1)

Frames are carried in software, so that attenuation, drops and link gating apply. Everything is removed at the
end, also when the process is killed: the next one sweeps.
"""

from __future__ import annotations

import atexit
from functools import partial
from types import TracebackType

from vsecc_host.slac.raw_socket import ALL_TYPES, RawSocket
from vsecc_sim.plc import namespaces
from vsecc_sim.plc.medium import DEFAULT_JOIN_S, Medium
from vsecc_sim.plc.shell import MediumShell, open_homeplug
from vsecc_sim.plc.site import CAR_HOST, OUTLET_HOST, car_modem, mac, outlet_interface, outlet_modem, populate

EV_INTERFACE = "plc0"


class Powerline:
    """`medium` may be changed at any time; modems are named outlet1.., car1.."""

    def __init__(self, *, outlets: int = 1, cars: int = 1, join_s: float = DEFAULT_JOIN_S) -> None:
        self.medium = Medium(join_s=join_s)
        self.station = namespaces.name_of("station")
        self._modems = namespaces.name_of("modems")
        self._outlets = outlets
        self._cars = cars
        self._shell: MediumShell | None = None  # at work

    def car(self, number: int) -> str:
        """Namespace of a car, counted from 1."""
        return namespaces.name_of(f"car{number}")

    def __enter__(self) -> Powerline:
        namespaces.need_namespaces()
        namespaces.sweep()
        atexit.register(self.close)
        try:
            self._build()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Remove every namespace; harmless a second time."""
        atexit.unregister(self.close)
        for name in (*map(self.car, range(1, self._cars + 1)), self.station, self._modems):
            namespaces.remove(name)

    def shell(self) -> MediumShell:
        """The modems at work in the running loop."""
        shell = self._shell = MediumShell(self.medium)
        for name in self.medium.modems:
            self._attach(shell, name)
        return shell

    def replace_outlet(self, number: int) -> None:
        """A new cable between an outlet and its modem, after the interface was deleted."""
        assert self._shell is not None, "the modems are at work"
        self._shell.detach(outlet_modem(number))
        self._cable(number)
        self._attach(self._shell, outlet_modem(number))

    def ev_socket(self, number: int) -> RawSocket:
        """SLAC socket of a car."""
        return namespaces.inside(self.car(number), lambda: open_homeplug(EV_INTERFACE))

    def outlet_socket(self, interface: str) -> RawSocket:
        """SLAC socket of an outlet: `open_socket` of a service outside the station's namespace."""
        return namespaces.inside(self.station, lambda: open_homeplug(interface))

    def _build(self) -> None:
        namespaces.add(self._modems)
        namespaces.inside(self._modems, _no_ipv6)
        namespaces.add(self.station)
        for number in range(1, self._outlets + 1):
            self._cable(number)
        for number in range(1, self._cars + 1):
            self._add_car(number)
        populate(self.medium, self._outlets, self._cars)

    def _cable(self, number: int) -> None:
        interface = (self.station, outlet_interface(number))
        namespaces.veth(
            interface, (self._modems, outlet_modem(number)), mac=mac(OUTLET_HOST, number).hex(":")
        )

    def _attach(self, shell: MediumShell, name: str) -> None:
        shell.attach(name, namespaces.inside(self._modems, partial(RawSocket, name, ALL_TYPES)))

    def _add_car(self, number: int) -> None:
        namespaces.add(self.car(number))
        host = mac(CAR_HOST, number).hex(":")
        namespaces.veth((self.car(number), EV_INTERFACE), (self._modems, car_modem(number)), mac=host)


def _no_ipv6() -> None:
    """Modems have no addresses of their own."""
    for scope in ("all", "default"):
        namespaces.write_setting(f"net/ipv6/conf/{scope}/disable_ipv6", "1")
