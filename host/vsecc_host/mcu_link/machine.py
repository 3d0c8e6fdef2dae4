"""The host's side of the MCU link, no I/O: commands in, station events out, grants kept alive (rule S3)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from vsecc_host.mcu_link.clock_relation import ClockRelation
from vsecc_host.mcu_link.config import McuLinkConfig
from vsecc_host.mcu_link.link_time import seconds_of, ticks_of
from vsecc_host.mcu_link.messages import (
    PORTS,
    ButtonMessage,
    CpStateMessage,
    CrashMessage,
    DeviceFaultMessage,
    FaultMessage,
    LockMessage,
    LogMessage,
    McuHello,
    McuStatus,
    Message,
    OverloadMessage,
    RefusedMessage,
    RelayMessage,
    TelemetryMessage,
    view,
)
from vsecc_host.mcu_link.port_state import PortState
from vsecc_host.station.events import (
    ButtonHeld,
    DeviceFaultChanged,
    LockChanged,
    McuCrashReported,
    McuLinkLost,
    McuLinkUp,
    McuLogged,
    McuMeasured,
    OutputOverload,
    StationEvent,
)
from vsecc_host.station.values import PilotMode
from vsecc_link import messages as catalogue
from vsecc_link.envelope import HOST
from vsecc_link.link import FOREIGN, LOST, MESSAGE, REFUSED, UP, Link, host_hello

# A fifth of a grant's life: four may be lost in a row.
GRANT_PERIOD_S = 0.1
GRANT_VALID_MS = 500
ALL_RELAYS = 7
RESET_CONFIRM = 0x5AFE


class McuLinkMachine:
    """One MCU. Times: monotonic seconds; `nonce`: 16 random bits. Commands return False without a session."""

    def __init__(self, config: McuLinkConfig, nonce: int, baud: int = 921_600) -> None:
        self.hello: McuHello | None = None
        self.status: McuStatus | None = None
        self.accepted = False
        self.clock = ClockRelation()
        self._config = config
        self._link = Link(HOST, nonce, host_hello(config.host_version[:32]), baud)
        self._ports = {port: PortState(port) for port in PORTS}
        self._events: list[StationEvent] = []
        self._now = 0.0
        self._relays = 0
        self._stamp = 0
        self._grant_at: float | None = None
        self._problem = ""
        self._kept: dict[tuple[int, int], Message] = {}  # locks and LEDs, repeated to a restarted MCU
        self._measured: dict[str, int] = {}  # newest TELEMETRY and TEMPERATURES of this session
        self._crash: list[str] = []  # parts so far

    # ---- verbs of every machine ----

    def receive(self, data: bytes, now: float) -> None:
        """Bytes from the UART."""
        self._link.receive(data, self._at(now))

    def next_deadline(self) -> float | None:
        """When `tick` is wanted, monotonic seconds."""
        at = self._link.next_deadline()
        deadline = None if at is None else seconds_of(at, self._now)
        if self._grant_at is not None and (deadline is None or self._grant_at < deadline):
            return self._grant_at
        return deadline

    def tick(self, now: float) -> None:
        """Time has passed."""
        self._link.tick(self._at(now))
        if self._grant_at is not None and now >= self._grant_at:
            self._send_grant()

    def take(self) -> tuple[list[StationEvent], bytes]:
        """Station events and bytes for the UART since the last call."""
        seen, data = self._link.take()
        while seen:
            for kind, value in seen:
                self._on_link_event(kind, value)
            seen, more = self._link.take()
            data += more
        events = self._events
        if events:
            self._events = []
        return events, data

    # ---- the transport ----

    def connected(self, now: float) -> None:
        """The transport is open: ask for a session."""
        self._link.drop("transport opened again", self._at(now))
        self._link.tick(self._at(now))

    def disconnected(self, reason: str, now: float) -> None:
        """The transport broke or cannot be opened; reported once as long as the reason stays the same."""
        self._link.drop(reason, self._at(now))
        self._down(reason, refused=False)

    # ---- commands ----

    def grant(self, relays: int, now: float) -> None:
        """Relays that may close (bit 0 = REL1) until told otherwise or the link is lost; sent at once."""
        self._at(now)
        relays &= ALL_RELAYS
        if relays != self._relays and self.accepted:
            self._relays = relays
            self._send_grant()

    def set_grant(self, port: int, allowed: bool, now: float) -> None:
        """`grant` of one port's relay."""
        bit = 1 << (port - 1)
        self.grant(self._relays | bit if allowed else self._relays & ~bit, now)

    def set_pilot(self, port: int, mode: PilotMode, duty_permille: int, now: float) -> bool:
        """Drive the pilot; `duty_permille` counts with PWM."""
        return self._send((catalogue.SET_PILOT, port, int(mode), duty_permille), now)

    def clear_faults(self, port: int, now: float) -> bool:
        """Release latched faults whose cause is gone."""
        return self._send((catalogue.CLEAR_FAULTS, port), now)

    def set_outputs(self, mask: int, values: int, now: float) -> bool:
        """Digital outputs: those in `mask` take their bit of `values`."""
        return self._send((catalogue.SET_OUTPUTS, mask, values), now)

    def set_lock(self, port: int, locked: bool, now: float) -> bool:
        """Connector lock; repeated to an MCU that restarted."""
        self._kept[catalogue.SET_LOCK, port] = message = (catalogue.SET_LOCK, port, locked)
        return self._send(message, now)

    def set_led(self, led: int, pattern: int, now: float) -> bool:
        """LED 0 = system, 1..3 = port; pattern as in the catalogue; repeated to an MCU that restarted."""
        self._kept[catalogue.SET_LED, led] = message = (catalogue.SET_LED, led, pattern)
        return self._send(message, now)

    def reset_mcu(self, now: float) -> bool:
        """Restart the MCU; its relays open."""
        return self._send((catalogue.RESET, RESET_CONFIRM), now)

    # ---- counters ----

    def counters(self) -> dict[str, int]:
        """What the link had to cope with since start."""
        link = self._link
        return {
            "frames": link.parser.good,
            "bad_frames": link.parser.bad,
            "skipped_bytes": link.parser.skipped_bytes,
            "refused": link.refused,
            "replayed": link.replayed,
            "duplicates": link.duplicates,
            "repeats": link.repeats,
        }

    # ---- inside ----

    def _at(self, now: float) -> int:
        self._now = now
        return ticks_of(now)

    def _send(self, message: Message, now: float) -> bool:
        tick = self._at(now)
        return self.accepted and bool(self._link.send(message, tick))

    def _send_grant(self) -> None:
        self._stamp = (self._stamp + 1) & 0xFFFF
        self.clock.granted(self._stamp, self._now)
        self._link.send((catalogue.GRANT, self._stamp, self._relays, GRANT_VALID_MS), self._at(self._now))
        self._grant_at = self._now + GRANT_PERIOD_S

    def _on_link_event(self, kind: int, value: Any) -> None:
        if kind == MESSAGE:
            self._on_message(value)
        elif kind == UP:
            self._on_hello(view(value))
        elif kind == LOST:
            if self.accepted:  # else it is told already
                self._down(value, refused=False)
        elif kind == FOREIGN:
            self._down(value, refused=True)
        else:
            assert kind == REFUSED  # counted by the link, nothing else follows from it

    def _on_hello(self, hello: object) -> None:
        assert isinstance(hello, McuHello)
        self.hello = hello
        self.clock = ClockRelation()
        self._measured = {}
        self._crash = []
        for port in self._ports.values():
            port.link_up()
        allowed = self._config.allowed_images
        if allowed is not None and hello.image_sha256 not in allowed:
            self._down(
                "MCU image %s is not in the manifest" % (hello.image_sha256 or "(unknown)"), refused=True
            )
            return
        self.accepted = True
        self._problem = ""
        self._events.append(
            McuLinkUp(
                at=self._now,
                image_sha256=hello.image_sha256,
                image_version=hello.image_version,
                board=hello.board,
                interpreter=hello.interpreter,
                reset_cause=hello.reset_cause,
            )
        )
        self._send_grant()
        for message in self._kept.values():
            self._link.send(message, self._at(self._now))

    def _down(self, reason: str, *, refused: bool) -> None:
        """No session the station may use; a grant never outlives it (rule S3)."""
        was_up, self.accepted = self.accepted, False
        self._relays = 0
        self._grant_at = None
        self.status = None
        if was_up or reason != self._problem:
            self._events.append(McuLinkLost(at=self._now, reason=reason, refused=refused))
        self._problem = reason

    def _on_message(self, message: Message) -> None:
        if not self.accepted:
            return
        seen = view(message)
        handler = _HANDLERS.get(type(seen))
        if handler is not None:
            handler(self, seen)

    def _host_time(self, ticks_us: int) -> float:
        return self.clock.host_time(ticks_us, self._now)

    def _on_status(self, status: McuStatus) -> None:
        self.status = status
        self.clock.status(
            ticks_us=status.ticks_us,
            grant_stamp=status.grant_stamp,
            grant_ticks_us=status.grant_ticks_us,
            now=self._now,
        )
        for port in self._ports.values():
            self._events += port.on_status(status, self._host_time)

    def _on_cp(self, message: CpStateMessage) -> None:
        self._events += self._ports[message.port].on_cp(message, self._host_time)

    def _on_relay(self, message: RelayMessage) -> None:
        if message.relay in self._ports:  # REL3 belongs to no port
            self._events += self._ports[message.relay].on_relay(message, self._host_time)

    def _on_fault(self, message: FaultMessage) -> None:
        self._events += self._ports[message.port].on_fault(message, self._host_time)

    def _on_log(self, message: LogMessage) -> None:
        at = self._host_time(message.ticks_us)
        self._events.append(McuLogged(at=at, level=message.level, text=message.text))

    def _on_telemetry(self, message: TelemetryMessage) -> None:
        self._measured.update(message.values)
        if "digital_inputs" not in self._measured:  # temperatures alone say nothing about the inputs
            return
        values = dict(self._measured)
        if self.status is not None:
            for number, port in enumerate(self.status.ports, 1):
                values[f"cp{number}_high_mv"] = port.high_mv
                values[f"cp{number}_low_mv"] = port.low_mv
                values[f"cp{number}_duty_permille"] = port.duty_permille
                values[f"pp{number}_mv"] = port.pp_mv
        self._events.append(McuMeasured(at=self._host_time(message.values["ticks_us"]), values=values))

    def _on_lock(self, message: LockMessage) -> None:
        at = self._host_time(message.ticks_us)
        self._events.append(LockChanged(at=at, evse_id=message.port, state=message.state))

    def _on_button(self, message: ButtonMessage) -> None:
        at = self._host_time(message.ticks_us)
        self._events.append(ButtonHeld(at=at, held_ms=message.held_ms, pressed=message.pressed))

    def _on_overload(self, message: OverloadMessage) -> None:
        at = self._host_time(message.ticks_us)
        self._events.append(OutputOverload(at=at, overloads=message.overloads))

    def _on_device_fault(self, message: DeviceFaultMessage) -> None:
        at = self._host_time(message.ticks_us)
        self._events.append(DeviceFaultChanged(at=at, fault=message.fault, present=message.present))

    def _on_crash(self, message: CrashMessage) -> None:
        """Parts come in order; anything else starts anew with its first part."""
        if message.part == 1:
            self._crash = []
        if message.part != len(self._crash) + 1:
            return
        self._crash.append(message.text)
        if message.part == message.parts:
            text, self._crash = "".join(self._crash), []
            self._events.append(
                McuCrashReported(
                    at=self._now,
                    uptime_ms=message.uptime_ms,
                    reset_cause=message.reset_cause,
                    text=text,
                )
            )

    def _on_refused(self, message: RefusedMessage) -> None:
        text = f"refused {message.message}: {message.reason}"
        self._events.append(McuLogged(at=self._now, level="warning", text=text))


_HANDLERS: dict[type, Callable[[McuLinkMachine, Any], None]] = {
    McuStatus: McuLinkMachine._on_status,
    CpStateMessage: McuLinkMachine._on_cp,
    RelayMessage: McuLinkMachine._on_relay,
    FaultMessage: McuLinkMachine._on_fault,
    LogMessage: McuLinkMachine._on_log,
    TelemetryMessage: McuLinkMachine._on_telemetry,
    LockMessage: McuLinkMachine._on_lock,
    ButtonMessage: McuLinkMachine._on_button,
    OverloadMessage: McuLinkMachine._on_overload,
    DeviceFaultMessage: McuLinkMachine._on_device_fault,
    CrashMessage: McuLinkMachine._on_crash,
    RefusedMessage: McuLinkMachine._on_refused,
}
