"""One simulated powerline modem: what it answers its host, no I/O. Delays are s, levels dB."""

from __future__ import annotations

from dataclasses import dataclass, field

from vsecc_host.slac import codec
from vsecc_host.slac import messages as m

RESET_SILENCE_S = 1.0


@dataclass(slots=True, kw_only=True)
class Manners:
    """How a modem behaves; changed while it runs to inject faults."""

    set_key_result: int = 1
    refuse_keys: int = 0  # this many CM_SET_KEY.REQ are refused first
    takes_keys: bool = True  # False: CM_SET_KEY.REQ is not answered, the rest is
    joins: bool = True  # False: equal keys, but never a link
    silent: bool = False  # dead: answers nothing, forwards nothing
    tells_network: bool = True  # VS_NW_INFO
    tells_link: bool = True  # VS_PL_LINK_STATUS
    settle_s: float = 0.0  # a new key comes into force after this, an AR7420 takes 5 s
    answer_s: float = 0.001
    profile_s: float = 0.0005  # CM_ATTEN_PROFILE.IND after its sound
    profile_first: bool = False  # the profile overtakes its sound
    raw_indications: bool = False  # 0xA14E with every profile
    groups: int = m.GROUPS  # 0: cannot measure
    drop_sounds: frozenset[int] = frozenset()  # first is 0, counted from each CM_START_ATTEN_CHAR.IND on
    version: str = "MAC-QCA7005-1.2.5.3207-00-20180927-CS"


@dataclass(frozen=True, slots=True)
class Key:
    """A network key as set; in force from `since` on."""

    nid: bytes
    nmk: bytes
    since: float


@dataclass(slots=True, kw_only=True)
class SimModem:
    """`hosts` are the MACs heard from its own side; `neighbours` is filled in by the medium."""

    mac: bytes
    evse: bool
    manners: Manners = field(default_factory=Manners)
    key: Key | None = None
    hosts: list[bytes] = field(default_factory=list)
    neighbours: tuple[SimModem, ...] = ()  # linked ones
    quiet_from: float = 0.0  # restarting between these
    quiet_until: float = 0.0
    refused: int = 0
    sounds: dict[bytes, int] = field(default_factory=dict)  # by car, since its last START

    def silent(self, now: float) -> bool:
        """Nothing gets in or out."""
        return self.manners.silent or self.quiet_from < now < self.quiet_until

    def learn(self, source: bytes) -> None:
        """A host behind this modem, as its bridge learns it."""
        if source not in self.hosts:
            self.hosts = [*self.hosts[-15:], source]

    def answer(self, frame: codec.Frame, now: float) -> bytes | None:
        """What the modem says to its host; None for nothing."""
        message = self._answer(frame.message, now)
        return None if message is None else codec.encode(frame.source, self.mac, message)

    def profiles(self, ev_mac: bytes, loss_db: int) -> list[bytes]:
        """Indications of one heard sound."""
        groups = bytes([min(255, loss_db)] * self.manners.groups)
        frames = [codec.encode(m.BROADCAST, self.mac, m.AttenProfileInd(ev_mac, groups))]
        if self.manners.raw_indications:
            frames.insert(
                0, codec.encode(m.BROADCAST, self.mac, m.RawAttenInd(m.QUALCOMM_OUI + ev_mac + groups))
            )
        return frames

    def hears_sound(self, ev_mac: bytes) -> bool:
        """Count a sound; False for one that is dropped."""
        index = self.sounds.get(ev_mac, 0)
        self.sounds[ev_mac] = index + 1
        return index not in self.manners.drop_sounds

    def _answer(self, message: m.Message, now: float) -> m.Message | None:
        if isinstance(message, m.SetKeyReq):
            return self._set_key(message, now) if self.manners.takes_keys else None
        if isinstance(message, m.SwVerReq):
            return m.SwVerCnf(self.manners.version)
        if isinstance(message, m.OpAttributesReq):
            return m.OpAttributesCnf(
                self.manners.version[4:11].encode().ljust(16, b"\0"), cookie=message.cookie
            )
        if isinstance(message, m.NwInfoReq) and self.manners.tells_network:
            return m.NwInfoCnf(self._network(now))
        if isinstance(message, m.LinkStatusReq) and self.manners.tells_link:
            return m.LinkStatusCnf(int(bool(self.neighbours)))
        if isinstance(message, m.ResetReq):
            self.quiet_from = now + self.manners.answer_s  # the confirmation still gets out
            self.quiet_until = now + RESET_SILENCE_S
            return m.ResetCnf()
        return None

    def _set_key(self, message: m.SetKeyReq, now: float) -> m.SetKeyCnf:
        if self.refused < self.manners.refuse_keys:
            self.refused += 1
            return m.SetKeyCnf(0x0F, b"\x5a" * 4, message.my_nonce)
        if self.key is None or (self.key.nid, self.key.nmk) != (message.nid, message.new_key):
            self.key = Key(message.nid, message.new_key, now + self.manners.settle_s)
        return m.SetKeyCnf(self.manners.set_key_result, b"\x5a" * 4, message.my_nonce, pmn=0xFF)

    def _network(self, now: float) -> m.Network | None:
        if self.key is None or now < self.key.since:
            return None
        stations = tuple(
            m.NetworkStation(other.mac, other.hosts[-1] if other.hosts else m.BROADCAST, tei, 9, 9)
            for tei, other in enumerate(self.neighbours, 2)
        )
        role = m.Role.COORDINATOR if self.evse else m.Role.STATION
        return m.Network(self.key.nid, role, stations, cco_mac=self.mac)
