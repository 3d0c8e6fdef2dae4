"""The protocols a car may choose in the handshake."""

from __future__ import annotations

from typing import NamedTuple

from vsecc_host.v2g.config import V2gConfig
from vsecc_host.v2g.dc.dialogue import DcDialogue
from vsecc_host.v2g.dc.memory import SessionMemory
from vsecc_host.v2g.dc.protocol import DcProtocol
from vsecc_host.v2g.dc.session import Manners
from vsecc_host.v2g.dialogue import Dialogue
from vsecc_host.v2g.din70121 import protocol as din
from vsecc_host.v2g.exi import Protocol
from vsecc_host.v2g.iso2 import protocol as iso2


class Spoken(NamedTuple):
    """Codec, dialogue and manners of one protocol."""

    codec: Protocol
    dc: DcProtocol
    manners: Manners


PROTOCOLS = {
    "din": Spoken(Protocol.DIN, din.DIN, din.MANNERS),
    "iso2": Spoken(Protocol.ISO2, iso2.ISO2, iso2.MANNERS),
}


def begin(
    spoken: Spoken, evse_id: int, session_id: bytes, config: V2gConfig, memory: SessionMemory
) -> Dialogue:
    """The SECC's half of a session in this protocol."""
    manners = spoken.manners._replace(
        energy_mode=config.din_charging_mode,
        renegotiate_share=config.renegotiate_share,
        refuse_profile=config.refuse_profile,
    )
    return DcDialogue(spoken.dc, evse_id=evse_id, session_id=session_id, manners=manners, memory=memory)
