"""What tells one protocol from the other for the dialogue: its table, its bytes, its answers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from vsecc_host.station.values import EvseView
from vsecc_host.v2g.dc.kinds import Kind
from vsecc_host.v2g.dc.session import DcSession, Manners, Reply
from vsecc_host.v2g.dc.table import Table
from vsecc_host.v2g.dc.values import Code, Processing, Status


class Telling(NamedTuple):
    """What an answer is built from, good or FAILED; `request` is None if it did not decode."""

    code: Code
    view: EvseView
    session: DcSession
    status: Status
    manners: Manners
    request: Any
    processing: Processing = Processing.FINISHED
    achieved: tuple[bool, bool, bool] = (False, False, False)


Builder = Callable[[Telling], object]


class DcProtocol(NamedTuple):
    """DIN 70121 or ISO 15118-2."""

    table: Table
    names: Mapping[Kind, str]  # of the requests, for people
    kind_of: Callable[[object], Kind | None]
    peek_kind: Callable[[bytes], Kind | None]
    answers: Mapping[Kind, Builder]
    message: Callable[[bytes, Any], object]  # session id and body to a whole message
    pauses: bool = False  # sessions may be paused, joined again and renegotiated


def telling(reply: Reply, status: Status, view: EvseView, manners: Manners, request: object) -> Telling:
    """What a reply says."""
    return Telling(
        reply.code, view, reply.session, status, manners, request, reply.processing, reply.achieved
    )
