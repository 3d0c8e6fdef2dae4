"""DIN SPEC 70121 for the DC dialogue."""

from __future__ import annotations

from typing import Any

from vsecc_host.v2g.dc.protocol import DcProtocol
from vsecc_host.v2g.dc.session import Manners
from vsecc_host.v2g.din70121 import times
from vsecc_host.v2g.din70121.answers import ANSWERS
from vsecc_host.v2g.din70121.requests import NAMES, kind_of, peek_kind
from vsecc_host.v2g.din70121.table import TABLE
from vsecc_host.v2g.exi import din70121 as m

MANNERS = Manners("din", times.POWER_SWITCH_S, times.READY_TO_CHARGE_S)


def message(session_id: bytes, body: Any) -> m.V2gMessage:
    """Header and body."""
    return m.V2gMessage(m.MessageHeader(session_id), body)


DIN = DcProtocol(TABLE, NAMES, kind_of, peek_kind, ANSWERS, message)
