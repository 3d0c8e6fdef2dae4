"""From settings to the configuration of each part; the only place that knows both."""

from __future__ import annotations

from collections.abc import Iterable
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from urllib.parse import parse_qs, urlsplit, urlunsplit

from vsecc_host.mcu_link.config import McuLinkConfig
from vsecc_host.pep.config import PepConfig
from vsecc_host.pep.versions import version_of
from vsecc_host.power.config import PowerConfig
from vsecc_host.settings.store import Settings, SettingsError
from vsecc_host.slac.config import SlacConfig
from vsecc_host.station.config import EvseConfig
from vsecc_host.station.events import LimitChanged
from vsecc_host.station.inputs import EmergencyInput
from vsecc_host.terminals import Conversion, Terminals
from vsecc_host.v2g.config import TlsConfig, TlsPolicy, V2gConfig


def software_version() -> str:
    """Version of the installed package; "unknown" in a bare source tree."""
    try:
        return version("vsecc")
    except PackageNotFoundError:
        return "unknown"


def mcu_link_config(settings: Settings) -> McuLinkConfig:
    """Where the MCU is and which of its images may charge (S8)."""
    images = [image.strip().lower() for image in settings.text("Mcu", "AllowedImages").split(",")]
    return McuLinkConfig(
        url=settings.text("Mcu", "Url"),
        allowed_images=frozenset(filter(None, images)) or None,
        host_version=software_version(),
    )


def evse_config(settings: Settings, evse: int) -> EvseConfig:
    """Identity, limits and manners of one outlet."""
    return EvseConfig(
        evseid=settings.text("EVSE", "EvseId", evse=evse),
        lock_connector=settings.flag("Connector", "LockEnabled", evse=evse),
        cable_max_voltage_v=settings.number("Cable", "MaxVoltage", evse=evse),
        cable_max_current_a=settings.number("Cable", "MaxCurrent", evse=evse),
        max_power_w=settings.number("EVSE", "MaxPower", evse=evse),
        abort_on_invalid_current=settings.flag("ChargingCommunicationCtrlr", "AbortOnInvalidRequestCurrent"),
        abort_on_invalid_power=settings.flag("ChargingCommunicationCtrlr", "AbortOnInvalidRequestPower"),
        allow_isolation_warning=settings.flag("PowerElectronics", "AllowIsolationWarning", evse=evse),
        max_temperature_c=settings.number("PowerElectronics", "MaxTemperature", evse=evse),
        stop_delay_s=settings.number("ChargingCommunicationCtrlr", "StopDelay"),
        stop_wait_s=settings.number("ChargingCommunicationCtrlr", "StopWait"),
        restart_pause_s=settings.number("ChargingCommunicationCtrlr", "RestartPause"),
    )


def default_profile(settings: Settings, evse: int, at: float) -> LimitChanged:
    """The bound while no back end gave a profile, in the unit it is given in."""
    limit = settings.number("DefaultChargingProfile", "SchedulePeriodLimits")
    in_watts = settings.text("DefaultChargingProfile", "Unit") == "W"
    return LimitChanged(
        at=at,
        evse_id=evse,
        owner="default_profile",
        max_power_w=limit if in_watts else None,
        max_current_a=None if in_watts else limit,
    )


def emergency_input(settings: Settings) -> EmergencyInput:
    """The emergency stop, if one is wired."""
    name = settings.text("EmergencyStop", "Input")
    number = None if name == "none" else int(name[1:])
    return EmergencyInput(number, active_low=settings.flag("EmergencyStop", "ActiveLow"))


def v2g_config(settings: Settings, evse: int) -> V2gConfig:
    """Where cars are reached and what is offered to them."""
    url = urlsplit(settings.text("Plc", "Url", evse=evse))
    return V2gConfig(
        endpoint=urlunsplit(url._replace(query="")),
        protocols=settings.members("ChargingCommunicationCtrlr", "Protocols"),
        tls=tls_config(settings),
        din_charging_mode=settings.text("Connector", "DinChargingMode", evse=evse),
        renegotiate_share=settings.number("ChargingCommunicationCtrlr", "RenegotiateAbove") / 100.0,
        refuse_profile=settings.flag("ChargingCommunicationCtrlr", "AbortOnInvalidChargingProfile"),
    )


def tls_config(settings: Settings) -> TlsConfig:
    """Whether cars get TLS, and with which files; the chain may be given as the folder of both."""
    chain = Path(settings.text("ISO15118Ctrlr", "TlsCertificateChain"))
    if chain.is_dir() and chain.name:
        chain /= "chain.pem"
    key = settings.text("ISO15118Ctrlr", "TlsPrivateKey")
    return TlsConfig(
        policy=TlsPolicy(settings.text("ISO15118Ctrlr", "TlsPolicy")),
        chain=chain,
        key=Path(key) if key else chain.parent / "key.pem",
    )


def check_interfaces(settings: Settings, evses: Iterable[int]) -> None:
    """SettingsError where two outlets share an interface: its MAC is all that tells which one a car chose."""
    owners: dict[str, list[int]] = {}
    for evse in evses:
        config = slac_config(settings, evse)
        if config is not None:
            owners.setdefault(config.interface, []).append(evse)
    shared = [
        f"Plc/Url: outlets {', '.join(map(str, who))} share {name}" for name, who in owners.items() if who[1:]
    ]
    if shared:
        raise SettingsError(shared)


def slac_config(settings: Settings, evse: int) -> SlacConfig | None:
    """Matching on the modem's interface; None on bare loopback and with `?slac=off`."""
    url = urlsplit(settings.text("Plc", "Url", evse=evse))
    if not url.netloc or parse_qs(url.query).get("slac") == ["off"]:
        return None
    offsets = [int(word) for word in settings.text("Slac", "AttenuationOffset", evse=evse).split(",")]
    return SlacConfig(
        interface=url.netloc,
        slac_init_s=settings.number("Slac", "InitTimeout", evse=evse),
        wake_retries=int(settings.number("Slac", "WakeUps", evse=evse)),
        matching_runs=int(settings.number("Slac", "MatchingRuns", evse=evse)),
        attenuation_offset_db=offsets[0] if len(offsets) == 1 else tuple(offsets),
        stand_in_attenuation=settings.flag("Slac", "StandInAttenuation", evse=evse),
        validation=settings.flag("Slac", "Validation", evse=evse),
        reset_dead_modem=settings.flag("Slac", "ResetDeadModem", evse=evse),
    )


def pep_config(settings: Settings, evse: int) -> PepConfig | None:
    """How the power electronics of one outlet are reached; None where they are simulated."""
    if settings.text("PowerElectronics", "Type", evse=evse) != "Websocket":
        return None
    version = settings.text("PowerElectronics", "PepVersion", evse=evse)
    return PepConfig(
        uri=settings.text("PowerElectronics", "Uri", evse=evse),
        version=None if version == "auto" else version_of(version),
        require_subprotocol=settings.flag("PowerElectronics", "RequireSubprotocol", evse=evse),
        accept_no_imd=settings.flag("PowerElectronics", "AllowMissingImd", evse=evse),
    )


def terminals(settings: Settings) -> Terminals:
    """The device's terminals as power electronics use them."""
    return Terminals(
        Conversion(settings.text("PowerElectronicsTerminals", "TemperatureConversion")),
        hold=settings.flag("PowerElectronicsTerminals", "HoldOutputs"),
    )


def power_config(settings: Settings, evse: int) -> PowerConfig:
    """Ratings of the simulated power electronics of one outlet."""
    return PowerConfig(
        min_voltage_v=settings.number("SimulatedPower", "MinVoltage", evse=evse),
        max_voltage_v=settings.number("SimulatedPower", "MaxVoltage", evse=evse),
        min_current_a=settings.number("SimulatedPower", "MinCurrent", evse=evse),
        max_current_a=settings.number("SimulatedPower", "MaxCurrent", evse=evse),
        max_power_w=settings.number("SimulatedPower", "MaxPower", evse=evse),
        isolation_time_s=settings.number("SimulatedPower", "IsolationTime", evse=evse),
    )
