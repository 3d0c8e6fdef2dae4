"""Habits of real cars as data: one TOML file each, `extends` another one; unknown keys are refused by name.

The figures are measurements of recorded sessions; docs/ev-simulator.md explains every key.
"""

from __future__ import annotations

import dataclasses
import re
import tomllib
from collections.abc import Mapping
from importlib import resources
from pathlib import Path
from types import MappingProxyType
from typing import Any, TypeVar, get_args, get_origin, get_type_hints

from vsecc_sim.plant.battery import BatteryData

T = TypeVar("T")

NAMESPACES = {"din": "urn:din:70121:2012:MsgDef", "iso2": "urn:iso:15118:2:2013:MsgDef"}

_SECURITY = {"off": ("none",), "try": ("tls", "none"), "insist": ("tls",)}
_CHOICES = {
    "tls": tuple(_SECURITY),
    "trust": ("reported", "measured"),
    "give_up": ("session_stop", "power_off"),
    "renegotiation": ("full", "short"),
}
_FORMS = {"version": r"[0-9]{1,9}\.[0-9]{1,9}", "first_session_id": r"([0-9A-Fa-f]{2}){0,8}"}
_LARGEST = 1e12  # beyond any quantity of a car, within what every part can calculate with


class ProfileError(ValueError):
    """A profile or scenario that cannot be used; the text names file and key."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class AppProtocol:
    """One entry of the handshake list, in the order sent."""

    namespace: str
    version: str
    schema_id: int
    priority: int


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Discovery:
    """SDP habit: each security tried in turn, `attempts` times every `interval_s`."""

    tls: str  # "off", "try" (lives without) or "insist"
    interval_s: float
    attempts: int
    delay_s: float  # from the data link (or the 5 % duty cycle) to the first request
    connect_s: float  # from the answer to the handshake

    @property
    def security(self) -> tuple[str, ...]:
        """What is asked for, in turn."""
        return _SECURITY[self.tls]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Messages:
    """Which optional fields are sent and with which figures; 0 from `max_power_w` on: field absent."""

    first_session_id: str  # hex
    service_category: bool
    service_detail: bool  # asks for the details of every extra service (ISO 15118-2)
    charging_profile: bool  # tells the power it plans to take (ISO 15118-2)
    ready_in_parameters: bool  # EVReady of ChargeParameterDiscoveryReq
    conditioning: bool  # EVCabinConditioning and EVRESSConditioning
    loop_limits: bool  # EVMaximum... limits repeated in CurrentDemandReq
    loop_current_headroom_a: float  # > 0: EVMaximumCurrentLimit there is target plus this
    bulk_complete: bool  # BulkChargingComplete
    remaining_full: bool
    remaining_bulk: bool
    max_power_w: float
    energy_capacity_wh: float
    energy_request: bool
    full_soc_percent: int
    bulk_soc_percent: int
    departure_s: int  # ISO 15118-2
    max_schedules: int  # MaxEntriesSAScheduleTuple (ISO 15118-2)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Multipliers:
    """Powers of ten of the physical values."""

    max_voltage: int
    max_current: int
    max_power: int
    energy: int
    target_voltage: int
    target_current: int
    time: int


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Checks:
    """How careful the car is before and while energy flows."""

    trust: str  # "reported" or "measured": which voltage ends pre-charge
    pre_charge_tolerance_v: float
    pre_charge_rounds: int  # in tolerance, one after the other
    pre_charge_current_a: tuple[float, ...]  # of the first, second, ... PreChargeReq; the last one stays
    give_up: str  # "session_stop" or "power_off": how cable check and pre-charge are left
    needs_ready: bool  # CableCheckRes Finished must come with EVSE_Ready and valid isolation
    not_ready_wait_s: float  # silence before giving up when it does not
    renegotiation: str  # "full": cable check and pre-charge again, "short": straight to power delivery


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Charging:
    """Ramp and limits while charging."""

    max_voltage_v: float
    max_current_a: float
    first_current_a: float  # of the first CurrentDemandReq
    ramp_a_per_s: float
    ramp_step_a: float  # while ramping the target is a multiple of this
    end_current_a: float  # full when the battery wants less


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """Seconds until the car gives up."""

    setup_s: float
    authorization_s: float
    customer_s: float  # while a person has to act (ISO 15118-2)
    parameters_s: float
    cable_check_s: float
    pre_charge_s: float
    no_current_s: float
    message_s: float  # any answer but
    slow_message_s: float  # those ISO 15118-2 gives more time
    current_demand_s: float
    pilot_s: float  # for the 5 % duty cycle after plug-in


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Ending:
    """The way out."""

    ramp_down: bool  # own wish to stop: target 0 A first
    weldings: int  # WeldingDetectionReq after a normal stop
    weldings_after_fault: int
    close_s: float  # SessionStopRes to FIN
    reset_on_timeout: bool  # RST instead of FIN after a message time-out
    rounds: int  # sessions tried when one does not come to energy
    round_pause_s: float


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """Everything that makes one car differ from another."""

    name: str
    what: str
    expected_end: str  # against a healthy charger, an `EvEnd`
    handshake: tuple[AppProtocol, ...]
    discovery: Discovery
    messages: Messages
    multipliers: Multipliers
    think_ms: Mapping[str, float]  # "<step>", "<step>_repeat", "stop" after a notification, "default"
    think_jitter_ms: float
    checks: Checks
    charging: Charging
    patience: Patience
    ending: Ending
    battery: BatteryData

    def offers(self, protocol: str) -> bool:
        """It is in the handshake list."""
        return any(entry.namespace == NAMESPACES[protocol] for entry in self.handshake)

    @property
    def may_tls(self) -> bool:
        """It asks for TLS and has something to say behind it."""
        return self.discovery.tls != "off" and self.offers("iso2")

    def over_tls(self) -> Profile:
        """The same car behind TLS, where DIN SPEC 70121 is not offered."""
        entries = tuple(entry for entry in self.handshake if entry.namespace != NAMESPACES["din"])
        return dataclasses.replace(self, handshake=entries)

    def asking_tls(self, tls: str) -> Profile:
        """The same car with another wish for TLS, a value of `Discovery.tls`; ProfileError."""
        if tls not in _SECURITY:
            raise ProfileError(f"tls: {tls!r} must be one of {', '.join(_SECURITY)}")
        return dataclasses.replace(self, discovery=dataclasses.replace(self.discovery, tls=tls))

    def speaking(self, protocol: str) -> Profile:
        """The same car with nothing else in its handshake list; ProfileError."""
        if protocol not in NAMESPACES:
            raise ProfileError(f"no protocol {protocol}; there are {', '.join(NAMESPACES)}")
        if protocol == "din" and self.discovery.tls == "insist":
            raise ProfileError(f"{self.name} insists on TLS, which DIN SPEC 70121 does not know")
        namespace = NAMESPACES[protocol]
        entries = tuple(entry for entry in self.handshake if entry.namespace == namespace)
        first = AppProtocol(namespace=namespace, version="2.0", schema_id=1, priority=1)
        return dataclasses.replace(self, handshake=entries or (first,))


def profile_names(protocol: str | None = "din") -> list[str]:
    """Profiles of the package that offer `protocol`, by default the one every station has; None: all."""
    names = sorted(
        entry.name[: -len(".toml")] for entry in _folder().iterdir() if entry.name.endswith(".toml")
    )
    return names if protocol is None else [name for name in names if load_profile(name).offers(protocol)]


def load_profile(name: str, changes: Mapping[str, Any] | None = None) -> Profile:
    """Profile by name or path of a TOML file, with `changes` merged over it; ProfileError."""
    return build_profile(name, merge(_table(name, ()), changes or {}))


def build_profile(name: str, table: Mapping[str, Any]) -> Profile:
    """Profile from a complete table; ProfileError names what is missing or unknown."""
    return _build(Profile, {"name": Path(name).stem, **table}, name)


def merge(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """`over` on top of `base`, tables merged deep, lists replaced."""
    merged = dict(base)
    for key, value in over.items():
        old = merged.get(key)
        merged[key] = merge(old, value) if isinstance(old, Mapping) and isinstance(value, Mapping) else value
    return merged


def _folder() -> Any:
    return resources.files(__name__)


def _table(name: str, above: tuple[str, ...]) -> dict[str, Any]:
    if name in above:
        raise ProfileError(f"profile {name} extends itself")
    try:
        table = tomllib.loads(_text(name))
    except (ValueError, RecursionError) as error:
        raise ProfileError(f"profile {name}: {error}") from None
    base = table.pop("extends", None)
    if not isinstance(base, str | None):
        raise ProfileError(f"profile {name}: extends {base!r}, which is no name")
    return table if base is None else merge(_table(base, (*above, name)), table)


def _text(name: str) -> str:
    if name in profile_names(None):
        return str(_folder().joinpath(f"{name}.toml").read_text("utf-8"))
    if not name.endswith(".toml"):
        raise ProfileError(f"no profile {name}; there are {', '.join(profile_names(None))} or a .toml file")
    return Path(name).read_text("utf-8")


def _build(cls: type[T], table: Mapping[str, Any], where: str) -> T:
    """Instance of the dataclass `cls` from a TOML table, keys checked both ways."""
    hints = get_type_hints(cls)
    unknown = sorted(set(table) - set(hints))
    if unknown:
        raise ProfileError(f"{where}: unknown {', '.join(unknown)}")
    needed = {field.name for field in dataclasses.fields(cls) if field.default is dataclasses.MISSING}  # type: ignore[arg-type]
    missing = sorted(needed - set(table))
    if missing:
        raise ProfileError(f"{where}: missing {', '.join(missing)}")
    for key, choices in _CHOICES.items():
        if key in table and key in hints and table[key] not in choices:
            raise ProfileError(f"{where}.{key}: {table[key]!r} must be one of {', '.join(choices)}")
    values = {key: _value(hints[key], value, f"{where}.{key}") for key, value in table.items()}
    for key, form in _FORMS.items():
        if key in values and not re.fullmatch(form, values[key]):
            raise ProfileError(f"{where}.{key}: {values[key]!r} has not the form {form}")
    return cls(**values)


def _value(kind: Any, value: Any, where: str) -> Any:
    if dataclasses.is_dataclass(kind) and isinstance(kind, type):
        if not isinstance(value, Mapping):
            raise ProfileError(f"{where}: must be a table")
        return _build(kind, value, where)
    if get_origin(kind) is tuple:
        return _list(get_args(kind), value, where)
    if get_origin(kind) is Mapping:
        if not isinstance(value, Mapping):
            raise ProfileError(f"{where}: must be a table")
        wanted = get_args(kind)[1]
        return MappingProxyType({key: _value(wanted, one, f"{where}.{key}") for key, one in value.items()})
    return _scalar(kind, value, where)


def _list(kinds: tuple[Any, ...], value: Any, where: str) -> tuple[Any, ...]:
    """Any number of one kind, at least one, or exactly these kinds."""
    if not isinstance(value, list) or not value:
        raise ProfileError(f"{where}: must be a list with something in it")
    if kinds[-1] is Ellipsis:
        kinds = kinds[:1] * len(value)
    if len(value) != len(kinds):
        raise ProfileError(f"{where}: {value!r} must be {len(kinds)} values")
    return tuple(_value(kind, item, where) for kind, item in zip(kinds, value, strict=True))


def _scalar(kind: type, value: Any, where: str) -> Any:
    if isinstance(value, bool) != (kind is bool) or not isinstance(
        value, (int, float) if kind is float else kind
    ):
        raise ProfileError(f"{where}: {value!r} must be {kind.__name__}")
    if isinstance(value, (int, float)) and not abs(value) <= _LARGEST:
        raise ProfileError(f"{where}: {value!r} is no quantity of a car")
    return kind(value)
