"""pyslac (PyPI, own environment) reads our SLAC frames, and we read its: a second opinion on the wire."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest

from vsecc_bench.peers import PeerUnavailable, peer_python
from vsecc_bench.slac import PACKAGES
from vsecc_host.slac import codec
from vsecc_host.slac import messages as m

CAR = bytes.fromhex("0465650064c3")
OWN = bytes.fromhex("020000000101")
RUN = bytes(range(8))

pytestmark = pytest.mark.skipif(
    not os.environ.get("VSECC_INTEROP"), reason="interop tests download peers: set VSECC_INTEROP=1"
)

SCRIPT = """
import json, sys
from pyslac import messages as p
from pyslac.layer_2_headers import EthernetHeader, HomePlugHeader
frames = {name: bytes.fromhex(text) for name, text in json.load(sys.stdin).items()}
read = p.SlacParmReq.from_bytes(frames["SlacParmReq"])
out = {"SlacParmReq.run_id": read.run_id.hex()}
start = p.StartAtennChar.from_bytes(frames["StartAttenCharInd"])
out["StartAttenCharInd"] = [start.num_sounds, start.time_out, start.run_id.hex()]
match = p.MatchReq.from_bytes(frames["SlacMatchReq"])
out["SlacMatchReq.run_id"] = match.run_id.hex()
car, own = frames["car"], frames["own"]
confirm = p.SlacParmCnf(forwarding_sta=car, run_id=read.run_id)
head = EthernetHeader(dst_mac=car, src_mac=own).pack_big()
out["SlacParmCnf"] = (head + HomePlugHeader(0x6065).pack_big() + confirm.pack_big()).hex()
print(json.dumps(out))
"""


@pytest.fixture(scope="module")
def peer() -> Path:
    try:
        return peer_python("pyslac", PACKAGES, print)
    except PeerUnavailable as reason:
        pytest.skip(str(reason))


def test_pyslac_and_we_agree(peer: Path) -> None:
    sent = {
        "SlacParmReq": m.SlacParmReq(run_id=RUN),
        "StartAttenCharInd": m.StartAttenCharInd(forwarding_sta=CAR, run_id=RUN),
        "SlacMatchReq": m.SlacMatchReq(ev_mac=CAR, evse_mac=OWN, run_id=RUN),
    }
    frames = {name: codec.encode(OWN, CAR, message).hex() for name, message in sent.items()}
    frames |= {"car": CAR.hex(), "own": OWN.hex()}
    done = subprocess.run(
        [peer, "-c", SCRIPT], input=json.dumps(frames), capture_output=True, text=True, check=True, timeout=60
    )
    read = json.loads(done.stdout.splitlines()[-1])
    assert read["SlacParmReq.run_id"] == RUN.hex()
    assert read["StartAttenCharInd"] == [10, 6, RUN.hex()]
    assert read["SlacMatchReq.run_id"] == RUN.hex()
    frame = codec.decode(bytes.fromhex(read["SlacParmCnf"]))
    assert frame is not None
    assert frame.message.run_id == RUN and frame.message.forwarding_sta == CAR
