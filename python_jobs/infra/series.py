"""The name of a series: the key's parts joined with |, and the way back; the seed of its draws.

The other half is the SQL macro `series_id`. A backslash escapes \\ and |, so that a series_id
reads as itself and splits back into exactly its parts.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from datetime import date

TOTAL = "total"
"""The series_id of a use case whose key is empty."""


def join_key(parts: Sequence[str]) -> str:
    """Join the parts of a key into a series_id; an empty key names the one series `total`."""
    if not parts:
        return TOTAL
    return "|".join(part.replace("\\", "\\\\").replace("|", "\\|") for part in parts)


def split_key(series_id: str) -> list[str]:
    """Split a series_id into the parts that `join_key` joined.

    Raises:
        ValueError: a backslash escapes nothing.
    """
    parts, part, characters = [], "", iter(series_id)
    for character in characters:
        if character == "\\":
            escaped = next(characters, "")
            if escaped not in ("\\", "|"):
                raise ValueError(f"series_id {series_id!r}: a backslash escapes {escaped!r}")
            part += escaped
        elif character == "|":
            parts.append(part)
            part = ""
        else:
            part += character
    return [*parts, part]


def pattern_to_regex(patterns: str) -> str:
    """Turn comma-separated glob patterns over series_id into one RE2 expression.

    `*` stands for any text and `?` for one character; everything else is itself. A comma in a
    name is written `\\,`.

    Example:
        `N1|retail|*,N2|*` -> `^(?:N1\\|retail\\|.*|N2\\|.*)$`
    """
    globs = map(_glob_to_regex, split_patterns(patterns))
    return "(?s)^(?:" + "|".join(globs) + ")$"


def split_patterns(patterns: str) -> list[str]:
    """The globs of a comma-separated list."""
    found = re.split(r"(?<!\\),", patterns)
    return [glob.replace("\\,", ",").strip() for glob in found if glob.strip()]


def series_seed(series_id: str, origin_date: date, seed: int) -> int:
    """Derive the seed of one series' draws at one origin, the same on every machine.

    Returns:
        A 128-bit number: BLAKE2b over the three parts, each led by its length.
    """
    parts = (str(seed), origin_date.isoformat(), series_id)
    text = "".join(f"{len(part)}:{part}" for part in parts)
    digest = hashlib.blake2b(text.encode(), digest_size=16).digest()
    return int.from_bytes(digest, "big")


def _glob_to_regex(glob: str) -> str:
    wildcards = {"*": ".*", "?": "."}
    return "".join(wildcards.get(character, re.escape(character)) for character in glob)
