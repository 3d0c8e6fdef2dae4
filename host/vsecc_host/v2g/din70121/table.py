"""The sequence of DIN SPEC 70121 as a table: which request is answered by whom in which state, what follows.

A missing pair is FAILED_SequenceError. A handler may keep the state (Ongoing) or refuse (then it is END); the
table holds every other move.
"""

from __future__ import annotations

from vsecc_host.v2g.dc import power
from vsecc_host.v2g.dc import setup as dc_setup
from vsecc_host.v2g.dc.kinds import Kind as K
from vsecc_host.v2g.dc.kinds import State as S
from vsecc_host.v2g.dc.session import Rule
from vsecc_host.v2g.din70121 import setup

_STOP = Rule(power.session_stop, S.END)
_OFF = Rule(power.power_off, S.WELDING_OR_STOP)
_PRE_CHARGE = Rule(power.pre_charge, S.PRE_CHARGE_OR_POWER_ON)
_DEMAND = Rule(power.current_demand, S.CURRENT_DEMAND)

TABLE: dict[S, dict[K, Rule]] = {
    S.SESSION_SETUP: {K.SESSION_SETUP: Rule(dc_setup.session_setup, S.SERVICE_DISCOVERY)},
    S.SERVICE_DISCOVERY: {
        K.SERVICE_DISCOVERY: Rule(dc_setup.service_discovery, S.PAYMENT_SELECTION),
        K.SESSION_STOP: _STOP,
    },
    S.PAYMENT_SELECTION: {
        K.PAYMENT_SELECTION: Rule(setup.service_payment_selection, S.AUTHORIZATION),
        K.SESSION_STOP: _STOP,
    },
    S.AUTHORIZATION: {
        K.AUTHORIZATION: Rule(setup.contract_authentication, S.CHARGE_PARAMETERS),
        K.SESSION_STOP: _STOP,
    },
    S.CHARGE_PARAMETERS: {
        K.CHARGE_PARAMETER_DISCOVERY: Rule(setup.charge_parameter_discovery, S.CABLE_CHECK),
        K.SESSION_STOP: _STOP,
    },
    S.CABLE_CHECK: {
        K.CABLE_CHECK: Rule(power.cable_check, S.PRE_CHARGE),
        K.POWER_DELIVERY_OFF: _OFF,  # Audi gives up this way
        K.SESSION_STOP: _STOP,
    },
    S.PRE_CHARGE: {
        K.PRE_CHARGE: _PRE_CHARGE,
        K.POWER_DELIVERY_OFF: _OFF,
        K.SESSION_STOP: _STOP,
    },
    S.PRE_CHARGE_OR_POWER_ON: {
        K.PRE_CHARGE: _PRE_CHARGE,
        K.POWER_DELIVERY_ON: Rule(power.power_on, S.CURRENT_DEMAND_FIRST),
        K.POWER_DELIVERY_OFF: _OFF,
        K.SESSION_STOP: _STOP,  # Model Y and Polestar 2 give up this way
    },
    S.CURRENT_DEMAND_FIRST: {K.CURRENT_DEMAND: _DEMAND, K.POWER_DELIVERY_OFF: _OFF},
    S.CURRENT_DEMAND: {
        K.CURRENT_DEMAND: _DEMAND,
        K.POWER_DELIVERY_ON: Rule(power.power_on_again, S.END),
        K.POWER_DELIVERY_OFF: _OFF,
    },
    S.WELDING_OR_STOP: {
        K.WELDING_DETECTION: Rule(power.welding_detection, S.WELDING_OR_STOP),
        K.SESSION_STOP: _STOP,
    },
    S.END: {},
}
