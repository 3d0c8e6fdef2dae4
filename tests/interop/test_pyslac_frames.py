"""pyslac (PyPI, own environment) reads our SLAC frames and writes its own: a second opinion on every byte."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

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

# What it reads of each of our frames, and the payload of the same message as it writes it itself.
SCRIPT = """
import json, sys
from pyslac import messages as p
kinds = {
    "SlacParmReq": p.SlacParmReq, "SlacParmCnf": p.SlacParmCnf, "StartAttenCharInd": p.StartAtennChar,
    "MnbcSoundInd": p.MnbcSound, "AttenProfileInd": p.AttenProfile, "AttenCharInd": p.AtennChar,
    "AttenCharRsp": p.AtennCharRsp, "SlacMatchReq": p.MatchReq, "SlacMatchCnf": p.MatchCnf,
    "SetKeyCnf": p.SetKeyCnf,
}
out = {}
for name, text in json.load(sys.stdin).items():
    if name == "SetKeyReq":
        frame = bytes.fromhex(text)
        out[name] = {"payload": p.SetKeyReq(nid=frame[33:40], new_key=frame[41:57]).pack_big().hex()}
        continue
    read = kinds[name].from_bytes(bytes.fromhex(text))
    fields = {k: v.hex() if isinstance(v, bytes) else v for k, v in vars(read).items()}
    if name == "SlacMatchCnf":
        read.mvf_length = 86  # read in the wrong byte order, written in the right one
    payload = "" if name == "SetKeyCnf" else read.pack_big().hex()
    out[name] = {"fields": fields, "payload": payload}
print(json.dumps(out))
"""
LEVELS = bytes(range(m.GROUPS))
NID, NMK = bytes(range(1, 8)), bytes(range(16))
SENT = [
    m.SlacParmReq(RUN),
    m.SlacParmCnf(CAR, RUN),
    m.StartAttenCharInd(CAR, RUN),
    m.MnbcSoundInd(7, RUN, NMK),
    m.AttenProfileInd(CAR, LEVELS),
    m.AttenCharInd(CAR, RUN, 9, LEVELS),
    m.AttenCharRsp(CAR, RUN),
    m.SlacMatchReq(CAR, OWN, RUN),
    m.SlacMatchCnf(CAR, OWN, RUN, NID, NMK),
    m.SetKeyReq(NID, NMK),
    m.SetKeyCnf(1, b"mine", b"your"),
]
READ: dict[str, dict[str, object]] = {
    "SlacParmReq": {"run_id": RUN.hex()},
    "SlacParmCnf": {"run_id": RUN.hex(), "forwarding_sta": CAR.hex(), "num_sounds": 10, "time_out": 6},
    "StartAttenCharInd": {"run_id": RUN.hex(), "forwarding_sta": CAR.hex(), "num_sounds": 10, "time_out": 6},
    "MnbcSoundInd": {"cnt": 7, "run_id": RUN.hex(), "rnd": int.from_bytes(NMK, "big")},
    "AttenProfileInd": {"pev_mac": CAR.hex(), "num_groups": 58, "aag": list(LEVELS)},
    "AttenCharInd": {"source_address": CAR.hex(), "run_id": RUN.hex(), "num_sounds": 9, "aag": list(LEVELS)},
    "AttenCharRsp": {"source_address": CAR.hex(), "run_id": RUN.hex(), "result": 0},
    "SlacMatchReq": {"pev_mac": CAR.hex(), "evse_mac": OWN.hex(), "run_id": RUN.hex()},
    "SlacMatchCnf": {"run_id": RUN.hex(), "nid": NID.hex(), "nmk": NMK.hex()},
    "SetKeyCnf": {"result": 1, "my_nonce": b"mine".hex(), "your_nonce": b"your".hex()},
}
IN_PADDING = 60 - 19  # short payloads end in the padding
NONCES = slice(1, 9)  # of CM_SET_KEY.REQ: any will do, ours are zero


@pytest.fixture(scope="module")
def peer() -> Path:
    try:
        return peer_python("pyslac", PACKAGES, print)
    except PeerUnavailable as reason:
        pytest.skip(str(reason))


@pytest.fixture(scope="module")
def told(peer: Path) -> dict[str, dict[str, Any]]:
    frames = {type(message).__name__: codec.encode(OWN, CAR, message).hex() for message in SENT}
    done = subprocess.run(
        [peer, "-c", SCRIPT], input=json.dumps(frames), capture_output=True, text=True, check=True, timeout=60
    )
    answer: dict[str, dict[str, Any]] = json.loads(done.stdout.splitlines()[-1])
    return answer


@pytest.mark.parametrize("name", READ)
def test_pyslac_reads_from_our_frame_what_we_put_in(told: dict[str, dict[str, Any]], name: str) -> None:
    fields = told[name]["fields"]
    assert {key: fields[key] for key in READ[name]} == READ[name]


@pytest.mark.parametrize("message", [sent for sent in SENT if not isinstance(sent, m.SetKeyCnf)])
def test_pyslac_writes_the_same_bytes(told: dict[str, dict[str, Any]], message: m.Message) -> None:
    theirs = bytearray.fromhex(told[type(message).__name__]["payload"])
    ours = bytearray(codec.encode(OWN, CAR, message)[19:])
    if isinstance(message, m.SetKeyReq):
        theirs[NONCES] = ours[NONCES]
    assert theirs.ljust(IN_PADDING, b"\0") == ours
