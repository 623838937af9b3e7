"""Names of objects: the parts of a series' key, encoded for a path and back."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from urllib.parse import quote, unquote

LONGEST_PART = 200
SAFE = "-_.~"


def encode_part(part: str) -> str:
    """Turn any text into one path part, so that distinct texts become distinct parts.

    Percent-encoding; an empty part is `%00`, a part of dots alone `%2E…`, and a part over 200
    bytes keeps its start and ends in `%~` and a hash of the whole.
    """
    if part == "":
        return "%00"
    encoded = quote(part, safe=SAFE)
    if set(part) == {"."}:
        encoded = "%2E" * len(part)
    if part == "\x00":
        encoded = "%00%"
    if len(encoded) <= LONGEST_PART:
        return encoded
    digest = hashlib.sha256(part.encode()).hexdigest()[:32]
    return encoded[: LONGEST_PART - len(digest) - 2] + "%~" + digest


def decode_part(encoded: str) -> str | None:
    """Turn a path part back into the text; None where the text was too long to be kept whole.

    Raises:
        ValueError: no text is encoded so.
    """
    if "%~" in encoded:
        return None
    if encoded == "%00":
        return ""
    text = "\x00" if encoded == "%00%" else unquote(encoded, errors="strict")
    if encode_part(text) != encoded:
        raise ValueError(f"'{encoded}' is not the encoded form of any name")
    return text


def model_path(use_case: str, parts: Sequence[str], extension: str = ".json") -> str:
    """The object under which people find a series' serving model."""
    return "/".join(["models", encode_part(use_case), *map(encode_part, parts)]) + extension
