"""HTTP control of a simulator: `POST /sim/<verb>` with a checked JSON body, `GET /sim/<view>`."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from aiohttp import web

logger = logging.getLogger(__name__)

MAX_BODY_BYTES = 64 * 1024  # the largest sensible body is a few hundred bytes
MAX_NUMBER = 1e12  # beyond any quantity of a charger


class Refused(ValueError):
    """What was asked of a simulator cannot be done; the text is for whoever asked."""


@dataclass(frozen=True, slots=True)
class Field:
    """One member of a body: its JSON type, whether it must be there, the values or the range allowed."""

    kind: type | tuple[type, ...]
    required: bool = False
    allowed: tuple[object, ...] = ()
    between: tuple[float, float] | None = None


Number = (int, float)
_IN_WORDS: dict[type | tuple[type, ...], str] = {
    int: "a whole number",
    Number: "a number",
    str: "a text",
    bool: "true or false",
    list: "a list",
    dict: "an object",
}
Fields = Mapping[str, Field]
Verb = Callable[[dict[str, Any]], None]
View = Callable[[], dict[str, Any]]


def parse_body(verb: str, fields: Fields, raw: bytes) -> dict[str, Any]:
    """The checked body of a verb; raises Refused naming what is wrong."""
    try:
        body = json.loads(raw or b"{}", parse_constant=_number, parse_float=_number, parse_int=_whole)
    except (ValueError, RecursionError) as error:
        raise Refused(f"not JSON: {error}") from error
    if not isinstance(body, dict):
        raise Refused("the body must be a JSON object")
    unknown = sorted(set(body) - set(fields))
    if unknown:
        raise Refused(f"unknown: {', '.join(unknown)}; {verb} takes {', '.join(fields)}")
    for name, rule in fields.items():
        if name in body:
            _check(name, body[name], rule)
        elif rule.required:
            raise Refused(f"{name} is missing")
    return body


def _number(text: str) -> float:
    """ValueError for infinity, for what is no number, and for what nobody can mean."""
    if not abs(value := float(text)) <= MAX_NUMBER:
        raise ValueError(f"number {text[:20]}")
    return value


def _whole(text: str) -> int:
    _number(text)
    return int(text)


def _check(name: str, value: object, rule: Field) -> None:
    kinds = rule.kind if isinstance(rule.kind, tuple) else (rule.kind,)
    if not isinstance(value, kinds) or (isinstance(value, bool) and bool not in kinds):
        raise Refused(f"{name} must be {_IN_WORDS[rule.kind]}")
    if rule.between and isinstance(value, Number) and not rule.between[0] <= value <= rule.between[1]:
        raise Refused(f"{name} must be from {rule.between[0]:g} to {rule.between[1]:g}")
    if rule.allowed and value not in rule.allowed:
        raise Refused(f"{name} must be one of {', '.join(map(str, rule.allowed))}")


async def _read(request: web.Request) -> bytes:
    """The body; Refused when it is larger than any sensible one."""
    try:
        return await request.read()
    except web.HTTPRequestEntityTooLarge as error:
        raise Refused(f"a body of more than {MAX_BODY_BYTES} bytes") from error


class ControlServer:
    """HTTP shell: parses, answers at once, lets the verb run."""

    def __init__(
        self, bodies: Mapping[str, Fields], verbs: Mapping[str, Verb], views: Mapping[str, View]
    ) -> None:
        self._bodies = bodies
        self._verbs = verbs
        self._views = views
        self._runner: web.AppRunner | None = None
        self.port = 0

    async def start(self, host: str, port: int) -> None:
        """Listen; port 0 takes a free one, found afterwards in `port`."""
        app = web.Application(client_max_size=MAX_BODY_BYTES)
        app.router.add_post("/sim/{verb}", self._post)
        app.router.add_get("/sim/{view}", self._get)
        self._runner = web.AppRunner(app, access_log=None, handle_signals=False)
        await self._runner.setup()
        site = web.TCPSite(self._runner, host, port)
        await site.start()
        self.port = self._runner.addresses[0][1]

    async def stop(self) -> None:
        """Close the listener and what is connected to it."""
        if self._runner is not None:
            await self._runner.cleanup()

    async def _post(self, request: web.Request) -> web.Response:
        verb = request.match_info["verb"]
        if verb not in self._bodies:
            known = ", ".join(self._bodies)
            return web.json_response({"error": f"no such verb; there are {known}"}, status=404)
        try:
            raw = await _read(request)
            self._verbs[verb](parse_body(verb, self._bodies[verb], raw))
        except Refused as error:
            logger.warning("control: %s refused: %s", verb, error)
            return web.json_response({"error": str(error)}, status=400)
        return web.json_response({"ok": True}, status=202)

    async def _get(self, request: web.Request) -> web.Response:
        view = self._views.get(request.match_info["view"])
        if view is None:
            known = ", ".join(self._views)
            return web.json_response({"error": f"no such view; there are {known}"}, status=404)
        return web.json_response(view())
