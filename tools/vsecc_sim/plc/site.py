"""Who is who on a simulated powerline: names, addresses and who hears whom how well."""

from __future__ import annotations

from vsecc_sim.plc.medium import Medium

NEAR_DB = 30  # measured at the right port
FAR_DB = 51  # measured at its neighbour

OUTLET_HOST, OUTLET_MODEM, CAR_HOST, CAR_MODEM = range(1, 5)


def mac(kind: int, number: int) -> bytes:
    """A locally administered address of one of the kinds above, `number` counted from 1."""
    return bytes((2, 0, 0, 0, kind, number))


def outlet_modem(number: int) -> str:
    """Name of an outlet's modem in the medium, counted from 1."""
    return f"outlet{number}"


def car_modem(number: int) -> str:
    """Name of a car's modem; car N is plugged in at outlet N."""
    return f"car{number}"


def outlet_interface(number: int) -> str:
    """Interface an outlet reaches its modem by."""
    return f"plc{number}"


def populate(medium: Medium, outlets: int, cars: int) -> None:
    """Modems of outlets and cars; every outlet hears every car, its own better than the others."""
    for number in range(1, outlets + 1):
        medium.add(outlet_modem(number), mac(OUTLET_MODEM, number), evse=True)
    for car in range(1, cars + 1):
        medium.add(car_modem(car), mac(CAR_MODEM, car), evse=False)
        for outlet in range(1, outlets + 1):
            medium.connect(car_modem(car), outlet_modem(outlet), NEAR_DB if outlet == car else FAR_DB)
