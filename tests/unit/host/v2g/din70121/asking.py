"""How the handler tests talk to a dialogue."""

from __future__ import annotations

from typing import Any

from unit.host.v2g.given import NOW, message, view

from vsecc_host.station.values import Cause, EvseView
from vsecc_host.v2g.dc.dialogue import DcDialogue
from vsecc_host.v2g.dialogue import Step
from vsecc_host.v2g.exi import din70121 as m

Code = m.ResponseCode
Status = m.DcEvseStatusCode


def ask(dialogue: DcDialogue, request: Any, seen: EvseView, now: float = NOW) -> Step:
    return dialogue.ask(message(request), seen, now)


def body_of(step: Step) -> Any:
    assert isinstance(step.answer, m.V2gMessage), step
    return step.answer.body


def failed(step: Step) -> tuple[Code, Status | None, Cause]:
    body = body_of(step)
    assert step.ending is not None and not step.ending.orderly
    shown = getattr(body, "dc_evse_status", getattr(body, "evse_status", None))
    return body.response_code, shown.evse_status_code if shown else None, step.ending.cause


def fresh(now: float, **changes: Any) -> EvseView:
    return view(at=now, **changes)
