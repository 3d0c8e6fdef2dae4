"""Bends a JSON document where it means something: another value, a member less, an element twice."""

from __future__ import annotations

import copy
import json
import random
from collections.abc import Iterator
from typing import Any

ODD = (
    None, True, False, 0, 1, -1, 2**31, 2**63, 10**400, 0.5, -0.0, 1e-9, 1e308, float("inf"), float("nan"),
    "", "0", "1e999", "\ud800", "\0\n\x1b[31m", "x" * 300, "²", [], [[]], {}, {"": None}, [0], ["x"],
)  # fmt: skip
_Place = tuple[Any, Any]  # a list or dict, and which of its places


def bent(data: bytes, rng: random.Random) -> bytes | None:
    """The document after its prefix with one to three places changed; None when there is none."""
    begin = min((at for at in (data.find(b"{"), data.find(b"[")) if at >= 0), default=-1)
    if begin < 0:
        return None
    try:
        whole = [json.loads(data[begin:])]
    except (ValueError, RecursionError):
        return None
    for _ in range(rng.randint(1, 3)):
        _bend(whole, rng)
    if not whole:
        return None
    return data[:begin] + json.dumps(whole[0]).encode()


def _bend(whole: list[Any], rng: random.Random) -> None:
    places = list(_places(whole))
    if not places:
        return
    parent, key = rng.choice(places)
    kind = rng.randrange(4)
    if kind == 0:
        del parent[key]
    elif kind == 1:
        other, where = rng.choice(places)
        parent[key] = copy.deepcopy(other[where])
    elif kind == 2 and isinstance(parent, dict):
        parent[rng.choice(("", "evse", "x", key + "x"))] = parent.pop(key)
    else:
        parent[key] = copy.deepcopy(rng.choice(ODD))


def _places(value: Any) -> Iterator[_Place]:
    keys = list(value) if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ()
    for key in keys:
        yield value, key
        yield from _places(value[key])
