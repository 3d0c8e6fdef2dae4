"""What a cause means: the sentence for people, how fast the output must go, whether the car may try again."""

from __future__ import annotations

from vsecc_host.station.values import Cause

CAUSE_TEXT: dict[Cause, str] = {
    Cause.NONE: "Nothing stands in the way of charging.",
    Cause.EV_FINISHED: "The car ended the session in good order.",
    Cause.EV_PAUSED: "The car paused the session and may go on with it.",
    Cause.EV_STOPPED_EARLY: "The car gave up before energy flowed.",
    Cause.EV_ERROR: "The car reported an error of its own.",
    Cause.EV_DISCONNECTED: "The car closed the connection without ending the session.",
    Cause.EV_TIMEOUT: "The car did not send its next request in time.",
    Cause.EV_PROTOCOL_ERROR: "The car sent something the protocol does not allow at this point.",
    Cause.UNPLUGGED: "The cable was pulled during the session.",
    Cause.CP_LEFT_C: "The car withdrew its permission for energy on the control pilot.",
    Cause.CP_NOT_C: "The car asked for the cable check but did not signal readiness on the control pilot.",
    Cause.NOT_AUTHORIZED: "Nobody authorised this car to charge.",
    Cause.STOP_REQUESTED: "A person or the back end stopped the session.",
    Cause.MCU_LINK_LOST: "The safety controller cannot be reached.",
    Cause.MCU_REFUSED: "The safety controller runs a program this host does not accept.",
    Cause.PORT_FAULT: "The safety controller latched a fault of this outlet.",
    Cause.RELAY_NOT_CLOSED: "The safety relay did not close or did not stay closed.",
    Cause.POWER_STALE: "The power electronics stopped telling their state.",
    Cause.POWER_INOPERATIVE: "The power electronics report that they cannot work.",
    Cause.POWER_REFUSED: "The power electronics refused or did not carry out a command.",
    Cause.ISOLATION_FAULT: "The isolation of the output is not good enough.",
    Cause.LIMITS_EXCEEDED: "Voltage, current or a request exceeded the agreed limits.",
    Cause.OVER_TEMPERATURE: "It is too hot to charge.",
    Cause.EMERGENCY_INPUT: "The emergency stop was pressed.",
    Cause.PRE_CHARGE_TIMEOUT: "The output did not reach the voltage of the battery in time.",
    Cause.CABLE_CHECK_TIMEOUT: "The cable check did not finish in time.",
    Cause.VOLTAGE_NOT_SUPPORTED: "The car needs a voltage this outlet cannot supply.",
    Cause.STATION_STOPPED: "The station is being shut down.",
    Cause.MATCHING_FAILED: "Powerline matching (SLAC) with the car failed.",
    Cause.LINK_LOST: "The powerline link to the car was lost.",
    Cause.MODEM_DEAD: "The powerline modem of this outlet does not work.",
    Cause.NO_INTERFACE: "The network interface of this outlet's powerline modem is not there.",
    Cause.NO_CERTIFICATE: "TLS is required and the station's certificate cannot be used.",
}

RAMP_S = 1.0  # current below 5 A within 1 s, IEC 61851-23:2023 CC.7.6.20

# The relay is opening by itself or its state is unknown: waiting for the current would only make it worse.
_AT_ONCE = frozenset(
    {
        Cause.CP_LEFT_C,
        Cause.MCU_LINK_LOST,
        Cause.MCU_REFUSED,
        Cause.PORT_FAULT,
        Cause.RELAY_NOT_CLOSED,
        Cause.UNPLUGGED,
    }
)

# The output obeys, or may: the car is asked to stop while the current falls. Told of an emergency it leaves
# state C within one exchange, and the relay breaks whatever still flows.
_CAR_ASKED_FIRST = frozenset({Cause.OVER_TEMPERATURE, Cause.POWER_REFUSED, Cause.POWER_STALE})

# Something a person has to look at, or a deliberate act: the cable must come out before the next attempt.
_REPLUG = frozenset(
    {
        Cause.PORT_FAULT,
        Cause.RELAY_NOT_CLOSED,
        Cause.ISOLATION_FAULT,
        Cause.LIMITS_EXCEEDED,
        Cause.OVER_TEMPERATURE,
        Cause.EMERGENCY_INPUT,
        Cause.VOLTAGE_NOT_SUPPORTED,
        Cause.STOP_REQUESTED,
        Cause.STATION_STOPPED,
    }
)

# Ends that are nobody's fault: the port LED stays green.
_GOOD_ENDS = frozenset(
    {
        Cause.NONE,
        Cause.EV_FINISHED,
        Cause.EV_PAUSED,
        Cause.STOP_REQUESTED,
        Cause.UNPLUGGED,
        Cause.STATION_STOPPED,
    }
)

# What a car does that notices a lost link before us.
_SYMPTOMS_OF_LOSS = frozenset({Cause.CP_LEFT_C, Cause.EV_DISCONNECTED, Cause.EV_TIMEOUT})

_OPEN_REASONS = {
    "device fault": Cause.PORT_FAULT,
    "fault latched": Cause.PORT_FAULT,
    "CP left C/D": Cause.CP_LEFT_C,
    "PP supervision": Cause.PORT_FAULT,
    "CC1 supervision": Cause.PORT_FAULT,
    "grant expired": Cause.MCU_LINK_LOST,
    "boot": Cause.MCU_LINK_LOST,
}


def sentence(cause: Cause) -> str:
    """One sentence for a person; the only place such texts live."""
    return CAUSE_TEXT[cause]


def ramp_s(cause: Cause) -> float:
    """Seconds the contactors may wait for the current to fall (S9); 0 when the cause does not allow it."""
    return 0.0 if cause in _AT_ONCE else RAMP_S


def asks_car_first(cause: Cause) -> bool:
    """True when the car is asked to stop while the current falls, and told of the emergency afterwards."""
    return cause in _CAR_ASKED_FIRST


def needs_replug(cause: Cause) -> bool:
    """True when the same plug-in may not start another session by itself."""
    return cause in _REPLUG


def explains(cause: Cause, seen: Cause) -> bool:
    """True when `cause`, learned later, is why `seen` came about."""
    return cause is Cause.LINK_LOST and seen in _SYMPTOMS_OF_LOSS


def is_good_end(cause: Cause) -> bool:
    """True when a session that ended with this cause is not shown as an error."""
    return cause in _GOOD_ENDS


def cause_of_open_relay(reason: str) -> Cause:
    """Cause for a name of OPEN_NAMES; unknown reasons count as a relay that did not hold."""
    return _OPEN_REASONS.get(reason, Cause.RELAY_NOT_CLOSED)
