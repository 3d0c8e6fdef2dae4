"""The files of one program for one kind of chip, and what of them a slot lacks. Values only."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field

from mcu.image import begin_file

Hashes = Mapping[str, bytes]


@dataclass(frozen=True, slots=True)
class ImageSet:
    """`files`: name inside a slot -> content; `root`: those that stand outside the slots (boot files)."""

    version: str
    arch: str
    files: Mapping[str, bytes]
    root: Mapping[str, bytes] = field(default_factory=dict)

    def digest(self) -> bytes:
        """SHA-256 as the running program computes it of its slot and tells it in HELLO (rule S8)."""
        total = hashlib.sha256()
        for name in sorted(self.files):
            begin_file(total, name, len(self.files[name]))
            total.update(self.files[name])
        return total.digest()

    def hashes(self) -> dict[str, bytes]:
        """SHA-256 of every file."""
        return {name: hashlib.sha256(content).digest() for name, content in self.files.items()}


@dataclass(frozen=True, slots=True)
class Plan:
    """What turns a slot into an image: first remove, then copy on the device, then send."""

    remove: tuple[str, ...]
    copy: tuple[tuple[str, str], ...]  # (path on the device, name in the slot)
    send: tuple[str, ...]
    keep: tuple[str, ...]

    @property
    def is_empty(self) -> bool:
        """True when the slot holds the image already."""
        return not (self.remove or self.copy or self.send)


def plan(image: ImageSet, target: Hashes, base: Hashes, base_folder: str) -> Plan:
    """What to do to a slot with `target` files; what `base` has too is copied on the device."""
    wanted = image.hashes()
    have = {digest: name for name, digest in sorted(base.items(), reverse=True)}
    keep = tuple(sorted(name for name in wanted if target.get(name) == wanted[name]))
    missing = sorted(set(wanted) - set(keep))
    return Plan(
        remove=tuple(sorted(set(target) - set(keep))),
        copy=tuple((f"{base_folder}/{have[wanted[name]]}", name) for name in missing if wanted[name] in have),
        send=tuple(name for name in missing if wanted[name] not in have),
        keep=keep,
    )


def folders(names: tuple[str, ...]) -> list[str]:
    """Every folder the names need, parents first."""
    found = {
        "/".join(parts[:depth])
        for name in names
        for parts in [name.split("/")]
        for depth in range(1, len(parts))
    }
    return sorted(found)
