"""The sequence of ISO 15118-2 (DC, external payment) as a table: request, answerer, what follows.

A missing pair is FAILED_SequenceError. A handler may keep the state (Ongoing) or refuse (then it is END); the
table holds every other move.
"""

from __future__ import annotations

from vsecc_host.v2g.dc import power as dc_power
from vsecc_host.v2g.dc import setup as dc_setup
from vsecc_host.v2g.dc.kinds import Kind as K
from vsecc_host.v2g.dc.kinds import State as S
from vsecc_host.v2g.dc.session import Rule
from vsecc_host.v2g.iso2 import power, setup

_STOP = Rule(power.session_stop, S.END)
_ON = Rule(power.power_on, S.CURRENT_DEMAND_FIRST)
_OFF = Rule(dc_power.power_off, S.WELDING_OR_STOP)
_PRE_CHARGE = Rule(dc_power.pre_charge, S.PRE_CHARGE_OR_POWER_ON)
_IN_THE_LOOP = {
    K.CURRENT_DEMAND: Rule(dc_power.current_demand, S.CURRENT_DEMAND),
    K.POWER_DELIVERY_ON: Rule(dc_power.power_on_again, S.END),
    K.POWER_DELIVERY_OFF: _OFF,
    K.POWER_DELIVERY_AGAIN: Rule(power.renegotiate, S.CHARGE_PARAMETERS_AGAIN),
}

TABLE: dict[S, dict[K, Rule]] = {
    S.SESSION_SETUP: {K.SESSION_SETUP: Rule(dc_setup.session_setup, S.SERVICE_DISCOVERY)},
    S.SERVICE_DISCOVERY: {
        K.SERVICE_DISCOVERY: Rule(dc_setup.service_discovery, S.PAYMENT_SELECTION),
        K.SESSION_STOP: _STOP,
    },
    S.PAYMENT_SELECTION: {
        K.SERVICE_DETAIL: Rule(setup.service_detail, S.PAYMENT_SELECTION),
        K.PAYMENT_SELECTION: Rule(setup.payment_service_selection, S.AUTHORIZATION),
        K.SESSION_STOP: _STOP,
    },
    S.AUTHORIZATION: {
        K.AUTHORIZATION: Rule(setup.authorization, S.CHARGE_PARAMETERS),
        K.SESSION_STOP: _STOP,
    },
    S.CHARGE_PARAMETERS: {
        K.CHARGE_PARAMETER_DISCOVERY: Rule(setup.charge_parameter_discovery, S.CABLE_CHECK),
        K.SESSION_STOP: _STOP,
    },
    S.CHARGE_PARAMETERS_AGAIN: {
        K.CHARGE_PARAMETER_DISCOVERY: Rule(setup.charge_parameter_discovery, S.CABLE_CHECK_OR_POWER_ON),
        K.POWER_DELIVERY_OFF: _OFF,
        K.SESSION_STOP: _STOP,
    },
    S.CABLE_CHECK_OR_POWER_ON: {
        K.CABLE_CHECK: Rule(dc_power.cable_check, S.PRE_CHARGE),
        K.POWER_DELIVERY_ON: _ON,  # cars that keep their contactors closed (ADR 0041)
        K.POWER_DELIVERY_OFF: _OFF,
        K.SESSION_STOP: _STOP,
    },
    S.CABLE_CHECK: {
        K.CABLE_CHECK: Rule(dc_power.cable_check, S.PRE_CHARGE),
        K.POWER_DELIVERY_OFF: _OFF,  # as with DIN: some cars give up this way
        K.SESSION_STOP: _STOP,
    },
    S.PRE_CHARGE: {
        K.PRE_CHARGE: _PRE_CHARGE,
        K.POWER_DELIVERY_OFF: _OFF,
        K.SESSION_STOP: _STOP,
    },
    S.PRE_CHARGE_OR_POWER_ON: {
        K.PRE_CHARGE: _PRE_CHARGE,
        K.POWER_DELIVERY_ON: _ON,
        K.POWER_DELIVERY_OFF: _OFF,
        K.POWER_DELIVERY_AGAIN: Rule(power.refuse_renegotiation, S.END),
        K.SESSION_STOP: _STOP,
    },
    S.CURRENT_DEMAND_FIRST: _IN_THE_LOOP,
    S.CURRENT_DEMAND: _IN_THE_LOOP,
    S.WELDING_OR_STOP: {
        K.WELDING_DETECTION: Rule(dc_power.welding_detection, S.WELDING_OR_STOP),
        K.SESSION_STOP: _STOP,
    },
    S.END: {},
}
