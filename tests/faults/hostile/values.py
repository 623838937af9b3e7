"""Values, texts and bytes that nobody means, and trees with one of them somewhere."""

from __future__ import annotations

import copy
from datetime import date
from random import Random
from typing import Any

TEXTS = (
    *(
        "",
        " ",
        "\0",
        "a\0b",
        "\n",
        "\t",
        "=cmd",
        "-1",
        "--dry-run",
        "../../etc/passwd",
        "/dev/null",
    ),
    *("{{ 1 + 1 }}", "{% raw %}", "`x`", "a; drop table x; --", "') or 1=1 --", "${HOME}", "%s%n"),
    *("Europe", "Europe/Nowhere", "A" * 5000, "é" * 300, "\u202e", "\ud800", "NA", "null", "NaN"),
    *("inf", "1e400", "0x10", "010", "1:30", "9" * 400, "a.b", "a.b.c.d", "`a`.b.c", "*", "a|b\\"),
    *("http://169.254.169.254/x", "https://u:p@h/x", "http://127.0.0.1:99999", "gs://", "gs:///x"),
    *("2026-13-45", "0001-01-01", "9999-12-31", "2026-02-30", "24:00", "22:00+05:00", "true"),
)
NUMBERS = (
    *(0, -1, 1, 10**9, -(10**9), 2**31, 2**53 + 1, 2**63, -(2**63) - 1, 10**30, 10**400),
    *(0.0, -0.0, 0.5, 4.0, 1e300, 5e-324, float("inf"), float("-inf"), float("nan")),
)
OTHERS: tuple[Any, ...] = (None, True, False, [], {}, [[]], {"a": {}}, [None], [1, "1"], b"\xff")
DAYS = (date(1, 1, 1), date(9999, 12, 31), date(2026, 2, 28))


def value(random: Random) -> Any:
    """Any hostile value."""
    return copy.deepcopy(random.choice(random.choice((TEXTS, NUMBERS, NUMBERS, OTHERS, DAYS))))


def text(random: Random) -> str:
    """A hostile text, or two in one."""
    if random.random() < 0.15:
        return random.choice(TEXTS) + random.choice(TEXTS)
    if random.random() < 0.2:
        return str(random.choice(NUMBERS[:-4]))[:600]
    return random.choice(TEXTS)


def spoiled(random: Random, tree: Any, times: int = 1) -> Any:
    """A copy of a tree in which something is replaced, removed, added or nested."""
    tree = copy.deepcopy(tree)
    for _ in range(times):
        places = list(_places(tree))
        if not places:
            return value(random)
        parent, key = random.choice(places)
        how = random.random()
        if how < 0.65:
            parent[key] = value(random)
        elif how < 0.75:
            del parent[key]
        elif how < 0.85 and isinstance(parent, dict):
            parent[random.choice(TEXTS)] = parent.pop(key)
        elif how < 0.95:
            parent[key] = nested(random, parent[key])
        elif isinstance(parent, dict):
            parent[random.choice(TEXTS)] = value(random)
    return tree


def nested(random: Random, inner: Any) -> Any:
    """A value in many lists or mappings."""
    for _ in range(random.choice((1, 2, 60, 300))):
        inner = [inner] if random.random() < 0.5 else {"a": inner}
    return inner


def _places(tree: Any) -> list[tuple[Any, Any]]:
    found: list[tuple[Any, Any]] = []
    keys = list(tree) if isinstance(tree, dict) else range(len(tree))
    for key in keys:
        found.append((tree, key))
        if isinstance(tree[key], dict | list):
            found += _places(tree[key])
    return found


def damaged(random: Random, content: bytes) -> bytes:
    """Bytes cut short, doubled, or with other bytes among them."""
    at = random.randrange(len(content) + 1)
    odd = random.choice(
        (b"\xff", b"\0", b"\xef\xbb\xbf", b"\x1f\x8b", b'"', b"\n", b"\r", b",", b"{", b"\xd0\xca")
    )
    how = random.random()
    if how < 0.3:
        return content[:at]
    if how < 0.7:
        return content[:at] + odd * random.choice((1, 1, 3, 1000)) + content[at:]
    if how < 0.8:
        return content[:at] + content
    if how < 0.9:
        return content[:at] + random.randbytes(20) + content[at + 20 :]
    return random.choice(
        (b"", b"\0" * 100, random.randbytes(200), content.decode().encode("utf-16"))
    )
