"""The simulated powerline: earshot, links by key, what gets through, and the modem's faults."""

from __future__ import annotations

from typing import Any

import pytest

from vsecc_host.slac import codec
from vsecc_host.slac import messages as m
from vsecc_sim.plc.medium import AIR_S, Medium
from vsecc_sim.plc.modem import Manners

PORT, NEIGHBOUR, CAR = (bytes([2, 0, 0, 0, 1, n]) for n in (1, 2, 3))
PORT_MODEM, NEIGHBOUR_MODEM, CAR_MODEM = (bytes([2, 0, 0, 0, 2, n]) for n in (1, 2, 3))
NID, NMK = b"\x01" * 7, b"\x02" * 16
IPV6 = b"\x33\x33\0\0\0\1" + CAR + b"\x86\xdd" + bytes(46)


class Line:
    """Two ports and a car; `say` hands in a frame, `heard` gives what has arrived by now."""

    def __init__(self, join_s: float = 0.4) -> None:
        self.now = 50.0
        self.medium = Medium(join_s=join_s)
        self.manners = Manners()
        for name, mac, evse in (
            ("port", PORT_MODEM, True),
            ("neighbour", NEIGHBOUR_MODEM, True),
            ("car", CAR_MODEM, False),
        ):
            self.medium.add(name, mac, evse=evse, manners=self.manners if name == "port" else None)
        self.medium.connect("car", "port", 30)
        self.medium.connect("car", "neighbour", 51)
        for name, mac in (("port", PORT), ("neighbour", NEIGHBOUR), ("car", CAR)):
            self.say(name, mac, m.SwVerReq(), m.LOCAL_MODEM)
        self.heard()

    def say(self, name: str, source: bytes, message: m.Message, to: bytes = m.BROADCAST) -> None:
        self.medium.receive(name, codec.encode(to, source, message), self.now)

    def heard(self, after_s: float = 0.1) -> list[tuple[str, Any]]:
        self.now += after_s
        found = []
        for name, raw in self.medium.take(self.now):
            frame = codec.decode(raw) if raw[12:14] == b"\x88\xe1" else None
            found.append((name, frame.message if frame is not None else raw))
        return found

    def join(self) -> None:
        self.say("port", PORT, m.SetKeyReq(NID, NMK), m.LOCAL_MODEM)
        self.say("car", CAR, m.SetKeyReq(NID, NMK), m.LOCAL_MODEM)
        self.heard(0.0)

    def link(self, name: str = "port", source: bytes = PORT) -> int:
        self.say(name, source, m.LinkStatusReq(), m.LOCAL_MODEM)
        return next(message.link for _, message in self.heard(0.001) if isinstance(message, m.LinkStatusCnf))


@pytest.fixture
def line() -> Line:
    return Line()


def test_a_sound_reaches_both_ports_with_its_own_attenuation(line: Line) -> None:
    line.say("car", CAR, m.MnbcSoundInd(9, bytes(8), bytes(16)))
    profiles = {n: message.groups_db for n, message in line.heard() if isinstance(message, m.AttenProfileInd)}
    assert profiles == {"port": bytes([30] * 58), "neighbour": bytes([51] * 58)}


def test_unicast_reaches_the_named_host_alone(line: Line) -> None:
    line.say("car", CAR, m.SlacMatchReq(CAR, PORT, bytes(8)), to=PORT)
    assert [name for name, _ in line.heard()] == ["port"]


def test_nobody_hears_whom_nothing_connects(line: Line) -> None:
    line.say("port", PORT, m.SlacParmReq(bytes(8)))
    assert [name for name, _ in line.heard()] == ["car"], "not the neighbour"


def test_frames_take_their_time_in_the_air(line: Line) -> None:
    line.say("car", CAR, m.SlacParmReq(bytes(8)))
    assert line.heard(AIR_S / 2) == []
    assert line.medium.next_deadline() == pytest.approx(line.now + AIR_S / 2)
    assert len(line.heard(AIR_S)) == 2


def test_equal_keys_join_after_their_delay_and_another_key_parts_at_once(line: Line) -> None:
    line.join()
    line.heard(0.39)
    assert line.link() == 0
    line.heard(0.02)
    assert line.link() == 1
    line.say("port", PORT, m.NwInfoReq(), m.LOCAL_MODEM)
    ((_, answer),) = line.heard()
    assert answer.network.nid == NID
    assert [station.bridged_mac for station in answer.network.stations] == [CAR]
    line.say("port", PORT, m.SetKeyReq(NID, b"\x03" * 16), m.LOCAL_MODEM)
    line.heard()
    assert line.link() == 0


def test_a_wrong_key_never_joins(line: Line) -> None:
    line.say("port", PORT, m.SetKeyReq(NID, NMK), m.LOCAL_MODEM)
    line.say("car", CAR, m.SetKeyReq(NID, b"\x03" * 16), m.LOCAL_MODEM)
    line.heard(30.0)
    assert line.link() == 0


def test_data_passes_only_between_linked_modems(line: Line) -> None:
    line.medium.receive("car", IPV6, line.now)
    assert line.heard() == []
    line.join()
    line.heard(1.0)
    line.medium.receive("car", IPV6, line.now)
    assert line.heard() == [("port", IPV6)]


def test_a_reset_silences_the_modem_for_a_second_and_breaks_the_link(line: Line) -> None:
    line.join()
    line.heard(1.0)
    line.say("port", PORT, m.ResetReq(), m.LOCAL_MODEM)
    assert [type(message) for _, message in line.heard(0.01)] == [m.ResetCnf]
    line.say("port", PORT, m.LinkStatusReq(), m.LOCAL_MODEM)
    assert line.heard(0.5) == []
    line.heard(0.6)
    assert line.link() == 0
    line.heard(0.5)
    assert line.link() == 1


def test_faults_of_a_modem(line: Line) -> None:
    line.manners.refuse_keys = 1
    for result in (0x0F, 1):
        line.say("port", PORT, m.SetKeyReq(NID, NMK), m.LOCAL_MODEM)
        ((_, confirm),) = line.heard()
        assert confirm.result == result
    line.manners.drop_sounds = frozenset({0, 2})
    line.say("car", CAR, m.StartAttenCharInd(CAR, bytes(8)))
    line.heard()
    for left in (3, 2, 1, 0):
        line.say("car", CAR, m.MnbcSoundInd(left, bytes(8), bytes(16)))
    counts = [
        message.count for n, message in line.heard() if n == "port" and isinstance(message, m.MnbcSoundInd)
    ]
    assert counts == [2, 0]
    line.manners.groups = 0
    line.manners.raw_indications = True
    line.manners.profile_first = True
    line.say("car", CAR, m.StartAttenCharInd(CAR, bytes(8)))
    line.say("car", CAR, m.MnbcSoundInd(9, bytes(8), bytes(16)))
    line.say("car", CAR, m.MnbcSoundInd(8, bytes(8), bytes(16)))
    kinds = [type(message) for n, message in line.heard() if n == "port"]
    assert kinds[:2] == [m.RawAttenInd, m.AttenProfileInd]
    line.manners.silent = True
    line.say("port", PORT, m.SwVerReq(), m.LOCAL_MODEM)
    line.say("car", CAR, m.SlacParmReq(bytes(8)))
    assert [name for name, _ in line.heard()] == ["neighbour"]


def test_the_modem_tells_its_platform(line: Line) -> None:
    line.say("port", PORT, m.OpAttributesReq(), m.LOCAL_MODEM)
    ((_, answer),) = line.heard()
    assert answer.attributes.startswith(b"QCA7005")


def test_bytes_that_are_no_frame_pass_by(line: Line) -> None:
    line.medium.receive("car", b"\x01\x02", line.now)
    cut = m.BROADCAST + CAR + b"\x88\xe1\x01\x64"
    line.medium.receive("car", cut, line.now)
    assert [raw for _, raw in line.medium.take(line.now + 1.0)] == [cut, cut]
