"""Functions that the emulator computes wrong or cannot parse, in functions that it computes right.

Weeks start on the day that GoogleSQL says: Sunday for `week`, Monday for `isoweek`.
"""

import re

from emulators.bigquery.sql.text import Call, is_one_pair, replace_calls

_WEEKDAYS = ("sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday")
_ISO_WEEK_STARTS = _WEEKDAYS.index("monday")
_MICROSECONDS = {
    "millisecond": 1_000,
    "second": 1_000_000,
    "minute": 60_000_000,
    "hour": 3_600_000_000,
    "day": 86_400_000_000,
}


def _week_start(part: str) -> int | None:
    """Return the weekday (0 is Sunday) that a date part such as `week(monday)` starts on.

    None if the part is no week.
    """
    match = re.fullmatch(r"(isoweek)|week(?:\s*\(\s*(\w+)\s*\))?", part.strip().lower())
    if not match:
        return None
    if match[1]:
        return _ISO_WEEK_STARTS
    name = match[2] or "sunday"
    return _WEEKDAYS.index(name) if name in _WEEKDAYS else None


def _start_of_week(date: str, weekday: int) -> str:
    """Write the first day of a date's week in functions that the emulator computes right."""
    days_to_sunday_based = 6 - weekday
    return (
        f"date_sub(cast({date} as date), interval "
        f"mod(extract(dayofweek from cast({date} as date)) + {days_to_sunday_based}, 7) day)"
    )


def truncate_dates(sql: str) -> str:
    """Give `date_trunc` on dates GoogleSQL's weeks and GoogleSQL's type.

    The emulator starts bare weeks on Monday and weeks of an expression on Sunday, and makes a
    DATETIME of a date column's month. Only DATE arguments: a DATETIME or TIMESTAMP becomes a DATE.
    """

    def replacement(call: Call) -> str | None:
        if len(call.arguments) != 2:
            return None
        date, part = call.arguments
        weekday = _week_start(part)
        if weekday is not None:
            return _start_of_week(date, weekday)
        return f"cast(date_trunc({date}, {part}) as date)"

    return replace_calls(sql, "date_trunc", replacement)


def count_week_boundaries(sql: str) -> str:
    """Count week boundaries in `date_diff`; the emulator counts spans of seven days."""

    def replacement(call: Call) -> str | None:
        weekday = _week_start(call.arguments[-1])
        if len(call.arguments) != 3 or weekday is None:
            return None
        later, earlier = (_start_of_week(date, weekday) for date in call.arguments[:2])
        return f"div(date_diff({later}, {earlier}, day), 7)"

    return replace_calls(sql, "date_diff", replacement)


def end_weeks(sql: str) -> str:
    """Let `last_day(d, week(...))` end the week; the emulator ends the month."""

    def replacement(call: Call) -> str | None:
        weekday = _week_start(call.arguments[-1]) if len(call.arguments) == 2 else None
        if weekday is None:
            return None
        return f"date_add({_start_of_week(call.arguments[0], weekday)}, interval 6 day)"

    return replace_calls(sql, "last_day", replacement)


def count_whole_units(sql: str) -> str:
    """Count whole units in `timestamp_diff`; the emulator counts their boundaries."""

    def replacement(call: Call) -> str | None:
        unit = _MICROSECONDS.get(call.arguments[-1].lower())
        if len(call.arguments) != 3 or unit is None:
            return None
        later, earlier, _unit = call.arguments
        return f"div(timestamp_diff({later}, {earlier}, microsecond), {unit})"

    return replace_calls(sql, "timestamp_diff", replacement)


DATE_STEPS = (count_week_boundaries, end_weeks, count_whole_units, truncate_dates)
"""Applied in this order: no step rewrites what an earlier one wrote."""


def rewrite_dates(sql: str) -> str:
    """Rewrite all date functions."""
    for step in DATE_STEPS:
        sql = step(sql)
    return sql


def count_over_windows(sql: str) -> str:
    """Write `countif(x) over` as a COUNT; the emulator closes the COUNTIF before its OVER."""

    def replacement(call: Call) -> str | None:
        if not call.is_windowed:
            return None
        return f"count(if({', '.join(call.arguments)}, 1, null))"

    return replace_calls(sql, "countif", replacement)


def enclose_operands(sql: str) -> str:
    """Put the operands of `div` in parentheses; the emulator writes div(a - b, c) as a - b // c."""

    def replacement(call: Call) -> str:
        return f"div({', '.join(_as_one_operand(operand) for operand in call.arguments)})"

    return replace_calls(sql, "div", replacement)


def _as_one_operand(operand: str) -> str:
    is_one = re.fullmatch(r"[\w.`]+|\w+\s*(?P<arguments>\(.*\))", operand, re.DOTALL)
    if is_one and (is_one["arguments"] is None or is_one_pair(is_one["arguments"])):
        return operand
    return f"({operand})"
