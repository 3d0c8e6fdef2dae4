"""What the simulated car remembers of one session, and what it says next from that. Pure."""

from __future__ import annotations

from math import floor, inf

from vsecc_sim.ev.profiles import Profile
from vsecc_sim.ev.values import EvEnd, Intent, Schedule, Step, View

_FAULT_CODES = {EvEnd.NO_CURRENT: "FAILED_ChargingCurrentdifferential"}
_BULK_DEFAULT_PERCENT = 80
_FULL_DEFAULT_PERCENT = 100
_SECONDS_PER_H = 3600.0
_AFRESH = (Step.CHARGE_PARAMETERS, Step.CABLE_CHECK, Step.PRE_CHARGE, Step.CURRENT_DEMAND)


class Memory:
    """Facts of one session; changed by the rules and by the machine that counts requests."""

    def __init__(
        self, profile: Profile, view: View, target_soc_percent: float, *, old_session_id: bytes | None = None
    ) -> None:
        self.profile = profile
        self.view = view
        self.target_soc_percent = target_soc_percent
        self.old_session_id = old_session_id  # of the paused session that shall go on
        self.session_id = old_session_id or bytes.fromhex(profile.messages.first_session_id)
        self.end: EvEnd | None = None  # why the car is on its way out
        self.detail = ""
        self.trouble: list[str] = []  # what else went wrong on the way out
        self.wish: EvEnd | None = None  # the driver, or who else is outside, wants the session to end
        self.entered: dict[Step, float] = {}  # first request of each step, s
        self.sent: dict[Step, int] = {}  # requests per step
        self.fitting_rounds = 0  # of pre-charge, one after the other
        self.max_current_a = profile.charging.max_current_a  # the charger's limit lowers it
        self.max_power_w: float | None = None
        self.services: list[int] = []  # whose details are still to be asked
        self.schedule: Schedule | None = None
        self.schedule_since = 0.0  # when it was told
        self.customer_since: float | None = None  # a person has to act
        self.customer_until: float | None = None
        self.new_parameters = False  # renegotiate as soon as possible
        self.leads_to = Step.POWER_OFF  # where the winding down ends
        self.asked_current_a = 0.0
        self.no_current_since: float | None = None
        self.winding_down_since: float | None = None
        self.weldings_left = 0

    def intent(self, step: Step, now: float) -> Intent:
        """What the next request of `step` says."""
        view, messages = self.view, self.profile.messages
        voltage_v, current_a = self._targets(step, now)
        self.asked_current_a = current_a
        bulk = messages.bulk_soc_percent or _BULK_DEFAULT_PERCENT
        full = messages.full_soc_percent or _FULL_DEFAULT_PERCENT
        return Intent(
            session_id=self.session_id,
            soc_percent=view.soc_percent,
            ready=self._ready(step),
            error=_FAULT_CODES.get(self.end, "NO_ERROR") if self.end else "NO_ERROR",
            target_voltage_v=voltage_v,
            target_current_a=current_a,
            bulk_complete=view.soc_percent >= bulk,
            complete=self.end is EvEnd.CHARGED,
            remaining_full_s=self._remaining_s(full),
            remaining_bulk_s=self._remaining_s(bulk),
            service_id=self.services[0] if self.services else 0,
            schedule_id=self.schedule.id if self.schedule else 1,
            plan=self._plan(),
            pause=self.end is EvEnd.PAUSED,
        )

    def _ready(self, step: Step) -> bool:
        if step is Step.CHARGE_PARAMETERS:
            return self.profile.messages.ready_in_parameters
        return step is not Step.WELDING_DETECTION and self.end not in _FAULT_CODES

    def _targets(self, step: Step, now: float) -> tuple[float, float]:
        """(V, A) of PreChargeReq and CurrentDemandReq."""
        view = self.view
        if step is Step.PRE_CHARGE:
            currents = self.profile.checks.pre_charge_current_a
            return view.battery_voltage_v, currents[min(self.sent.get(step, 0), len(currents) - 1)]
        if step is not Step.CURRENT_DEMAND or self.winding_down_since is not None:
            return view.wanted_voltage_v, 0.0
        charging = self.profile.charging
        ceiling_a = min(
            view.wanted_current_a, charging.max_current_a, self.max_current_a, self._power_limit_a(now)
        )
        began = self.entered.get(step)
        if began is None:
            return view.battery_voltage_v, min(charging.first_current_a, ceiling_a)
        ramp_a = charging.first_current_a + charging.ramp_a_per_s * (now - began)
        steps = floor(ramp_a / charging.ramp_step_a + 1e-9)
        return view.wanted_voltage_v, min(steps * charging.ramp_step_a, ceiling_a)

    def _power_limit_a(self, now: float) -> float:
        """Current at which the charger's power limit and the schedule are just kept."""
        limits_w = [] if self.max_power_w is None else [self.max_power_w]
        if self.schedule is not None:
            elapsed_s = now - self.schedule_since
            begun = [power_w for start_s, power_w in self.schedule.entries if start_s <= elapsed_s]
            limits_w += begun[-1:]
        voltage_v = max(self.view.inlet_voltage_v, self.view.battery_voltage_v)
        if not limits_w or voltage_v <= 0:
            return inf
        step_a = 10.0**self.profile.multipliers.target_current  # what the request can say
        return floor(max(0.0, min(limits_w)) / voltage_v / step_a) * step_a

    def _plan(self) -> tuple[tuple[float, float], ...]:
        own_w = self.profile.messages.max_power_w or inf
        entries = self.schedule.entries if self.schedule else ()
        return tuple((start_s, min(power_w, own_w)) for start_s, power_w in entries)

    def start_afresh(self) -> None:
        """Renegotiation: the steps from the parameters on are done again, their patience starts anew."""
        for step in _AFRESH:
            self.entered.pop(step, None)
        self.fitting_rounds = 0
        self.no_current_since = self.winding_down_since = None
        self.new_parameters = False
        self.leads_to = Step.POWER_OFF

    def _remaining_s(self, soc_percent: float) -> float:
        missing = max(0.0, soc_percent - self.view.soc_percent) / 100.0 * self.profile.battery.capacity_wh
        power_w = self.view.wanted_current_a * self.view.battery_voltage_v
        return missing / power_w * _SECONDS_PER_H if power_w > 0 else 0.0

    def count(self, step: Step, now: float) -> None:
        """A request of `step` goes out."""
        self.entered.setdefault(step, now)
        self.sent[step] = self.sent.get(step, 0) + 1

    def waited_s(self, step: Step, now: float) -> float:
        """Seconds since the first request of `step`."""
        return now - self.entered.get(step, now)
