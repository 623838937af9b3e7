"""Names of series, patterns that people type for them, and the seeds of their draws."""

import re
from datetime import date

import pytest

from python_jobs.infra.series import join_key, pattern_to_regex, series_seed, split_key


@pytest.mark.parametrize(
    ("patterns", "series_id", "matches"),
    [
        ("N1|retail|*", "N1|retail|A17", True),
        ("N1|retail|*", "N12|retail|A17", False),
        ("N1|retail|*", "N1xretail|A17", False),  # | is itself, not "or"
        ("N1|*, N2|*", "N2|web|B", True),
        ("N?|*", "N1|web|B", True),
        ("N?|*", "N10|web|B", False),
        ("*|100% fat (new)", "N1|100% fat (new)", True),
        ("*|a\\,b", "N1|a,b", True),
        ("*|a\\,b", "N1|a", False),
        ("*", "any\nthing", True),
        ("n1|*", "N1|x", False),
    ],
)
def test_patterns_are_globs_over_the_whole_series_id(patterns, series_id, matches):
    assert bool(re.search(pattern_to_regex(patterns), series_id)) == matches


def test_a_key_with_bars_and_backslashes_reads_as_itself_and_comes_back():
    parts = ["N|1", "a\\b", ""]
    assert join_key(parts) == "N\\|1|a\\\\b|"
    assert split_key(join_key(parts)) == parts


@pytest.mark.parametrize("broken", ["a\\", "a\\n|b"])
def test_a_backslash_that_escapes_nothing_is_refused(broken):
    with pytest.raises(ValueError, match="a backslash escapes"):
        split_key(broken)


def test_seed_depends_on_each_part_and_on_where_it_ends():
    day = date(2026, 11, 15)
    seeds = {
        series_seed("a", day, 0),
        series_seed("b", day, 0),
        series_seed("a", date(2026, 11, 22), 0),
        series_seed("a", day, 1),
        series_seed("1:a", day, 0),
        series_seed("", day, 0),
    }
    assert len(seeds) == 6


def test_seed_is_the_same_on_every_machine_and_in_every_version():
    pinned = 124192623955365137906332001015385532580
    assert series_seed("N1|retail|A17", date(2026, 11, 15), 7) == pinned


def test_an_empty_key_names_the_one_series_total():
    assert join_key([]) == "total"
