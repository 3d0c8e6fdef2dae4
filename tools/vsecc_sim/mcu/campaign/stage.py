"""Board, chip and hosts of one case in step on virtual time; carries its stimuli out."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import Any

from vsecc_link import envelope, frame, messages
from vsecc_link.link import host_hello
from vsecc_sim.mcu import commands
from vsecc_sim.mcu.board import Board
from vsecc_sim.mcu.campaign.case import Case, CaseError, Step
from vsecc_sim.mcu.campaign.host import CampaignHost, garbage, message_of
from vsecc_sim.mcu.campaign.oracle import STEP_US, Oracle
from vsecc_sim.mcu.inprocess import InProcessChip
from vsecc_sim.mcu.interpreter import Interpreter
from vsecc_sim.mcu.process import ProcessChip, ProcessSettings
from vsecc_sim.mcu.virtual import Chip, VirtualMcu

WRAP_US = 1 << 30
# Every case begins this long after power-on, whatever it took to bring the station there.
READY_US = 1_500_000
FOREIGN_HELLO = (messages.HELLO_REQUEST, messages.PROTOCOL_VERSION[0], 0, 0xDEADBEEF, "another")
PWM = 50
CHIP_FAULTS = ("mcu-", "supply", "console-")


class Stage:
    """One case on one chip. `t0_us` is the board's time at which the case begins."""

    def __init__(self, case: Case, chip: str, interpreter: Interpreter | None = None) -> None:
        """Powered; `chip` is sim or pico, `interpreter` runs the pico (None: CPython)."""
        ready = 0 if case.start == "power-on" else READY_US
        start_us = 0
        if case.wrap_at_ms is not None:
            start_us = WRAP_US - ready - round(case.wrap_at_ms * 1000)
        self.case = case
        self.t0_us = start_us + ready
        self.board = Board(seed=case.seed, start_us=start_us)
        self.board.terminals.dip_switches = case.dip
        made: Chip = (
            InProcessChip(self.board)
            if chip == "sim"
            else ProcessChip(self.board, ProcessSettings(interpreter, wall_clock=False))
        )
        self.mcu = VirtualMcu(self.board, made)
        self.oracle = Oracle(self.board)
        self.host = CampaignHost(0x1234)
        self.other: CampaignHost | None = None
        self.oracle.hosts.append(self.host)
        self._arrived = bytearray()
        self._sources: list[Iterator[bytes]] = []
        self._start_us = start_us
        self._next_ms_us = start_us + STEP_US
        self.board.uart.on_host_bytes = self._arrived.extend

    def close(self) -> None:
        """Ends the chip."""
        self.mcu.close()

    # ---- time ----

    def run_until(self, to_us: int) -> None:
        """Lets emulated time pass; hosts and the oracle have their turn every millisecond."""
        while self._next_ms_us <= to_us:
            self.mcu.run_until(self._next_ms_us)
            self._exchange()
            self._next_ms_us += STEP_US
        self.mcu.run_until(to_us)

    @property
    def now_ms(self) -> int:
        """The hosts' milliseconds."""
        return (self.board.now_us - self._start_us) // 1000

    def _exchange(self) -> None:
        data = bytes(self._arrived)
        self._arrived.clear()
        now_us = self.board.now_us
        out = self.host.step(data, now_us, self.now_ms)
        if self.other is not None:
            out += self.other.step(data, now_us, self.now_ms)
        for source in list(self._sources):
            chunk = next(source, None)
            if chunk is None:
                self._sources.remove(source)
            else:
                out += chunk
        if out:
            self.board.uart.host_send(out, now_us)
        self.oracle.look()

    # ---- the way to the start ----

    def prepare(self) -> None:
        """Brings the station to where the case starts, and time to `t0_us`."""
        start = self.case.start
        ports = (1, 2) if start == "charging-both" else (self.case.port,)
        if start not in ("power-on", "linked"):
            self._wait(lambda: self.host.sessions > 0)
            for port in ports:
                self._bring(port, start)
        if self.board.now_us > self.t0_us:
            raise CaseError(f"{self.case.id}: {start} took too long")
        self.run_until(self.t0_us)

    def _bring(self, port: int, start: str) -> None:
        self.ev(port, "B")
        self._run_ms(40)
        self.send([messages.SET_PILOT, port, messages.PILOT_PWM, PWM])
        self._run_ms(60)
        if start == "plugged":
            return
        self.ev(port, "C")
        self._run_ms(60)
        if start != "ready":
            self.host.granted.add(port)
            self._wait(lambda: self.board.relays[port].closed)

    def _run_ms(self, span_ms: int) -> None:
        self.run_until(self.board.now_us + span_ms * 1000)

    def _wait(self, condition: Any) -> None:
        while not condition():
            if self.board.now_us > self.t0_us:
                raise CaseError(f"{self.case.id}: did not come to {self.case.start}")
            self._run_ms(1)

    # ---- stimuli ----

    def apply(self, step: Step) -> None:
        """Carries one step out at the board's present time."""
        getattr(self, "_do_" + step.action)(step)

    def ev(self, port: int, state: str) -> None:
        """The car's resistors."""
        commands.obey(self.board, commands.ev(port, state=state))

    def send(self, row: list[Any]) -> None:
        """A message of the good host."""
        message = message_of(row)
        self.oracle.ask(message)
        self.host.send(message, self.now_ms)

    def _do_ev(self, step: Step) -> None:
        self.ev(step.options.get("port", self.case.port), step.value)

    def _do_ohm(self, step: Step) -> None:
        port = step.options.get("port", self.case.port)
        commands.obey(self.board, commands.ev(port, resistance_ohm=float(step.value)))

    def _do_fault(self, step: Step) -> None:
        options = step.options
        if step.value.startswith(CHIP_FAULTS):
            self.oracle.is_stalled = True
        target = options.get("port", self.case.port)
        value = options.get("value")
        commands.obey(self.board, commands.fault(step.value, target, options.get("active", True), value))

    def _do_inputs(self, step: Step) -> None:
        commands.obey(self.board, commands.inputs(step.value))

    def _do_grant(self, step: Step) -> None:
        self.host.granted = set(step.value)
        self.host.valid_ms = step.options.get("valid_ms", self.host.valid_ms)
        self.host.grant(self.board.now_us, self.now_ms)

    def _do_host(self, step: Step) -> None:
        if step.value in ("silent", "talks"):
            self.host.talks = step.value == "talks"
        elif step.value in ("dies", "lives"):
            self.host.alive = step.value == "lives"
        elif step.value == "restarts":
            self._replace_host(CampaignHost(0x2345))
        elif step.value == "foreign":
            self._replace_host(CampaignHost(0x3456, hello=FOREIGN_HELLO))
        elif step.value == "stray-hello":
            hello = envelope.pack(host_hello("stray"), envelope.HOST)
            data = frame.build(frame.HANDSHAKE, 0, 0x7777, 0, hello)
            self.board.uart.host_send(data, self.board.now_us)
        elif step.value == "second":
            self.other = CampaignHost(0x4567)
            self.oracle.hosts.append(self.other)
        else:
            raise CaseError(f"{self.case.id}: host {step.value!r}")

    def _replace_host(self, host: CampaignHost) -> None:
        self._earlier = self.host
        self.host = host
        self.oracle.hosts.append(host)

    def _do_send(self, step: Step) -> None:
        self.send(step.value)

    def _do_forge(self, step: Step) -> None:
        data = self.host.forge(list(message_of(step.value)), step.options)
        if data:
            self.board.uart.host_send(data, self.board.now_us)

    def _do_raw(self, step: Step) -> None:
        self.board.uart.host_send(bytes.fromhex(step.value), self.board.now_us)

    def _do_garbage(self, step: Step) -> None:
        options = step.options
        chunks = garbage(options.get("kind", "random"), step.value, self.case.seed, self.host.wire)
        self._sources.append(islice(chunks, int(options["for_ms"])))

    def _do_flood(self, step: Step) -> None:
        self._sources.append(self._flooding(step))

    def _flooding(self, step: Step) -> Iterator[bytes]:
        message = message_of(step.value)
        self.oracle.ask(message)
        for _ in range(int(step.options["for_ms"])):
            for _ in range(int(step.options.get("per_ms", 4))):
                self.host.link.send(message, self.now_ms)
            yield b""

    def _do_replay(self, step: Step) -> None:
        host = self._earlier if step.options.get("kind") == "earlier" else self.host
        self._sources.append(iter(list(host.wire)))
