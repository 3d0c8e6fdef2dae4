"""The Wireshark dissector in a real tshark, against our own decoder."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from xml.etree import ElementTree

import pytest
from unit.tools.uart.lines import built, charged, decoded

from vsecc_cli.main import main
from vsecc_host.records import pcapng
from vsecc_link import cbor, frame, messages
from vsecc_uart.recorder import Recorder
from vsecc_uart.recording import RecordingWriter
from vsecc_uart.values import HOST, MCU, Chunk, FrameRecord

TSHARK = shutil.which("tshark")
MUST_RUN = os.environ.get("CI") and os.geteuid() == 0  # `./run test` as root installs it
pytestmark = pytest.mark.skipif(TSHARK is None and not MUST_RUN, reason="no tshark: apt install tshark")

PLUGIN = "vsecc_uart.lua"
DIRECTIONS = {MCU: pcapng.INBOUND, HOST: pcapng.OUTBOUND}


@pytest.fixture(autouse=True)
def _plugin(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The dissector as `vsecc mcu dissector` hands it to a user, beside the recordings."""
    assert main(["mcu", "dissector"]) == 0
    (tmp_path / PLUGIN).write_text(capsys.readouterr().out, encoding="utf-8")


def tshark(path: Path, *options: str) -> str:
    assert TSHARK is not None
    run = subprocess.run(
        [TSHARK, "-X", f"lua_script:{path.with_name(PLUGIN)}", "-r", str(path), *options],
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    errors = [line for line in run.stderr.splitlines() if "Running as user" not in line]
    assert (run.returncode, errors) == (0, [])
    return run.stdout


def packets(path: Path) -> list[list[tuple[str, str]]]:
    """(name, value) of every field of ours, packet by packet."""
    root = ElementTree.fromstring(tshark(path, "-T", "pdml"))
    wanted = ("vsecc_uart", "_ws.expert.message", "_ws.lua.error")
    return [
        [
            (str(field.get("name")), str(field.get("show")))
            for field in packet.iter("field")
            if str(field.get("name")).startswith(wanted)
        ]
        for packet in root.iter("packet")
    ]


def written(path: Path, chunks: list[Chunk]) -> Path:
    """As a tap gives them: chunks as they are."""
    blocks = [pcapng.section_header("test"), pcapng.interface(pcapng.LINKTYPE_USER0, "mcu-uart")]
    blocks += [pcapng.packet(0, chunk.at_s, chunk.data, DIRECTIONS[chunk.sender]) for chunk in chunks]
    path.write_bytes(b"".join(blocks))
    return path


def recorded(path: Path, chunks: list[Chunk]) -> Path:
    """As `vsecc mcu record` writes them."""
    recorder = Recorder(RecordingWriter(path))
    for record in decoded(chunks):
        recorder.record(record)
    recorder.finish()
    return path


def samples() -> list[tuple[object, ...]]:
    """Every message of the catalogue with every field at its lowest and at its highest."""
    found = []
    for message_id, (_, _, _, fields) in messages.CATALOGUE.items():
        for place in (2, 3):
            values = []
            for field in fields:
                bound = field[place]
                if field[1] == messages.BOOL:
                    values.append(bool(bound))
                elif field[1] == messages.TEXT:
                    values.append("a" * min(bound, 40))
                elif field[1] == messages.BYTES:
                    values.append(b"\x5a" * bound)
                else:
                    values.append(bound)
            found.append((message_id, *values))
    return found


def sample_frames() -> list[Chunk]:
    chunks = []
    for number, message in enumerate(samples(), 1):
        _, sender, travel, _ = messages.CATALOGUE[message[0]]
        kind = frame.CYCLIC if travel == messages.CYCLIC else frame.RELIABLE
        if message[0] in (messages.HELLO, messages.HELLO_REQUEST):
            kind = frame.HANDSHAKE
        chunks.append(Chunk(1000 + number / 100, sender, built(sender, message, kind=kind, number=number)))
    return chunks


def shown(value: object) -> str:
    if isinstance(value, bool):
        return str(int(value))
    if isinstance(value, bytes):
        return value.hex(":")
    return str(value)


def test_every_field_of_every_message_reads_as_we_read_it(tmp_path: Path) -> None:
    chunks = sample_frames()
    for fields, chunk in zip(packets(written(tmp_path / "a.pcapng", chunks)), chunks, strict=True):
        record = decoded([chunk])[-1]
        assert isinstance(record, FrameRecord)
        assert ("vsecc_uart.message", record.name) in fields
        assert ("vsecc_uart.crc.good", "1") in [
            (name, "1" if show in ("1", "True") else show) for name, show in fields
        ]
        prefix = f"vsecc_uart.{record.name.lower()}."
        theirs = {name.removeprefix(prefix): show for name, show in fields if name.startswith(prefix)}
        for name, value in record.fields().items():
            read = theirs[name]
            if isinstance(value, int) and not isinstance(value, bool):
                assert int(read, 0) == value, name
            elif isinstance(value, bool):
                assert read in (("1", "True") if value else ("0", "False")), name
            else:
                assert read.replace(":", "") == shown(value).replace(":", ""), name
        experts = [show for name, show in fields if name == "_ws.expert.message"]
        foreign = record.name in ("HELLO", "HELLO_REQUEST")
        assert experts == (
            ["another catalogue than this dissector's: do not believe what fields are called"]
            if foreign
            else []
        )


def test_a_charge_has_the_same_frames_and_nothing_to_complain(tmp_path: Path) -> None:
    chunks = charged()
    records = [record for record in decoded(chunks) if isinstance(record, FrameRecord)]
    rows = tshark(
        recorded(tmp_path / "a.pcapng", chunks),
        "-T",
        "fields",
        "-e",
        "_ws.col.Info",
        "-e",
        "vsecc_uart.number",
    )
    infos = [row.split("\t") for row in rows.splitlines()]
    assert len(infos) == len(records)
    for (info, number), record in zip(infos, records, strict=True):
        assert info.split(" ")[0] == record.name
        assert int(number) == record.number
    assert tshark(tmp_path / "a.pcapng", "-Y", "_ws.expert") == ""
    closed = tshark(
        tmp_path / "a.pcapng", "-Y", "vsecc_uart.relay_state.closed == 1 && vsecc_uart.relay_state.relay == 1"
    )
    assert len(closed.splitlines()) == 1


def test_frames_cut_into_pieces_are_put_together(tmp_path: Path) -> None:
    chunks = []
    for chunk in charged(50):
        for at in range(0, len(chunk.data), 13):
            chunks.append(chunk._replace(data=chunk.data[at : at + 13], at_s=chunk.at_s + at * 1e-5))
    wanted = [record.name for record in decoded(chunks) if isinstance(record, FrameRecord)]
    seen = [
        value for fields in packets(written(tmp_path / "a.pcapng", chunks)) for name, value in fields
        if name == "vsecc_uart.message"
    ]  # fmt: skip
    assert seen == [name for name in wanted if name != "ACK"]


def test_damage_is_told(tmp_path: Path) -> None:
    good = built(MCU, samples()[2], kind=frame.CYCLIC)
    flipped = bytearray(good)
    flipped[15] ^= 1
    led = cbor.encode((messages.SET_LED, 9, 4))
    cases = [
        (MCU, bytes(flipped), "CRC"),
        (MCU, b"rubbish", "no frame begins here"),
        (MCU, b"\xa5\x5a\xff\x10" + bytes(30), "length 255 above 241"),
        (HOST, frame.build(frame.RELIABLE, 7, 1, 1, led), "led: 9 not in 0..3"),
        (MCU, built(HOST, (messages.CLEAR_FAULTS, 1), kind=frame.RELIABLE, number=2), "from the wrong end"),
        (HOST, frame.build(frame.RELIABLE, 7, 3, 1, cbor.encode((99,))), "unknown message 99"),
        (
            HOST,
            frame.build(frame.RELIABLE, 7, 4, 1, cbor.encode((messages.CLEAR_FAULTS,))),
            "number of fields",
        ),
        (HOST, frame.build(frame.RELIABLE, 7, 5, 1, b"\x82\x18"), "cut short"),
        (HOST, frame.build(frame.RELIABLE, 7, 6, 1, b"\xfb\x00"), "not a message|float"),
        (HOST, frame.build(frame.RELIABLE, 7, 7, 1, cbor.encode((messages.CLEAR_FAULTS, True))), "is a bool"),
    ]
    chunks = [Chunk(1000.0 + number, sender, data) for number, (sender, data, _) in enumerate(cases)]
    for make in (written, recorded):
        found = packets(make(tmp_path / f"{make.__name__}.pcapng", chunks))
        for fields, (_, _, text) in zip(found, cases, strict=True):
            experts = " ; ".join(show for name, show in fields if name == "_ws.expert.message")
            assert any(part in experts for part in text.split("|")), (make.__name__, text, fields)


def test_repeats_name_the_first(tmp_path: Path) -> None:
    data = built(HOST, (messages.CLEAR_FAULTS, 1), kind=frame.RELIABLE)
    chunks = [Chunk(1.0, HOST, data), Chunk(1.1, HOST, data)]
    first, second = packets(written(tmp_path / "a.pcapng", chunks))
    assert "vsecc_uart.repeat_of" not in dict(first)
    assert dict(second)["vsecc_uart.repeat_of"] == "1"


def test_random_bytes_never_break_it(tmp_path: Path) -> None:
    import random

    rng = random.Random(5)
    whole = b"".join(chunk.data for chunk in sample_frames())
    chunks = []
    for number in range(300):
        start = rng.randrange(len(whole))
        data = bytearray(whole[start : start + rng.randrange(1, 300)])
        for _ in range(rng.randrange(4)):
            data[rng.randrange(len(data))] = rng.randrange(256)
        chunks.append(Chunk(1000 + number * rng.choice((0.001, 0.1)), rng.choice((HOST, MCU)), bytes(data)))
    found = packets(written(tmp_path / "a.pcapng", chunks))
    assert len(found) == len(chunks)
    lua = [show for fields in found for name, show in fields if name == "_ws.lua.error"]
    assert lua == []
