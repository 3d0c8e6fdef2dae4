"""A charger on paper: answers DIN requests at once, drives a DC bus, and can be told to answer otherwise."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from vsecc_host.v2g import v2gtp
from vsecc_host.v2g.exi import Protocol, app_protocol, decode, encode
from vsecc_host.v2g.exi import din70121 as din
from vsecc_host.v2g.physical import amount, scaled
from vsecc_sim.plant.dc_bus import DcBus

SESSION_ID = bytes(range(1, 9))
OK = din.ResponseCode.OK
FINISHED, ONGOING = din.EvseProcessing.Finished, din.EvseProcessing.Ongoing
MAX_VOLTAGE_V, MAX_CURRENT_A, MAX_POWER_W = 500.0, 200.0, 60_000.0


def status(
    code: din.DcEvseStatusCode = din.DcEvseStatusCode.EVSE_Ready,
    notification: din.EvseNotification = din.EvseNotification.None_,
    isolation: din.IsolationLevel | None = din.IsolationLevel.Valid,
) -> din.DcEvseStatus:
    """A DC_EVSEStatus."""
    return din.DcEvseStatus(code, 0, notification, isolation)


def value(number: float, unit: din.UnitSymbol) -> din.PhysicalValue:
    """A physical value."""
    multiplier, scaled_value = scaled(number)
    return din.PhysicalValue(multiplier, scaled_value, unit)


def volts(number: float) -> din.PhysicalValue:
    """A voltage."""
    return value(number, din.UnitSymbol.V)


def amperes(number: float) -> din.PhysicalValue:
    """A current."""
    return value(number, din.UnitSymbol.A)


def _number(physical: din.PhysicalValue) -> float:
    return amount(physical.multiplier, physical.value)


def pack(exi: bytes) -> bytes:
    """A V2GTP message."""
    return v2gtp.pack(v2gtp.PayloadType.EXI, exi)


class PaperCharger:
    """`answer` bytes for bytes; `change` replaces what a response says, by response type and occurrence."""

    PROTOCOL = Protocol.DIN
    NAMESPACE = "urn:din:70121:2012:MsgDef"
    MESSAGE: Any = din.V2gMessage
    HEADER: Any = din.MessageHeader

    def __init__(self, bus: DcBus | None = None) -> None:
        self.bus = bus
        self.requests: list[Any] = []  # handshake, then V2gMessage
        self.changes: dict[type[Any], Callable[[Any, int], Any]] = {}
        self.session_id = SESSION_ID
        self._framer = v2gtp.Framer()
        self._voltage_v = self._current_a = 0.0
        self._limit_a = 0.0
        self._times: dict[type[Any], int] = {}

    def change(self, response: type[Any], how: Callable[[Any, int], Any]) -> None:
        """`how(response body, occurrence from 1)` -> body, raw bytes, or None for silence."""
        self.changes[response] = how

    def bodies(self, kind: type[Any]) -> list[Any]:
        """All requests of one kind."""
        return [r.body for r in self.requests if isinstance(r, self.MESSAGE) and isinstance(r.body, kind)]

    def names(self) -> list[str]:
        """Request types in order, repeats folded."""
        names: list[str] = []
        for request in self.requests:
            name = type(request.body if isinstance(request, self.MESSAGE) else request).__name__
            if not names or names[-1] != name:
                names.append(name)
        return names

    def answer(self, data: bytes, now: float) -> bytes:
        """Everything there is to say to these bytes."""
        self._framer.feed(data)
        out = b""
        while (frame := self._framer.next()) is not None:
            out += self._one(frame.payload, now)
        return out

    def step(self, now: float) -> None:
        """Let the bus move on."""
        if self.bus is not None:
            self.bus.apply(self._voltage_v, self._limit_a, True, now)

    def _one(self, payload: bytes, now: float) -> bytes:
        if not self.requests:
            self.requests.append(decode(Protocol.SAP, payload))
            entry = min(self.requests[0].app_protocol, key=self._preference)
            response: Any = app_protocol.SupportedAppProtocolRes(
                app_protocol.ResponseCode.OK_SuccessfulNegotiation, entry.schema_id
            )
            return self._say(response)
        message = decode(self.PROTOCOL, payload)
        self.requests.append(message)
        return self._say(self._body(message.body, now))

    def _say(self, response: Any) -> bytes:
        kind = type(response)
        self._times[kind] = self._times.get(kind, 0) + 1
        if kind in self.changes:
            response = self.changes[kind](response, self._times[kind])
        if response is None or isinstance(response, bytes):
            return response or b""
        if isinstance(response, app_protocol.SupportedAppProtocolRes):
            return pack(encode(Protocol.SAP, response))
        return pack(encode(self.PROTOCOL, self.MESSAGE(self.HEADER(self.session_id), response)))

    def _preference(self, entry: app_protocol.AppProtocol) -> tuple[bool, int]:
        return entry.protocol_namespace != self.NAMESPACE, entry.priority

    def _body(self, body: Any, now: float) -> Any:
        fixed = _FIXED.get(type(body))
        if fixed is not None:
            return fixed
        match body:
            case din.PowerDeliveryReq(ready_to_charge_state=on):
                if not on:
                    self._drive(0.0, 0.0, now)
                return din.PowerDeliveryRes(OK, status())
            case din.PreChargeReq(ev_target_voltage=target):
                self._drive(_number(target), 2.0, now)
                return din.PreChargeRes(OK, status(), volts(self._present_v()))
            case din.CurrentDemandReq(ev_target_voltage=target, ev_target_current=current):
                self._drive(_number(target), min(_number(current), MAX_CURRENT_A), now)
                return self._current_demand()
        raise AssertionError(f"{type(body).__name__} does not belong into a DC session")

    def _drive(self, voltage_v: float, limit_a: float, now: float) -> None:
        self._voltage_v, self._limit_a = voltage_v, limit_a
        self._current_a = limit_a
        self.step(now)

    def _present_v(self) -> float:
        return self._voltage_v if self.bus is None else self.bus.inlet_voltage_v

    def _current_demand(self) -> din.CurrentDemandRes:
        current_a = self._current_a if self.bus is None else self.bus.current_a
        return din.CurrentDemandRes(
            OK, status(), volts(self._present_v()), amperes(current_a), False, False, False
        )


def _services() -> din.ServiceDiscoveryRes:
    tag = din.ServiceTag(1, din.ServiceCategory.EVCharging)
    service = din.ServiceCharge(tag, True, din.EvseSupportedEnergyTransferType.DC_extended)
    return din.ServiceDiscoveryRes(OK, din.PaymentOptions((din.PaymentOption.ExternalPayment,)), service)


def parameters() -> din.ChargeParameterDiscoveryRes:
    """Limits and a schedule."""
    entry = din.PmaxScheduleEntry(din.RelativeTimeInterval(0, 86400), 32767)
    schedule = din.SaScheduleTuple(1, din.PmaxSchedule(1, (entry,)))
    parameter = din.DcEvseChargeParameter(
        dc_evse_status=status(isolation=din.IsolationLevel.Invalid),
        evse_maximum_current_limit=amperes(MAX_CURRENT_A),
        evse_maximum_voltage_limit=volts(MAX_VOLTAGE_V),
        evse_minimum_current_limit=amperes(0.0),
        evse_minimum_voltage_limit=volts(50.0),
        evse_peak_current_ripple=amperes(1.0),
        evse_maximum_power_limit=value(MAX_POWER_W, din.UnitSymbol.W),
    )
    return din.ChargeParameterDiscoveryRes(OK, FINISHED, din.SaScheduleList((schedule,)), parameter)


_FIXED: dict[type[Any], Any] = {
    din.SessionSetupReq: din.SessionSetupRes(din.ResponseCode.OK_NewSessionEstablished, b"\x00"),
    din.ServiceDiscoveryReq: _services(),
    din.ServicePaymentSelectionReq: din.ServicePaymentSelectionRes(OK),
    din.ContractAuthenticationReq: din.ContractAuthenticationRes(OK, FINISHED),
    din.ChargeParameterDiscoveryReq: parameters(),
    din.CableCheckReq: din.CableCheckRes(OK, status(), FINISHED),
    din.WeldingDetectionReq: din.WeldingDetectionRes(OK, status(), volts(0.0)),
    din.SessionStopReq: din.SessionStopRes(OK),
}
