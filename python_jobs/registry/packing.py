"""The models of a shard as one object: a JSON object a line, one line a series.

A bucket of 100,000 small objects is slow to write and to read; a few packed ones are not. Each
model's bytes are kept exactly, so that its SHA-256 in `model_log` can be checked on the way in.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass

import orjson

from python_jobs.infra.store import ObjectCorrupt


def pack(models: Mapping[str, bytes]) -> bytes:
    """Pack models by series_id."""
    return b"\n".join(_line(series_id, data) for series_id, data in models.items())


def _line(series_id: str, data: bytes) -> bytes:
    try:
        return orjson.dumps({"series_id": series_id, "text": data.decode("utf-8")})
    except UnicodeDecodeError:
        return orjson.dumps({"series_id": series_id, "base64": base64.b64encode(data).decode()})


@dataclass(frozen=True)
class Unpacked:
    """The contents of an object.

    Attributes:
        models: of each line that is one of `pack`'s, by series_id.
        damage: what is wrong with the first line that is not; empty where all are.
    """

    models: dict[str, bytes]
    damage: str = ""


def unpack(packed: bytes, name: str) -> Unpacked:
    """Unpack what `pack` packed; a line that was damaged or cut short costs its own model only.

    Args:
        packed: the object's bytes.
        name: of the object, for what is wrong with it.
    """
    models: dict[str, bytes] = {}
    damage = ""
    for number, line in enumerate(packed.split(b"\n"), start=1):
        try:
            entry = orjson.loads(line)
            text = entry.get("text")
            data = base64.b64decode(entry["base64"]) if text is None else text.encode()
            models[entry["series_id"]] = data
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            damage = damage or f"{name}: line {number} holds no model ({error})."
    return Unpacked(models, damage)


def unpack_whole(packed: bytes, name: str) -> dict[str, bytes]:
    """Unpack an object of which nothing may be missing.

    Raises:
        ObjectCorrupt: a line is not one of `pack`'s (numbered).
    """
    unpacked = unpack(packed, name)
    if unpacked.damage:
        raise ObjectCorrupt(unpacked.damage)
    return unpacked.models
