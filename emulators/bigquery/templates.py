"""Take the names of datasets and the dates out of SQL, so that equal statements share one text.

What a deployment sends is the same from run to run except for the names of its datasets and of
dbt's temporary tables, and for its dates. Placeholders of the same form take their place.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass

_MARK = "shelfcast_placeholder_"
_YEAR = "1583"
"""Year of the dates that are placeholders. A text that has dates of that year is left as it is."""

_DAYS = 28
"""Placeholders a month: every month has as many days."""

_MAX_VALUES = 12 * _DAYS

# `project`.`dataset`.`table` in GoogleSQL; DuckDB's names have double quotes. dbt puts the time of
# day into the names of its temporary tables, and each run's dates and instants are in its SQL.
_VALUE = re.compile(
    r"(?P<before>(?P<quote>[`\"])[\w-]+(?P=quote)\.(?P=quote))(?P<dataset>\w+)"
    r"(?=(?P=quote)\.(?P=quote))"
    r"|(?<=__dbt_tmp)(?P<time>\d{6,})(?=[`\"])"
    r"|(?<=')(?P<instant>\d{4}-\d\d-\d\d(?:[ T]\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d(?::\d\d)?)?)?)"
    r"(?=')"
)
_PLACEHOLDER = re.compile(
    rf"{_MARK}(?P<number>\d+)_|(?<='){_YEAR}-(?P<month>\d\d)-(?P<day>\d\d)[\d :T.Z+-]*(?=')"
)


@dataclass(frozen=True)
class Template:
    """A text with placeholders in place of its dataset names and dates.

    Attributes:
        text: the same for equal statements on other datasets or of other dates.
        values: what the placeholders stand for, in order.
    """

    text: str
    values: tuple[str, ...]

    def fill(self, text: str) -> str:
        """Put the values into a text that has the same placeholders."""
        return _PLACEHOLDER.sub(self._value, text) if self.values else text

    def _value(self, match: re.Match[str]) -> str:
        if match["number"]:
            return self.values[int(match["number"])]
        return self.values[(int(match["month"]) - 1) * _DAYS + int(match["day"]) - 1]

    def generalise(self, text: str) -> str:
        """Put the placeholders into another text that has these values."""
        numbers = {value: number for number, value in enumerate(self.values)}
        return _VALUE.sub(lambda match: _placeholder(match, numbers), text)


def _placeholder(match: re.Match[str], numbers: Mapping[str, int]) -> str:
    """Return a value's placeholder, in the value's form; the value itself if it has no number."""
    number = numbers.get(_value_in(match))
    if number is None:
        return match[0]
    if match["instant"]:
        time = re.sub(r"\d", "0", match["instant"][10:])
        return f"{_YEAR}-{number // _DAYS + 1:02d}-{number % _DAYS + 1:02d}{time}"
    return f"{match['before'] or ''}{_MARK}{number}_"


def _value_in(match: re.Match[str]) -> str:
    return match["dataset"] or match["time"] or match["instant"]


def template_of(sql: str) -> Template:
    """Replace datasets in quoted paths, times in temporary tables, and dates by placeholders.

    A text that cannot have placeholders is its own template: one that contains their form already,
    or has more values than there are placeholders.
    """
    values = tuple(dict.fromkeys(_value_in(match) for match in _VALUE.finditer(sql)))
    if _MARK in sql or f"'{_YEAR}-" in sql or len(values) > _MAX_VALUES:
        return Template(sql, ())
    return Template(Template(sql, values).generalise(sql), values)
