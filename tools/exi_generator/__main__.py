"""python -m exi_generator SCHEMAS [--out FOLDER]: writes the modules of host/vsecc_host/v2g/exi."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from .classes import module_text
from .model import Model
from .schema import Element, Name, Schema
from .tables import TableWriter

_OUT = Path(__file__).resolve().parents[2] / "host" / "vsecc_host" / "v2g" / "exi"
_XMLDSIG = "http://www.w3.org/2000/09/xmldsig#"
_SHARED = "urn:iso:std:iso:15118:-20:CommonTypes"


@dataclass(frozen=True)
class Set:
    """One schema set: module name, what it is, root file, which elements are messages."""

    module: str
    title: str
    root: str
    is_root: Callable[[Element], bool]


def _is_message(element: Element) -> bool:
    return element.name.local.endswith(("Req", "Res", "V2G_Message")) and element.head is None


SETS = (
    Set(
        "xmldsig",
        "XML signatures as the V2G headers carry them.",
        "iso15118_2/xmldsig-core-schema.xsd",
        lambda element: element.name.local == "Signature",
    ),
    Set(
        "app_protocol",
        "Application handshake, common to DIN 70121 and ISO 15118.",
        "app_protocol/V2G_CI_AppProtocol.xsd",
        _is_message,
    ),
    Set("din70121", "DIN SPEC 70121 messages.", "din70121/V2G_CI_MsgDef.xsd", _is_message),
    Set("iso15118_2", "ISO 15118-2 messages.", "iso15118_2/V2G_CI_MsgDef.xsd", _is_message),
    Set(
        "iso15118_20_types",
        "Types that all ISO 15118-20 message sets share.",
        "iso15118_20/V2G_CI_CommonMessages.xsd",
        lambda element: False,
    ),
    Set(
        "iso15118_20_common",
        "ISO 15118-20 common messages.",
        "iso15118_20/V2G_CI_CommonMessages.xsd",
        _is_message,
    ),
    Set("iso15118_20_dc", "ISO 15118-20 DC messages.", "iso15118_20/V2G_CI_DC.xsd", _is_message),
    Set("iso15118_20_ac", "ISO 15118-20 AC messages.", "iso15118_20/V2G_CI_AC.xsd", _is_message),
)


def roots(schema: Schema, chosen: Set) -> list[Name]:
    """Names of the root elements in EXI order."""
    names = [e.name for e in schema.elements.values() if chosen.is_root(e)]
    return sorted(names, key=lambda name: name.key)


def _shared_types(schemas: Path) -> tuple[Model, set[str]]:
    """All -20 types, and the names of those that every message set shares."""
    sets = [s for s in SETS if s.module.startswith("iso15118_20_") and not s.module.endswith("types")]
    models = []
    for chosen in sets:
        schema = Schema(schemas / chosen.root)
        models.append(Model(schema, roots(schema, chosen)))
    merged = models[0]
    for model in models[1:]:
        merged.messages = {**model.messages, **merged.messages}
        merged.enums = {**model.enums, **merged.enums}
    names = {m.class_name for name, m in merged.messages.items() if name.uri == _SHARED}
    return merged, names | set(_enums_of(merged, _SHARED))


def _enums_of(model: Model, uri: str) -> list[str]:
    """Enumerations declared in that namespace."""
    declared = {name.local for name in model.schema.type_names() if name.uri == uri}
    return [name for name, kind in model.enums.items() if kind.name in declared]


def write_classes(schemas: Path, out: Path) -> None:
    """Writes all class modules."""
    imported: dict[str, str] = {}
    for chosen in SETS:
        is_20 = chosen.module.startswith("iso15118_20")
        shared = {name: module for name, module in imported.items() if is_20 or module == "xmldsig"}
        only: set[str] | None = None
        if chosen.module == "iso15118_20_types":
            model, only = _shared_types(schemas)
        else:
            schema = Schema(schemas / chosen.root)
            model = Model(schema, roots(schema, chosen))
        (out / f"{chosen.module}.py").write_text(module_text(chosen.title, model, shared, only))
        if chosen.module == "xmldsig":
            only = {message.class_name for message in model.messages.values()}
        imported |= {name: chosen.module for name in only or ()}


def write_tables(schemas: Path, out: Path) -> None:
    """Writes all table modules."""
    for chosen in SETS:
        if chosen.module == "iso15118_20_types":
            continue
        schema = Schema(schemas / chosen.root)
        names = roots(schema, chosen)
        text = TableWriter(Model(schema, names), chosen.module).module_text(f"Tables: {chosen.title}", names)
        (out / f"{chosen.module}.py").write_text(text)


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(prog="exi_generator", description=__doc__)
    parser.add_argument("schemas", type=Path, help="folder with app_protocol, din70121, iso15118_2 ...")
    parser.add_argument("--out", type=Path, default=_OUT)
    arguments = parser.parse_args()
    write_classes(arguments.schemas, arguments.out)
    write_tables(arguments.schemas, arguments.out / "tables")


if __name__ == "__main__":
    main()
