"""Makes the Wireshark dissector: the catalogue as a Lua table in front of `dissector_core.lua`."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.resources import files

from vsecc_link import crc, frame
from vsecc_link import messages as catalogue
from vsecc_uart.naming import HEX_FIELDS, names_of, unit_of

CORE = "dissector_core.lua"

_KINDS = {catalogue.INT: "int", catalogue.BOOL: "bool", catalogue.TEXT: "text", catalogue.BYTES: "bytes"}
_TRAVELS = {catalogue.RELIABLE: "reliable", catalogue.CYCLIC: "cyclic"}


def dissector() -> str:
    """The whole Lua file for the present catalogue."""
    head = [
        "-- Wireshark dissector of the line between MCU and host of vsecc. Made by vsecc_uart/dissector.py.",
        f"-- Catalogue {catalogue.catalogue_crc():08x}, protocol "
        + ".".join(map(str, catalogue.PROTOCOL_VERSION)),
        "",
        f"local HEAD, CRC_SIZE, PAYLOAD_MAX = {frame.HEAD_SIZE}, {crc.CRC_SIZE}, {frame.PAYLOAD_MAX}",
        f"local FRAME_TIMEOUT_S = {frame.FRAME_TIMEOUT_MS / 1000}",
        f"local KINDS = {_value_table(frame.KIND_NAMES)}",
        f"local CATALOGUE_CRC = {catalogue.catalogue_crc()}",
        "local CATALOGUE = {",
    ]
    for message_id in sorted(catalogue.CATALOGUE):
        head += _message(message_id)
    return "\n".join([*head, "}", "", files(__package__).joinpath(CORE).read_text(encoding="utf-8")])


def _message(message_id: int) -> list[str]:
    name, sender, travel, fields = catalogue.CATALOGUE[message_id]
    head = f'name = "{name}", from = "{sender}", travel = "{_TRAVELS[travel]}"'
    lines = [f"    [{message_id}] = {{{head}, fields = {{"]
    lines += [f"        {_field(name, *field)}," for field in fields]
    return [*lines, "    }},"]


def _field(message: str, key: str, kind: int, low: int, high: int) -> str:
    values, bits = names_of(message, key)
    parts = [f'key = "{key}"', f'kind = "{_KINDS[kind]}"', f"low = {low}", f"high = {high}"]
    if values:
        parts.append(f"names = {_value_table(values)}")
    if bits:
        parts.append("bits = {" + ", ".join(f'"{name}"' for name in bits) + "}")
    parts.append(f"field = {_proto_field(message, key, kind, low, values)}")
    return "{" + ", ".join(parts) + "}"


def _value_table(names: Sequence[str]) -> str:
    return "{" + ", ".join(f'[{value}] = "{name}"' for value, name in enumerate(names)) + "}"


def _proto_field(message: str, key: str, kind: int, low: int, values: Sequence[str] | None) -> str:
    filter_name = f'"vsecc_uart.{message.lower()}.{key}"'
    if kind != catalogue.INT:
        lua = {catalogue.BOOL: "bool", catalogue.TEXT: "string", catalogue.BYTES: "bytes"}[kind]
        return f'ProtoField.{lua}({filter_name}, "{key}")'
    lua = "int32" if low < 0 else "uint32"
    unit = unit_of(key)
    if key == "message_id":
        display = f"base.DEC, {_value_table_of_messages()}"
    elif values:
        display = f"base.DEC, {_value_table(values)}"
    elif unit:
        display = f'base.UNIT_STRING, {{" {unit}"}}'
    else:
        display = "base.HEX" if key in HEX_FIELDS else "base.DEC"
    return f'ProtoField.{lua}({filter_name}, "{key}", {display})'


def _value_table_of_messages() -> str:
    rows = (f'[{number}] = "{catalogue.CATALOGUE[number][0]}"' for number in sorted(catalogue.CATALOGUE))
    return "{" + ", ".join(rows) + "}"
