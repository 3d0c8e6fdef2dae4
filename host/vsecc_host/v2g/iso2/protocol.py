"""ISO 15118-2 for the DC dialogue."""

from __future__ import annotations

from typing import Any

from vsecc_host.v2g.dc.protocol import DcProtocol
from vsecc_host.v2g.dc.session import Manners
from vsecc_host.v2g.exi import iso15118_2 as m
from vsecc_host.v2g.iso2 import times
from vsecc_host.v2g.iso2.answers import ANSWERS
from vsecc_host.v2g.iso2.requests import NAMES, kind_of, peek_kind
from vsecc_host.v2g.iso2.table import TABLE

MANNERS = Manners("iso2", times.POWER_SWITCH_S)


def message(session_id: bytes, body: Any) -> m.V2gMessage:
    """Header and body."""
    return m.V2gMessage(m.MessageHeader(session_id), body)


ISO2 = DcProtocol(TABLE, NAMES, kind_of, peek_kind, ANSWERS, message, pauses=True)
