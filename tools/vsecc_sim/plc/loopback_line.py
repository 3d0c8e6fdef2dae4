"""A powerline inside this process: no root, and in virtual time; what Powerline is on network namespaces."""

from __future__ import annotations

from vsecc_sim.plc.gate import LinkGate
from vsecc_sim.plc.loopback import CableEnd, cable
from vsecc_sim.plc.medium import DEFAULT_JOIN_S, Medium
from vsecc_sim.plc.shell import MediumShell
from vsecc_sim.plc.site import CAR_HOST, OUTLET_HOST, car_modem, mac, outlet_interface, outlet_modem, populate


def outlet_url(number: int) -> str:
    """Endpoint of an outlet on this powerline: SLAC over its simulated modem, V2G on loopback."""
    return f"sim://{outlet_interface(number)}"


class LoopbackLine:
    """`medium` may be changed at any time; car N is plugged in at outlet N. `shell` needs a running loop."""

    def __init__(self, *, outlets: int = 1, join_s: float = DEFAULT_JOIN_S) -> None:
        self.medium = Medium(join_s=join_s)
        self.unplugged: set[str] = set()  # interfaces that are gone
        self._interfaces = {outlet_interface(number): number for number in range(1, outlets + 1)}
        self._shell: MediumShell | None = None
        populate(self.medium, outlets, outlets)

    def shell(self) -> MediumShell:
        """The modems at work in the running loop."""
        self._shell = MediumShell(self.medium)
        return self._shell

    def outlet_socket(self, interface: str) -> CableEnd:
        """SLAC socket of an outlet; OSError when there is no such interface."""
        if interface not in self._interfaces or interface in self.unplugged:
            raise OSError(19, "No such device")
        number = self._interfaces[interface]
        return self._cable(outlet_modem(number), mac(OUTLET_HOST, number))

    def ev_socket(self, number: int) -> CableEnd:
        """SLAC socket of the car at an outlet."""
        return self._cable(car_modem(number), mac(CAR_HOST, number))

    def gate(self, number: int, sdp: tuple[str, int]) -> LinkGate:
        """The way of that car's IP to its outlet, whose SDP is at `sdp`; open while both are linked."""
        return LinkGate(lambda now: self.medium.linked(car_modem(number), outlet_modem(number), now), sdp)

    def pull_modem(self, number: int) -> None:
        """The outlet's modem is taken off its interface, which goes away with it."""
        self.unplugged.add(outlet_interface(number))
        assert self._shell is not None, "shell() comes first"
        self._shell.detach(outlet_modem(number))

    def put_modem(self, number: int) -> None:
        """The modem is there again; the service finds it by itself."""
        self.unplugged.discard(outlet_interface(number))

    def _cable(self, name: str, host: bytes) -> CableEnd:
        assert self._shell is not None, "shell() comes first"
        host_side, modem_side = cable(host)
        self._shell.detach(name)
        self._shell.attach(name, modem_side)
        return host_side
