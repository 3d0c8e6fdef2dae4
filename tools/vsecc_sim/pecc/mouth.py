"""What a charge point says, on its way out: replies after their delay, and the faults that bend frames."""

from __future__ import annotations

import heapq
from collections.abc import Callable
from dataclasses import replace
from itertools import count

from vsecc_host.pep.codec import encode
from vsecc_host.pep.messages import MAX_NUMBER, Kind, Message
from vsecc_sim.pecc.faults import ActiveFaults
from vsecc_sim.pecc.outputs import Output, Send

HUGE_BYTES = 10_000_000
DEEP_BRACKETS = 100_000
WRONG_NUMBER = 1000  # away from the right one
_NO_JSON = '{"type":"info","kind":"status","payload":{'

OnSaid = Callable[[Message, float], None]


class Mouth:
    """A queue of frames with times; `due` gives what must go out now."""

    def __init__(self, faults: ActiveFaults, on_said: OnSaid) -> None:
        self._faults = faults
        self._on_said = on_said
        self._queue: list[tuple[float, int, str | bytes, Message | None]] = []
        self._order = count()

    def clear(self) -> None:
        """The connection is gone."""
        self._queue.clear()

    def next_deadline(self) -> float | None:
        """When the next frame is due."""
        return self._queue[0][0] if self._queue else None

    def due(self, now: float) -> list[Output]:
        """Frames to write now."""
        frames: list[Output] = []
        while self._queue and self._queue[0][0] <= now:
            _, _, text, message = heapq.heappop(self._queue)
            if "silent" in self._faults or "half-open" in self._faults:
                continue
            if message is not None:
                self._on_said(message, now)
            binary = "binary" in self._faults and isinstance(text, str)
            frames.append(Send(text.encode() if binary and isinstance(text, str) else text))
        return frames

    def raw(self, text: str, now: float) -> None:
        """A frame that is no message of ours."""
        heapq.heappush(self._queue, (now, next(self._order), text, None))

    def say(self, message: Message, at: float) -> None:
        """A message as it is."""
        heapq.heappush(self._queue, (at, next(self._order), encode(message), message))

    def huge(self, now: float) -> None:
        """A frame no receiver should take."""
        self.raw('{"type":"info","kind":"event","payload":{"eventDetails":"' + "x" * HUGE_BYTES + '"}}', now)

    def deep(self, now: float) -> None:
        """A frame that exhausts careless parsers."""
        self.raw("[" * DEEP_BRACKETS, now)

    # --- replies -------------------------------------------------------------------------------------------

    def reply(self, message: Message, now: float, delay_s: float) -> None:
        """A response or error, bent by the faults of replies."""
        faults = self._faults
        if "reply-dropped" in faults:
            return
        at = now + (faults.value("reply-late") if "reply-late" in faults else delay_s)
        if "reply-garbage" in faults:
            self.raw(_NO_JSON, at)
            return
        bent = self._bend(message)
        self.say(bent, at)
        if "reply-twice" in faults:
            self.say(bent, at)

    def _bend(self, message: Message) -> Message:
        number = message.sequence_number or 0
        if "reply-wrong-number" in self._faults:
            message = replace(message, sequence_number=(number + WRONG_NUMBER) % MAX_NUMBER)
        if "reply-wrong-kind" in self._faults:
            other = Kind.RESET if message.kind != Kind.RESET else Kind.CABLE_CHECK
            message = replace(message, kind=other, payload={})
        return message

    # --- status --------------------------------------------------------------------------------------------

    def status(self, message: Message, now: float) -> None:
        """A status, bent by the faults of status."""
        faults = self._faults
        if "status-stopped" in faults:
            return
        if "status-garbage" in faults:
            self.raw(_NO_JSON, now)
        elif "status-nan" in faults:
            self.raw(_with(message, '"temperature":', "NaN"), now)
        elif "status-wrong-type" in faults:
            self.raw(_with(message, '"measuredVoltage":', '"400"'), now)
        elif "status-incomplete" in faults:
            payload = {name: value for name, value in message.payload.items() if name != "contactorsStatus"}
            self.raw(encode(replace(message, payload=payload)), now)
        elif "status-unknown-kind" in faults:
            self.raw(encode(replace(message, kind="telemetry")), now)
        elif "status-extra" in faults:
            extra = {**message.payload, "fanSpeed": 1200, "modules": [{"id": 1, "ok": True}], "note": None}
            self.say(replace(message, payload=extra), now)
        else:
            self.say(message, now)


def _with(message: Message, name: str, value: str) -> str:
    """The frame with the number after `name` replaced."""
    before, _, after = encode(message).partition(name)
    end = min(at for at in (after.find(","), after.find("}")) if at >= 0)
    return before + name + value + after[end:]
