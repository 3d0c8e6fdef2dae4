"""Terminal progress of a simulated station: a line per phase, a live line with V, A, kW and SoC."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable
from typing import Any

LIVE_PERIOD_S = 0.25  # redraws of the live line on a terminal
PLAIN_PERIOD_S = 2.0  # lines into a pipe

PHASE_TEXT = {
    "idle": "no car",
    "connected": "plugged in, 5 % PWM, waiting for the car to talk",
    "setup": "V2G session: services, authorisation, parameters",
    "cable_check": "cable check: relay closed, isolation measured",
    "pre_charge": "pre-charge: output follows the battery",
    "charging": "charging",
    "stopping": "ramping down, contactors open",
    "finished": "session over, cable still in",
    "faulted": "fault",
}


Evses = Callable[[], list[dict[str, Any]]]  # the `evses` of GET /sim/state


class Progress:
    """Writes to stdout, or to stderr when stdout carries JSON."""

    def __init__(self, *, to_stderr: bool) -> None:
        self._out = sys.stderr if to_stderr else sys.stdout
        self._live = self._out.isatty()
        self._phase: dict[int, str] = {}
        self._width = 0
        self._task: asyncio.Task[None] | None = None

    def say(self, text: str) -> None:
        """One line of its own."""
        self._clear()
        print(text, file=self._out, flush=True)

    def watch(self, evses: Evses) -> None:
        """Follow the station until the event loop ends."""
        self._task = asyncio.get_running_loop().create_task(self._follow(evses))

    async def _follow(self, read: Evses) -> None:
        tick = 0
        period_s = LIVE_PERIOD_S if self._live else 0.1
        while True:
            evses = read()
            for evse in evses:
                self._phase_line(evse)
            if self._live:
                self._draw("   ".join(live_line(evse) for evse in evses if evse["phase"] != "idle"))
            elif tick % round(PLAIN_PERIOD_S / period_s) == 0:
                for evse in evses:
                    if evse["phase"] in ("charging", "pre_charge"):
                        print("   " + live_line(evse), file=self._out, flush=True)
            tick += 1
            await asyncio.sleep(period_s)

    def _phase_line(self, evse: dict[str, Any]) -> None:
        number, phase = evse["evse"], evse["phase"]
        if self._phase.get(number) == phase:
            return
        self._phase[number] = phase
        text = f"EVSE {number}  {PHASE_TEXT.get(phase, phase)}"
        if evse["cause"] != "none" and phase in ("finished", "faulted", "stopping"):
            text += f" - {evse['cause_text']}"
        self.say(text)

    def finish(self, summary: dict[str, Any]) -> None:
        """The summary as a few lines for a person."""
        self._clear()
        answers = summary["answers"]
        self.say(
            f"{'goal reached' if summary['goal'] else 'GOAL MISSED'}: {summary['protocol']} session as "
            f"{summary['profile']}, ended by {summary['end']}"
        )
        for evse in summary["evses"]:
            self.say(
                f"EVSE {evse['evse']}  {evse['energy_wh']:.0f} Wh, "
                f"SoC {evse['soc_start']:.0f} -> {evse['soc_end']:.0f} %"
            )
            for phase in evse["phases"]:
                self.say(
                    f"   {phase['name']:<12} {phase['start_s']:8.2f} s  for {phase['duration_s']:7.2f} s"
                )
        self.say(
            f"answers: {answers['count']}, median {answers['median_ms']:.2f} ms, "
            f"p99 {answers['p99_ms']:.2f} ms, "
            f"max {answers['max_ms']:.2f} ms; memory {summary['memory_mib']:.0f} MiB"
        )
        for error in summary["errors"]:
            self.say(f"error: {error}")

    def _draw(self, text: str) -> None:
        self._clear()
        self._out.write(text)
        self._out.flush()
        self._width = len(text)

    def _clear(self) -> None:
        if self._width:
            self._out.write("\r" + " " * self._width + "\r")
            self._width = 0


def live_line(evse: dict[str, Any]) -> str:
    """Voltage, current, power and a SoC bar of one EVSE."""
    voltage, current = evse["voltage_v"], evse["current_a"]
    line = (
        f"EVSE {evse['evse']} CP {evse['cp_state']}  {voltage:6.1f} V {current:6.1f} A "
        f"{voltage * current / 1000:6.1f} kW"
    )
    if evse["soc_percent"] is not None:
        filled = round(evse["soc_percent"] / 5)
        line += f"  SoC [{'#' * filled}{'.' * (20 - filled)}] {evse['soc_percent']:5.1f} %"
    return line
