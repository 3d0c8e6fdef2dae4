"""Every SLAC and modem message as a frozen value (HomePlug AV, ISO 15118-3 Annex A).

MAC addresses, run ids and keys are bytes as on the wire; the layouts are in codec.py. Defaults are what a
sender that follows the standard puts in.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import IntEnum

BROADCAST = b"\xff" * 6
LOCAL_MODEM = bytes.fromhex("00b052000001")  # "my own modem": never leaves the wire to it
NO_STATION_ID = bytes(17)
GROUPS = 58  # carrier groups of CM_ATTEN_PROFILE and CM_ATTEN_CHAR
SOUNDS = 10  # C_EV_match_MNBC
SOUND_TIMEOUT = 6  # x 100 ms, TT_EVSE_match_MNBC
MATCH_REQ_LENGTH = 0x3E  # bytes after the length field
MATCH_CNF_LENGTH = 0x56
QUALCOMM_OUI = bytes.fromhex("00b052")


class ValidateResult(IntEnum):
    """Result field of CM_VALIDATE."""

    NOT_READY = 0
    READY = 1
    SUCCESS = 2
    FAILURE = 3
    NOT_REQUIRED = 4


@dataclass(frozen=True, slots=True)
class SlacParmReq:
    """CM_SLAC_PARM.REQ, broadcast by the EV."""

    run_id: bytes
    application_type: int = 0
    security_type: int = 0


@dataclass(frozen=True, slots=True)
class SlacParmCnf:
    """CM_SLAC_PARM.CNF: how the EV shall sound; `forwarding_sta` is the EV's host MAC."""

    forwarding_sta: bytes
    run_id: bytes
    sound_target: bytes = BROADCAST
    num_sounds: int = SOUNDS
    time_out: int = SOUND_TIMEOUT
    resp_type: int = 1
    application_type: int = 0
    security_type: int = 0


@dataclass(frozen=True, slots=True)
class StartAttenCharInd:
    """CM_START_ATTEN_CHAR.IND, broadcast three times; `time_out` in 100 ms."""

    forwarding_sta: bytes
    run_id: bytes
    num_sounds: int = SOUNDS
    time_out: int = SOUND_TIMEOUT
    resp_type: int = 1
    application_type: int = 0
    security_type: int = 0


@dataclass(frozen=True, slots=True)
class MnbcSoundInd:
    """CM_MNBC_SOUND.IND; `count` sounds are still to come."""

    count: int
    run_id: bytes
    random: bytes
    sender_id: bytes = NO_STATION_ID
    application_type: int = 0
    security_type: int = 0
    reserved: bytes = bytes(8)


@dataclass(frozen=True, slots=True)
class AttenProfileInd:
    """CM_ATTEN_PROFILE.IND of the own modem: one sound, dB per group; no groups if it cannot measure."""

    ev_mac: bytes
    groups_db: bytes
    reserved: int = 0


@dataclass(frozen=True, slots=True)
class AttenCharInd:
    """CM_ATTEN_CHAR.IND: average attenuation per group over `num_sounds` sounds."""

    source_address: bytes
    run_id: bytes
    num_sounds: int
    groups_db: bytes
    source_id: bytes = NO_STATION_ID
    response_id: bytes = NO_STATION_ID
    application_type: int = 0
    security_type: int = 0


@dataclass(frozen=True, slots=True)
class AttenCharRsp:
    """CM_ATTEN_CHAR.RSP; result 0 is success."""

    source_address: bytes
    run_id: bytes
    source_id: bytes = NO_STATION_ID
    response_id: bytes = NO_STATION_ID
    result: int = 0
    application_type: int = 0
    security_type: int = 0


@dataclass(frozen=True, slots=True)
class ValidateReq:
    """CM_VALIDATE.REQ; toggles are counted for (timer + 1) x 100 ms."""

    timer: int
    result: int = ValidateResult.READY
    signal_type: int = 0


@dataclass(frozen=True, slots=True)
class ValidateCnf:
    """CM_VALIDATE.CNF; `toggles` B-C-B toggles were seen."""

    toggles: int
    result: int
    signal_type: int = 0


@dataclass(frozen=True, slots=True)
class SlacMatchReq:
    """CM_SLAC_MATCH.REQ: the EV chose the EVSE named by `evse_mac`."""

    ev_mac: bytes
    evse_mac: bytes
    run_id: bytes
    ev_id: bytes = NO_STATION_ID
    evse_id: bytes = NO_STATION_ID
    length: int = MATCH_REQ_LENGTH
    application_type: int = 0
    security_type: int = 0
    reserved: bytes = bytes(8)


@dataclass(frozen=True, slots=True)
class SlacMatchCnf:
    """CM_SLAC_MATCH.CNF: the key of the EVSE's network; the key is kept out of every printout."""

    ev_mac: bytes
    evse_mac: bytes
    run_id: bytes
    nid: bytes
    nmk: bytes = field(repr=False)
    ev_id: bytes = NO_STATION_ID
    evse_id: bytes = NO_STATION_ID
    length: int = MATCH_CNF_LENGTH
    application_type: int = 0
    security_type: int = 0
    reserved: bytes = bytes(8)
    reserved_key: int = 0


@dataclass(frozen=True, slots=True)
class SetKeyReq:
    """CM_SET_KEY.REQ to the own modem."""

    nid: bytes
    new_key: bytes = field(repr=False)
    key_type: int = 1  # NMK
    my_nonce: bytes = bytes(4)
    your_nonce: bytes = bytes(4)
    pid: int = 4  # HLE
    prn: int = 0
    pmn: int = 0
    cco_capability: int = 0
    new_eks: int = 1


@dataclass(frozen=True, slots=True)
class SetKeyCnf:
    """CM_SET_KEY.CNF; Qualcomm modems say 1 for "set", the HomePlug text says 0."""

    result: int
    my_nonce: bytes = bytes(4)
    your_nonce: bytes = bytes(4)
    pid: int = 4
    prn: int = 0
    pmn: int = 0
    cco_capability: int = 0


@dataclass(frozen=True, slots=True)
class AmpMapReq:
    """CM_AMP_MAP.REQ: four bits per carrier, the first carrier in the low nibble."""

    carriers: int
    amplitudes: bytes


@dataclass(frozen=True, slots=True)
class AmpMapCnf:
    """CM_AMP_MAP.CNF; result 0 is success."""

    result: int = 0


@dataclass(frozen=True, slots=True)
class SwVerReq:
    """VS_SW_VER.REQ: who are you."""

    oui: bytes = QUALCOMM_OUI


@dataclass(frozen=True, slots=True)
class SwVerCnf:
    """VS_SW_VER.CNF; `version` such as MAC-QCA7005-1.2.5."""

    version: str
    status: int = 0
    device: int = 0x22
    oui: bytes = QUALCOMM_OUI


@dataclass(frozen=True, slots=True)
class OpAttributesReq:
    """VS_OP_ATTRIBUTES.REQ."""

    cookie: bytes = bytes(5)
    oui: bytes = QUALCOMM_OUI


@dataclass(frozen=True, slots=True)
class OpAttributesCnf:
    """VS_OP_ATTRIBUTES.CNF; `attributes` begin with the 16 characters of the platform."""

    attributes: bytes
    status: int = 0
    cookie: bytes = bytes(5)
    oui: bytes = QUALCOMM_OUI


@dataclass(frozen=True, slots=True)
class LinkStatusReq:
    """VS_PL_LINK_STATUS.REQ."""

    oui: bytes = QUALCOMM_OUI


@dataclass(frozen=True, slots=True)
class LinkStatusCnf:
    """VS_PL_LINK_STATUS.CNF; `link` 1 is up."""

    link: int
    status: int = 0
    oui: bytes = QUALCOMM_OUI


@dataclass(frozen=True, slots=True)
class ResetReq:
    """VS_RS_DEV.REQ: the modem restarts, about 1 s of silence."""

    oui: bytes = QUALCOMM_OUI


@dataclass(frozen=True, slots=True)
class ResetCnf:
    """VS_RS_DEV.CNF."""

    status: int = 0
    oui: bytes = QUALCOMM_OUI


@dataclass(frozen=True, slots=True)
class NwInfoReq:
    """VS_NW_INFO.REQ."""

    oui: bytes = QUALCOMM_OUI


class Role(IntEnum):
    """What a modem is in its network."""

    STATION = 0
    PROXY = 1
    COORDINATOR = 2


@dataclass(frozen=True, slots=True)
class NetworkStation:
    """Another modem of the network; `bridged_mac` is the host behind it, all ones while unknown."""

    mac: bytes
    bridged_mac: bytes
    tei: int = 0
    tx_rate_mbps: int = 0
    rx_rate_mbps: int = 0


@dataclass(frozen=True, slots=True)
class Network:
    """One powerline network as the modem sees it."""

    nid: bytes
    role: int
    stations: tuple[NetworkStation, ...] = ()
    snid: int = 0
    tei: int = 1
    cco_mac: bytes = bytes(6)
    cco_tei: int = 1


@dataclass(frozen=True, slots=True)
class NwInfoCnf:
    """VS_NW_INFO.CNF in the long form; None: no network."""

    network: Network | None
    oui: bytes = QUALCOMM_OUI


@dataclass(frozen=True, slots=True)
class RawAttenInd:
    """0xA14E of Qualcomm modems, one per sound; not in the standard and not used."""

    data: bytes


Message = (
    SlacParmReq
    | SlacParmCnf
    | StartAttenCharInd
    | MnbcSoundInd
    | AttenProfileInd
    | AttenCharInd
    | AttenCharRsp
    | ValidateReq
    | ValidateCnf
    | SlacMatchReq
    | SlacMatchCnf
    | SetKeyReq
    | SetKeyCnf
    | AmpMapReq
    | AmpMapCnf
    | SwVerReq
    | SwVerCnf
    | OpAttributesReq
    | OpAttributesCnf
    | LinkStatusReq
    | LinkStatusCnf
    | ResetReq
    | ResetCnf
    | NwInfoReq
    | NwInfoCnf
    | RawAttenInd
)
