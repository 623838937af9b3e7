"""Find and replace code in SQL, never what stands inside strings and comments."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

_OPAQUE = re.compile(
    r"""
    (?P<comment> --[^\n]* | \#[^\n]* | /\*.*?\*/ )
  | (?P<string>
        [rRbB]{0,2} (?:
            '''(?:\\.|.)*?'''
          | \"\"\"(?:\\.|.)*?\"\"\"
          | '(?:\\.|[^'\\\n])*'
          | "(?:\\.|[^"\\\n])*"
        )
    )
  | (?P<name> `[^`]*` )
    """,
    re.VERBOSE | re.DOTALL,
)
PATH = r"(?:`[^`]+`|[\w-]+)(?:\s*\.\s*(?:`[^`]+`|[\w-]+))*"
"""Pattern of a back-ticked or bare path such as `p`.`d`.`t`, `p.d.t` or d.t."""


def strip_comments(sql: str) -> str:
    """Replace each comment by white space; line numbers stay. The emulator reads words in them."""

    def blank(match: re.Match[str]) -> str:
        if match["comment"] is None:
            return match[0]
        return " " + "\n" * match[0].count("\n")

    return _OPAQUE.sub(blank, sql)


def mask(sql: str) -> str:
    """Blank out strings and comments, keeping every offset, so that a pattern finds code only."""

    def blank(match: re.Match[str]) -> str:
        if match["name"] is not None:
            return match[0]
        return re.sub(r"[^\n]", " ", match[0])

    return _OPAQUE.sub(blank, sql)


def closing_parenthesis(code: str, opening: int) -> int | None:
    """Find the `)` that closes the `(` at `opening` in masked code; None if there is none."""
    depth = 0
    for at in range(opening, len(code)):
        depth += {"(": 1, ")": -1}.get(code[at], 0)
        if depth == 0:
            return at
    return None


def is_one_pair(sql: str) -> bool:
    """Return whether SQL that starts with `(` ends with the `)` that closes it."""
    return closing_parenthesis(mask(sql), 0) == len(sql) - 1


def split_top_level(sql: str, separator: str) -> list[str]:
    """Split at a separator that stands outside strings, comments, parentheses and `<>`."""
    code, parts, depth, start = mask(sql), [], 0, 0
    for at, char in enumerate(code):
        if char in "([<":
            depth += 1
        elif char in ")]>":
            depth = max(0, depth - 1)
        elif char == separator and depth == 0:
            parts.append(sql[start:at])
            start = at + 1
    return [*parts, sql[start:]]


def statements(sql: str) -> list[str]:
    """Split a script at its semicolons; joined with `;` the parts are the script again."""
    code, parts, start = mask(sql), [], 0
    for match in re.finditer(";", code):
        parts.append(sql[start : match.start()])
        start = match.end()
    return [*parts, sql[start:]]


def replace_matches(
    pattern: re.Pattern[str], sql: str, replacement: Callable[[re.Match[str]], str | None]
) -> str:
    """Replace what a pattern finds in the code.

    Args:
        pattern: searched in masked code, whose offsets are those of the SQL.
        sql: one statement.
        replacement: gives the text to put in place of a match; None leaves the match as it is.
    """
    pieces, at = [], 0
    for match in pattern.finditer(mask(sql)):
        written = replacement(match)
        if written is not None:
            pieces += [sql[at : match.start()], written]
            at = match.end()
    return "".join([*pieces, sql[at:]])


@dataclass(frozen=True)
class Call:
    """A function call found in SQL.

    Attributes:
        start, end: its span, without an OVER clause.
        arguments: as text.
        is_windowed: whether OVER follows.
    """

    start: int
    end: int
    arguments: tuple[str, ...]
    is_windowed: bool


def _calls(sql: str, function: str) -> Iterator[Call]:
    """Yield the outermost calls of a function, left to right; nested ones stay in arguments."""
    code, at = mask(sql), 0
    opens = re.compile(rf"(?<![\w.`]){function}\s*\(", re.IGNORECASE)
    while match := opens.search(code, at):
        closing = closing_parenthesis(code, match.end() - 1)
        if closing is None:
            return
        arguments = split_top_level(sql[match.end() : closing], ",")
        over = re.match(r"\s*over\b", code[closing + 1 :], re.IGNORECASE)
        parts = tuple(part.strip() for part in arguments)
        yield Call(match.start(), closing + 1, parts, over is not None)
        at = closing + 1


def replace_calls(sql: str, function: str, replacement: Callable[[Call], str | None]) -> str:
    """Replace the calls of a function, inner calls first.

    Args:
        sql: one statement.
        function: its name, in lower case.
        replacement: gives the text to put in place of a call whose inner calls are replaced
            already; None keeps the call.
    """
    pieces, at = [], 0
    for found in _calls(sql, function):
        arguments = tuple(
            replace_calls(argument, function, replacement) for argument in found.arguments
        )
        call = Call(found.start, found.end, arguments, found.is_windowed)
        written = replacement(call)
        kept = f"{function}({', '.join(arguments)})"
        pieces += [sql[at : call.start], kept if written is None else written]
        at = call.end
    return "".join([*pieces, sql[at:]])
