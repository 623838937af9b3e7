"""Patterns that people type for series."""

import re

import pytest

from python_jobs.series import join_key, pattern_to_regex, split_key


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
