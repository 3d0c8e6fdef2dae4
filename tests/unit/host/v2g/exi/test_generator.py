"""The committed modules are what the generator makes of the schemas, with the published event codes."""

from __future__ import annotations

import ast
import importlib.util
from pathlib import Path

import pytest
from unit.host.v2g.exi.given import SHARED

import vsecc_host.v2g.exi as exi
from vsecc_host.v2g.exi import Protocol, codec_for

EXI = Path(exi.__file__).parent


def syntax(path: Path) -> str:
    """What a module says, whatever its layout."""
    return ast.dump(ast.parse(path.read_text()))


@pytest.mark.skipif(importlib.util.find_spec("lxml") is None, reason="the generator needs lxml")
@pytest.mark.skipif(not (SHARED / "schemas").exists(), reason=f"no schemas at {SHARED}")
def test_committed_modules_are_up_to_date(tmp_path: Path) -> None:
    from exi_generator.__main__ import write_classes, write_tables

    write_classes(SHARED / "schemas", tmp_path)
    (tmp_path / "tables").mkdir()
    write_tables(SHARED / "schemas", tmp_path / "tables")
    made = sorted(path.relative_to(tmp_path) for path in tmp_path.rglob("*.py"))
    assert len(made) == 15
    assert [name for name in made if syntax(tmp_path / name) != syntax(EXI / name)] == []


@pytest.mark.parametrize(
    ("protocol", "elements", "names"),
    [
        (Protocol.SAP, 2, 9),
        (Protocol.DIN, 81, 245),
        (Protocol.ISO2, 80, 243),
        (Protocol.ISO20_COMMON, 54, 281),
        (Protocol.ISO20_DC, 48, 149),
        (Protocol.ISO20_AC, 42, 154),
        (Protocol.XMLDSIG, 24, 45),
    ],
)
def test_number_of_elements(protocol: Protocol, elements: int, names: int) -> None:
    grammar = codec_for(protocol).grammar
    assert (grammar.root_count, grammar.fragment_count) == (elements, names)


def test_root_codes() -> None:
    assert [(root.code, root.name) for root in codec_for(Protocol.DIN).roots(False)] == [(77, "V2G_Message")]
    assert [root.code for root in codec_for(Protocol.ISO2).roots(False)] == [76]
    codes = {root.name: root.code for root in codec_for(Protocol.ISO20_DC).roots(False)}
    assert (codes["DC_ChargeLoopReq"], codes["DC_ChargeLoopRes"]) == (13, 14)


def test_body_codes_of_din_and_iso_15118_2() -> None:
    for protocol, code, name in (
        (Protocol.DIN, 29, "SessionSetupReq"),
        (Protocol.ISO2, 13, "CurrentDemandReq"),
    ):
        (item,) = codec_for(protocol).grammar.types["BodyType"].items
        assert len(item.branches) == 35
        assert item.branches[code].name == name


def test_fragment_codes_of_iso_15118_2() -> None:
    codes = {root.name: root.code for root in codec_for(Protocol.ISO2).roots(True)}
    expected = {
        "AuthorizationReq": 4,
        "CertificateInstallationReq": 15,
        "CertificateUpdateReq": 17,
        "ContractSignatureCertChain": 33,
        "ContractSignatureEncryptedPrivateKey": 34,
        "DHpublickey": 45,
        "MeteringReceiptReq": 121,
        "SalesTariff": 174,
    }
    assert expected.items() <= codes.items()
    (signed_info,) = (r for r in codec_for(Protocol.XMLDSIG).roots(True) if r.name == "SignedInfo")
    assert signed_info.code == 32


def test_all_functions_compile() -> None:
    for protocol in Protocol:
        exi.warm_up(protocol)
        source = codec_for(protocol).source()
        assert source.count("def ") == 2 * len(codec_for(protocol).grammar.types)
