"""Rewrite GoogleSQL that the BigQuery emulator misreads into GoogleSQL that it runs right.

Every function here takes SQL and returns SQL: no server, no state. `rewrite` is their composition,
applied to each query before the emulator sees it. Text inside strings is never touched, and
statements that need no change come back as they were, apart from their comments.
"""

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
# A back-ticked or bare path such as `p`.`d`.`t`, `p.d.t` or d.t.
_PATH = r"(?:`[^`]+`|[\w-]+)(?:\s*\.\s*(?:`[^`]+`|[\w-]+))*"

_WEEKDAYS = ("sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday")
_ISO_WEEK_STARTS = _WEEKDAYS.index("monday")


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
    """Find the `)` that closes the `(` at `opening` in masked code; None where there is none."""
    depth = 0
    for at in range(opening, len(code)):
        depth += {"(": 1, ")": -1}.get(code[at], 0)
        if depth == 0:
            return at
    return None


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


@dataclass(frozen=True)
class Call:
    """A function call found in SQL: its span and its arguments as text."""

    start: int
    end: int
    arguments: tuple[str, ...]


def calls(sql: str, function: str) -> Iterator[Call]:
    """Yield the outermost calls of a function, left to right; nested ones stay in arguments."""
    code, at = mask(sql), 0
    opens = re.compile(rf"(?<![\w.`]){function}\s*\(", re.IGNORECASE)
    while match := opens.search(code, at):
        closing = closing_parenthesis(code, match.end() - 1)
        if closing is None:
            return
        arguments = split_top_level(sql[match.end() : closing], ",")
        yield Call(match.start(), closing + 1, tuple(part.strip() for part in arguments))
        at = closing + 1


def _replace_calls(sql: str, function: str, replacement: Callable[[Call], str]) -> str:
    pieces, at = [], 0
    for call in calls(sql, function):
        pieces += [sql[at : call.start], replacement(call)]
        at = call.end
    return "".join([*pieces, sql[at:]])


def _week_start(part: str) -> int | None:
    """Return the weekday (0 is Sunday) that a date part such as `week(monday)` starts on."""
    match = re.fullmatch(r"(isoweek)|week(?:\s*\(\s*(\w+)\s*\))?", part.strip().lower())
    if not match:
        return None
    if match[1]:
        return _ISO_WEEK_STARTS
    name = match[2] or "sunday"
    return _WEEKDAYS.index(name) if name in _WEEKDAYS else None


def _start_of_week(date: str, weekday: int) -> str:
    """Render the first day of a date's week in functions that the emulator computes right."""
    days_to_sunday_based = 6 - weekday
    return (
        f"date_sub(cast({date} as date), interval "
        f"mod(extract(dayofweek from cast({date} as date)) + {days_to_sunday_based}, 7) day)"
    )


def rewrite_date_trunc(sql: str) -> str:
    """Give `date_trunc` on dates GoogleSQL's weeks and GoogleSQL's type.

    The emulator starts bare weeks on Monday and weeks of an expression on Sunday, and makes a
    DATETIME of a date column's month. Only DATE arguments: a DATETIME or TIMESTAMP becomes a DATE.
    """

    def replacement(call: Call) -> str:
        arguments = tuple(rewrite_date_trunc(argument) for argument in call.arguments)
        if len(arguments) != 2:
            return f"date_trunc({', '.join(arguments)})"
        date, part = arguments
        weekday = _week_start(part)
        if weekday is not None:
            return _start_of_week(date, weekday)
        return f"cast(date_trunc({date}, {part}) as date)"

    return _replace_calls(sql, "date_trunc", replacement)


def rewrite_week_differences(sql: str) -> str:
    """Count week boundaries in `date_diff`, where the emulator counts spans of seven days."""

    def replacement(call: Call) -> str:
        arguments = tuple(rewrite_week_differences(argument) for argument in call.arguments)
        weekday = _week_start(arguments[-1])
        if len(arguments) != 3 or weekday is None:
            return f"date_diff({', '.join(arguments)})"
        later, earlier = (_start_of_week(date, weekday) for date in arguments[:2])
        return f"div(date_diff({later}, {earlier}, day), 7)"

    return _replace_calls(sql, "date_diff", replacement)


def rewrite_week_ends(sql: str) -> str:
    """Let `last_day(d, week(...))` end the week, where the emulator ends the month."""

    def replacement(call: Call) -> str:
        arguments = tuple(rewrite_week_ends(argument) for argument in call.arguments)
        weekday = _week_start(arguments[-1]) if len(arguments) == 2 else None
        if weekday is None:
            return f"last_day({', '.join(arguments)})"
        return f"date_add({_start_of_week(arguments[0], weekday)}, interval 6 day)"

    return _replace_calls(sql, "last_day", replacement)


_MICROSECONDS = {
    "millisecond": 1_000,
    "second": 1_000_000,
    "minute": 60_000_000,
    "hour": 3_600_000_000,
    "day": 86_400_000_000,
}


def rewrite_timestamp_diff(sql: str) -> str:
    """Count whole units in `timestamp_diff`, where the emulator counts their boundaries."""

    def replacement(call: Call) -> str:
        arguments = tuple(rewrite_timestamp_diff(argument) for argument in call.arguments)
        unit = _MICROSECONDS.get(arguments[-1].lower())
        if len(arguments) != 3 or unit is None:
            return f"timestamp_diff({', '.join(arguments)})"
        return f"div(timestamp_diff({arguments[0]}, {arguments[1]}, microsecond), {unit})"

    return _replace_calls(sql, "timestamp_diff", replacement)


def rewrite_windowed_countif(sql: str) -> str:
    """Write `countif(x) over` as a COUNT; the emulator closes the COUNTIF before its OVER."""
    code = mask(sql)

    def replacement(call: Call) -> str:
        condition = rewrite_windowed_countif(", ".join(call.arguments))
        if not re.match(r"\s*over\b", code[call.end :], re.IGNORECASE):
            return f"countif({condition})"
        return f"count(if({condition}, 1, null))"

    return _replace_calls(sql, "countif", replacement)


def rewrite_whole_division(sql: str) -> str:
    """Put the operands of `div` in parentheses; the emulator writes div(a - b, c) as a - b // c."""

    def replacement(call: Call) -> str:
        operands = (rewrite_whole_division(argument) for argument in call.arguments)
        return f"div({', '.join(_as_one_operand(operand) for operand in operands)})"

    return _replace_calls(sql, "div", replacement)


def _as_one_operand(operand: str) -> str:
    is_one = re.fullmatch(r"[\w.`]+|\w+\s*(?P<arguments>\(.*\))", operand, re.DOTALL)
    if is_one and (is_one["arguments"] is None or _is_one_pair(is_one["arguments"])):
        return operand
    return f"({operand})"


def _is_one_pair(text: str) -> bool:
    return closing_parenthesis(mask(text), 0) == len(text) - 1


_OVERWRITE = re.compile(
    rf"\s*merge\s+into\s+(?P<table>{_PATH})\s+as\s+(?P<alias>\w+)\s+using\s*(?P<source>\(.*\))\s*"
    r"as\s+\w+\s+on\s+false\s+when\s+not\s+matched\s+by\s+source\s+and\s+(?P<replaced>.*?)\s+"
    r"then\s+delete\s+when\s+not\s+matched\s+then\s+insert\s*(?P<columns>\(.*?\))\s*values\s*"
    r"(?P<values>\(.*\))\s*$",
    re.IGNORECASE | re.DOTALL,
)


def split_overwrite(sql: str) -> str:
    """Turn dbt's `merge … on false` of replaced partitions into a DELETE and an INSERT.

    DuckDB compares each row of the source with each of the table, which takes minutes. The two are
    one transaction, as the MERGE is.
    """
    merge = _OVERWRITE.match(sql)
    if not merge:
        return sql
    replaced = re.sub(rf"\b{merge['alias']}\.", "", merge["replaced"])
    return (
        f"begin transaction;\ndelete from {merge['table']} where {replaced};\n"
        f"insert into {merge['table']} {merge['columns']} "
        f"select {merge['values'].strip()[1:-1]} from {merge['source']};\ncommit transaction"
    )


def rewrite_dates(sql: str) -> str:
    """Rewrite date functions in a statement's query, never in a table's PARTITION BY."""
    header = _table_header(sql)
    query = sql[len(header) :]
    for function in (
        rewrite_week_differences,
        rewrite_week_ends,
        rewrite_timestamp_diff,
        rewrite_date_trunc,
    ):
        query = function(query)
    return header + query


_CREATE_TABLE = re.compile(
    rf"\s*create\s+(?:or\s+replace\s+)?(?:temp(?:orary)?\s+)?table\s+(?:if\s+not\s+exists\s+)?"
    rf"(?P<name>{_PATH})",
    re.IGNORECASE,
)


def _table_header(sql: str) -> str:
    """Return a CREATE TABLE up to its AS (all of it without one); empty for other statements."""
    code = mask(sql)
    if not _CREATE_TABLE.match(code):
        return ""
    depth = 0
    for match in re.finditer(r"[()]|\bas\b", code, re.IGNORECASE):
        if match[0] in "()":
            depth += 1 if match[0] == "(" else -1
        elif depth == 0:
            return sql[: match.start()]
    return sql


_CONSTRAINT = r"(?:constraint\s+(?:`[^`]+`|\w+)\s+)?"
_KEY = rf"(?:primary\s+key|foreign\s+key\s*\([^()]*\)\s*references\s+{_PATH}|references\s+{_PATH})"
_NOT_ENFORCED = re.compile(
    rf"(?P<before>,?)\s*{_CONSTRAINT}{_KEY}\s*(?:\([^()]*\))?\s*not\s+enforced\s*",
    re.IGNORECASE,
)
_ALTER_KEY = re.compile(
    rf"\s*alter\s+table\b.*\b(?:add\s+{_CONSTRAINT}(?:primary|foreign)\s+key"
    r"|drop\s+(?:primary\s+key|constraint))\b",
    re.IGNORECASE | re.DOTALL,
)


def drop_unenforced_keys(sql: str) -> str:
    """Drop keys that BigQuery only notes: DuckDB would enforce them, or fail to parse them."""
    code = mask(sql)
    if _ALTER_KEY.match(code):
        return "select 1"
    if not _CREATE_TABLE.match(code):
        return sql
    pieces, at = [], 0
    for match in _NOT_ENFORCED.finditer(code):
        # A first element has no comma before it: then the one after it goes.
        rest = code[match.end() :]
        is_first = code[: match.start()].rstrip().endswith("(")
        comma_after = is_first and rest.startswith(",")
        pieces += [sql[at : match.start()], " "]
        at = match.end() + int(comma_after)
    return "".join([*pieces, sql[at:]])


_TYPE_ENDS = re.compile(
    r"\b(?:not\s+null|default|options|collate|primary|references)\b", re.IGNORECASE
)
_COLUMN = re.compile(r"(?P<name>`[^`]+`|\w+)\s+(?P<type>.+)", re.DOTALL)


def column_types(columns: str) -> dict[str, str]:
    """Read the column list of a CREATE TABLE into {name as written: type}."""
    types = {}
    for column in split_top_level(columns, ","):
        match = _COLUMN.match(column.strip())
        if match and match["name"].lower() not in ("primary", "foreign", "constraint"):
            types[match["name"]] = _TYPE_ENDS.split(match["type"])[0].strip()
    return types


def rewrite_typed_ctas(sql: str) -> str:
    """Turn `create table t (a int64) as (query)` into a cast of each column.

    DuckDB takes a column list or a query, not both; dbt's enforced contracts send both.
    """
    code = mask(sql)
    create = _CREATE_TABLE.match(code)
    header = _table_header(sql)
    if not create or len(header) == len(sql):
        return sql
    opening = len(header[create.end() :]) - len(header[create.end() :].lstrip()) + create.end()
    if not code.startswith("(", opening):
        return sql
    closing = closing_parenthesis(code, opening)
    if closing is None or closing > len(header):
        return sql
    types = column_types(sql[opening + 1 : closing])
    selected = ", ".join(_cast_column(name, kind) for name, kind in types.items())
    query = _without_parentheses(sql[len(header) :].lstrip()[len("as") :])
    return (
        f"{sql[: create.end()]} {sql[closing + 1 : len(header)].strip()}"
        f" as select {selected} from ({query}\n)"
    )


def _without_parentheses(query: str) -> str:
    """Take off the parentheses around a whole query: the emulator cannot name one within two."""
    inner = query.strip().removesuffix(";").rstrip()
    if inner.startswith("(") and _is_one_pair(inner):
        return inner[1:-1]
    return query


def _cast_column(name: str, kind: str) -> str:
    # GoogleSQL has no cast to JSON; a column that is JSON already stays so.
    return name if kind.lower() == "json" else f"cast({name} as {kind}) as {name}"


def rewrite_partition_list(sql: str) -> str:
    """Rewrite how dbt's dynamic insert_overwrite collects the partitions to replace."""
    code = mask(sql)
    pattern = re.compile(
        r"select\s+as\s+struct\s+array_agg\s*\(\s*distinct\s+(?P<value>.+?)\s+ignore\s+nulls\s*\)"
        rf"\s*from\s+(?P<table>{_PATH})",
        re.IGNORECASE | re.DOTALL,
    )
    pieces, at = [], 0
    for match in pattern.finditer(code):
        value = sql[match.start("value") : match.end("value")]
        table = match["table"]
        aggregate = f"select array_agg(distinct {value}) from {table} where {value} is not null"
        pieces += [sql[at : match.start()], aggregate]
        at = match.end()
    return "".join([*pieces, sql[at:]])


_ALTER = re.compile(
    rf"(?P<head>\s*alter\s+table\s+(?:if\s+exists\s+)?(?P<path>{_PATH}))\s+(?=.*\bcolumn\b)",
    re.IGNORECASE | re.DOTALL,
)


def split_alterations(sql: str) -> str:
    """Make one statement of each change in an ALTER TABLE; DuckDB takes one at a time."""
    match = _ALTER.match(mask(sql))
    if not match:
        return sql
    changes = split_top_level(sql[match.end() :], ",")
    return "; ".join(f"{match['head'].strip()} {change.strip()}" for change in changes)


_NUMERIC = re.compile(
    r"(?P<before><\s*|(?:`[^`]+`|\b(?!(?:select|distinct|by|on|and|or|where|when|then|else)\b)\w+)"
    r"\s+)(?P<type>numeric|decimal)\b(?P<after>\s*)(?=[,)>]|not\b|default\b|options\b|$)",
    re.IGNORECASE,
)


def widen_numeric(sql: str) -> str:
    """Write NUMERIC with its 9 decimals; DuckDB's own default keeps 3 and drops the others."""
    code = mask(sql)
    pieces, at = [], 0
    for match in _NUMERIC.finditer(code):
        # A literal, numeric '1.5', is blank in the mask from its quote on.
        if sql[match.end("type") : match.end()].strip():
            continue
        pieces += [sql[at : match.end("type")], "(38, 9)"]
        at = match.end("type")
    return "".join([*pieces, sql[at:]])


_TABLES_VIEW = re.compile(r"`?(?P<path>[\w-]+`?\.`?\w+)`?\.`?__TABLES__`?", re.IGNORECASE)


def rewrite_tables_view(sql: str) -> str:
    """Answer `dataset.__TABLES__` from INFORMATION_SCHEMA; sizes and times are zero."""
    code = mask(sql)
    pieces, at = [], 0
    for match in _TABLES_VIEW.finditer(code):
        project, dataset = match["path"].replace("`", "").split(".")
        pieces += [sql[at : match.start()], _tables_of(project, dataset)]
        at = match.end()
    return "".join([*pieces, sql[at:]])


def _tables_of(project: str, dataset: str) -> str:
    return (
        f"(select '{project}' as project_id, '{dataset}' as dataset_id, table_name as table_id, "
        "case when table_type = 'VIEW' then 2 else 1 end as type, 0 as row_count, "
        "0 as size_bytes, 0 as creation_time, 0 as last_modified_time "
        f"from `{project}`.`{dataset}`.INFORMATION_SCHEMA.TABLES)"
    )


def skip_grants(sql: str) -> str:
    """Answer GRANT and REVOKE with nothing: a laptop has no users."""
    return "select 1" if re.match(r"\s*(?:grant|revoke)\b", mask(sql), re.IGNORECASE) else sql


def rewrite(sql: str) -> str:
    """Rewrite one query or script for the emulator."""
    steps = (
        skip_grants,
        drop_unenforced_keys,
        split_alterations,
        widen_numeric,
        rewrite_partition_list,
        rewrite_windowed_countif,
        rewrite_dates,
        rewrite_whole_division,
        split_overwrite,
        rewrite_typed_ctas,
        rewrite_tables_view,
    )
    parts = statements(strip_comments(sql))
    for step in steps:
        parts = [step(part) for part in parts]
    return ";".join(parts)


_READS = re.compile(r"[\s(]*(?:select|with|from|values)\b", re.IGNORECASE)
_BEGINS = re.compile(r"\s*begin(?:\s+transaction)?\s*", re.IGNORECASE)
_COMMITS = re.compile(r"\s*commit(?:\s+transaction)?\s*", re.IGNORECASE)
_CONTROLS = re.compile(r"\s*(?:begin|commit|rollback|end|exception|if|loop)\b", re.IGNORECASE)
_WRITES_ONCE = re.compile(
    r"\s*(?:insert|update|delete|merge|truncate|alter|drop\s+(?:table|view|schema)"
    r"|create\s+(?:or\s+replace\s+)?(?:table|view|schema))\b",
    re.IGNORECASE,
)


def only_reads(sql: str) -> bool:
    """Tell whether SQL is one query, which may run twice without harm."""
    parts = [part for part in statements(strip_comments(sql)) if part.strip()]
    return len(parts) == 1 and bool(_READS.match(parts[0]))


def is_one_write(sql: str) -> bool:
    """Tell whether SQL is all or nothing: one statement that writes, or one whole transaction."""
    parts = [part for part in statements(strip_comments(sql)) if part.strip()]
    if len(parts) == 1:
        return bool(_WRITES_ONCE.match(parts[0]))
    controls = [bool(_CONTROLS.match(part)) for part in parts]
    return len(parts) > 1 and bool(
        _BEGINS.fullmatch(parts[0]) and _COMMITS.fullmatch(parts[-1]) and not any(controls[1:-1])
    )


def altered_tables(sql: str) -> set[tuple[str, ...]]:
    """Find the tables whose columns a script alters, as (dataset, table) or with a project."""
    code = (mask(part) for part in statements(strip_comments(sql)))
    paths = (re.sub(r"[`\s]", "", m["path"]) for part in code if (m := _ALTER.match(part)))
    return {tuple(path.split(".")) for path in paths if path.count(".") in (1, 2)}
