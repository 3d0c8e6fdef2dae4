"""The PECC simulator's charge point: whatever an SECC sends, nothing is raised, our frames are legal."""

from __future__ import annotations

from collections.abc import Iterator

from vsecc_host.pep.codec import decode
from vsecc_host.pep.versions import PepVersion
from vsecc_sim.pecc.outputs import Send
from vsecc_sim.pecc.point import ChargePoint

_REQUEST = '{"type":"request","kind":"%s","sequenceNumber":%d,"payload":{%s}}'
_TARGET = '"targetVoltage":%d,"targetCurrent":%d,"batteryStateOfCharge":50,"chargingState":"%s"'
TEMPLATES = (
    _REQUEST % ("configuration", 1, ""),
    _REQUEST % ("contactorsStatus", 2, '"contactorsStatus":"closed"'),
    _REQUEST % ("contactorsStatus", 3, '"contactorsStatus":"open"'),
    _REQUEST % ("cableCheck", 4, '"voltage":500'),
    _REQUEST % ("targetValues", 5, _TARGET % (400, 2, "preCharge")),
    _REQUEST % ("targetValues", 6, _TARGET % (420, 200, "charge")),
    _REQUEST % ("targetValues", 7, _TARGET % (0, 0, "postCharge")),
    _REQUEST % ("reset", 8, ""),
    '{"type":"info","kind":"evConnectionState","payload":{"evConnectionState":"connected"}}',
    '{"type":"info","kind":"chargingSession","payload":{"evMaxVoltageVolts":450}}',
    '{"type":"response","kind":"stopCharging","sequenceNumber":1,"payload":{}}',
    '{"type":"error","kind":"error","sequenceNumber":0,"payload":{"errorCategory":"format","errorDetails":""}}',
)
_VERSIONS = tuple(PepVersion)
_MAX_TICKS = 200


def seeds() -> Iterator[bytes]:
    """Each frame in turn with 1 s between them, for every version."""
    for version in range(len(_VERSIONS)):
        yield bytes([version]) + b"".join(bytes((100, which, 0, 200)) for which in range(len(TEMPLATES)))


def one_input(data: bytes) -> None:
    """Bytes as a script: which frame, how bent, how long until the next, is the supervision closed."""
    point, now = ChargePoint(1), 10.0
    version = _VERSIONS[data[0] % len(_VERSIONS)] if data else PepVersion.V1_8
    point.switch_on(now)
    point.connected(version, now)
    for at in range(1, len(data) - 3, 4):
        what, which, place, value = data[at : at + 4]
        frame = bytearray(TEMPLATES[which % len(TEMPLATES)].encode())
        if what >= 128:
            frame[place % len(frame)] = value
        if what >= 224:
            del frame[place % len(frame) :]
        if what < 16:
            point.supervise(bool(what % 2), now)
        elif what < 24:
            point.disconnected(now)
            point.connected(version, now)
        else:
            text = frame.decode("utf-8", "replace")
            point.receive(bytes(frame) if what == 24 else text, now)
        now = _pass(point, now, value / 200)
        for output in point.take():
            if isinstance(output, Send):
                decode(output.data, version, "secc")  # type: ignore[arg-type]
        assert len(point.conduct.findings) <= 1000
    point.conduct.finish(now)


def _pass(point: ChargePoint, now: float, seconds: float) -> float:
    """Time goes by; a deadline that stays behind would keep a loop spinning."""
    end = now + seconds
    for _ in range(_MAX_TICKS + round(seconds * 100)):
        due = point.next_deadline()
        if due is None or due > end:
            return end
        point.tick(max(now, due))
        now = max(now, due)
    raise AssertionError(f"deadline {due} stays behind {end}")
