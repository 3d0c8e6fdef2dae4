"""What the line says of both ports, relays, grant and faults: the newest of everything, from records."""

from __future__ import annotations

from typing import Any

from vsecc_uart.naming import bit_names, name_of_value, names_of
from vsecc_uart.statistics import Statistics
from vsecc_uart.values import HOST, MCU, FrameRecord, Record

# Beyond it a permission is over (rule S3), whatever was said.
GRANT_LIFE_MS = 500
_STALE_S = 0.5


class LineState:
    """`add` every record; the `*_line` methods give text for a screen."""

    def __init__(self) -> None:
        self.newest: dict[str, FrameRecord] = {}
        self.opened: dict[int, str] = {}  # relay -> why it is open

    def add(self, record: Record) -> None:
        """One more record; strays and replays say nothing of the present."""
        if not isinstance(record, FrameRecord) or record.message is None or record.problem:
            return
        if "stray" in record.marks or "replay" in record.marks:
            return
        self.newest[record.name] = record
        if record.name == "RELAY_STATE":
            fields = record.fields()
            self.opened[fields["relay"]] = _name("RELAY_STATE", "reason", fields["reason"])

    def value(self, message: str, field: str) -> Any:
        """Newest value of a field; None before the first."""
        record = self.newest.get(message)
        return None if record is None else record.fields().get(field)

    def port_line(self, port: int) -> str:
        """Pilot, proximity, relay and faults of a port."""
        status = self.newest.get("STATUS")
        if status is None:
            return f"port {port}  nothing heard yet"
        fields = status.fields()
        state = _name("STATUS", f"cp{port}_state", fields[f"cp{port}_state"])
        duty = fields[f"cp{port}_duty_permille"]
        pwm = {0: "F -12 V", 1000: "X1 +12 V"}.get(duty, f"PWM {duty / 10:.1f} %")
        high, low = fields[f"cp{port}_high_mv"], fields[f"cp{port}_low_mv"]
        faults = _name("STATUS", f"cp{port}_faults", fields[f"cp{port}_faults"])
        return (
            f"port {port}  CP {state:<7} {high / 1000:+7.2f} {low / 1000:+7.2f} V  {pwm:<10} "
            f"PP {fields[f'pp{port}_mv'] / 1000:5.2f} V  faults {faults}"
        )

    def relay_line(self) -> str:
        """Contacts, and why the open ones are open."""
        status = self.newest.get("STATUS")
        if status is None:
            return "relays  -"
        closed, driven = status.fields()["relays_closed"], status.fields()["relays_driven"]
        parts = []
        for relay in (1, 2, 3):
            bit = 1 << relay - 1
            if closed & bit:
                parts.append(f"REL{relay} CLOSED" + ("" if driven & bit else " NOT DRIVEN"))
            else:
                why = self.opened.get(relay, "")
                why = f": {why}" if why not in ("", "closed") else ""
                parts.append(f"REL{relay} open{why}" + (" DRIVEN" if driven & bit else ""))
        return "relays  " + "  ".join(parts)

    def grant_line(self, now_s: float) -> str:
        """What the host permits and how old that is."""
        grant = self.newest.get("GRANT")
        if grant is None:
            return "grant   none heard"
        age_ms = (now_s - grant.at_s) * 1000
        fields = grant.fields()
        relays = bit_names(fields["relays"], names_of("GRANT", "relays")[1] or ())
        over = "  EXPIRED" if age_ms > min(fields["valid_ms"], GRANT_LIFE_MS) else ""
        permits = "permits nothing" if relays == "-" else f"permits {relays}"
        return f"grant   {permits}, {age_ms:.0f} ms old, for {fields['valid_ms']} ms{over}"

    def device_line(self) -> str:
        """Who the MCU is, its supply and its own faults."""
        hello = self.newest.get("HELLO")
        parts = []
        if hello is not None:
            fields = hello.fields()
            cause = _name("HELLO", "reset_cause", fields["reset_cause"])
            parts.append(f"{fields['image_version']} on {fields['board']}, reset {cause}")
        supply = self.value("TELEMETRY", "supply_mv")
        if supply is not None:
            parts.append(f"{supply / 1000:.1f} V")
            parts.append(f"cycle max {self.value('TELEMETRY', 'cycle_max_us')} µs")
        faults = self.value("TELEMETRY", "device_faults")
        if faults:
            parts.append("faults " + _name("TELEMETRY", "device_faults", faults))
        return "device  " + (", ".join(parts) or "-")

    def alarm(self) -> bool:
        """True when some port has a latched fault or the device one of its own."""
        faults = [self.value("STATUS", f"cp{port}_faults") for port in (1, 2)]
        return any(faults) or bool(self.value("TELEMETRY", "device_faults"))

    def heard(self, now_s: float) -> bool:
        """True while the MCU reports."""
        status = self.newest.get("STATUS")
        return status is not None and now_s - status.at_s < _STALE_S


class Rates:
    """Frames a second of each message since the last look, of a live line."""

    def __init__(self) -> None:
        self._before: dict[tuple[str, str], int] = {}
        self._bytes: dict[str, int] = {}
        self._at: float | None = None
        self.per_s: dict[tuple[str, str], float] = {}
        self.used: dict[str, float] = {HOST: 0.0, MCU: 0.0}

    def look(self, statistics: Statistics, now_s: float) -> None:
        """Compare with the last look."""
        counts = {
            (sender, name): kind.count
            for sender, side in statistics.sides.items()
            for name, kind in side.kinds.items()
        }
        passed = now_s - self._at if self._at is not None else 0.0
        if passed > 0:
            self.per_s = {key: (count - self._before.get(key, 0)) / passed for key, count in counts.items()}
            for sender, side in statistics.sides.items():
                bits = (side.bytes - self._bytes.get(sender, 0)) * 10
                self.used[sender] = bits / passed / statistics.baud if statistics.baud else 0.0
        self._before, self._at = counts, now_s
        self._bytes = {sender: side.bytes for sender, side in statistics.sides.items()}

    def line(self, sender: str, statistics: Statistics) -> str:
        """One end: frames a second, share of the line, errors."""
        rates = sorted(
            ((name, rate) for (who, name), rate in self.per_s.items() if who == sender and rate >= 0.05),
            key=lambda item: -item[1],
        )
        shown = " ".join(f"{name} {rate:.0f}/s" for name, rate in rates[:4]) or "silent"
        side = statistics.sides[sender]
        trouble = " ".join(f"{name} {count}" for name, count in sorted(side.errors.items()))
        missing = f" missing {side.missing}" if side.missing else ""
        return f"{sender:<7} {self.used[sender] * 100:.1f} %  errors {trouble or '0'}{missing}  {shown}"


def trip_line(statistics: Statistics) -> str:
    """Round trips and the clocks."""
    parts = []
    ack = statistics.sides[HOST].until_ack
    if ack:
        parts.append(f"ack p50 {ack.percentile(50) * 1000:.1f} p99 {ack.percentile(99) * 1000:.1f} ms")
    if statistics.on_wires:
        parts.append(f"wires p50 {statistics.on_wires.percentile(50) * 1000:.1f} ms")
    every = statistics.sides[MCU].kinds.get("STATUS")
    if every is not None and every.every:
        series = every.every
        parts.append(f"STATUS {series.mean * 1000:.1f} ms jitter {series.deviation * 1000:.1f}")
    if statistics.drift.ppm is not None:
        parts.append(f"MCU clock {statistics.drift.ppm:+.0f} ppm")
    return "timing  " + (", ".join(parts) or "-")


def _name(message: str, field: str, value: Any) -> str:
    return name_of_value(message, field, value) or str(value)
