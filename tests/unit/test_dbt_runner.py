"""What this package changes in dbt, beside what dbt does."""

import importlib
import os

import pytest
from dbt_common import behavior_flags

from python_jobs.dbt_runner import _environment, _name_callers_quickly


@pytest.fixture
def stock():
    """dbt's own module of behaviour flags, and no patch left behind."""
    yield importlib.reload(behavior_flags)
    importlib.reload(behavior_flags)


def source_of(flags):
    (flag,) = flags._flags if hasattr(flags, "_flags") else [flags.some]
    return flag._behavior_change_event.flag_source


def test_the_caller_of_a_behaviour_flag_has_the_name_that_dbt_gives_it(stock):
    given = [{"name": "some", "default": False, "description": "a flag"}]
    before = source_of(stock.Behavior(given, {}))
    _name_callers_quickly()
    assert source_of(stock.Behavior(given, {})) == before == __name__


@pytest.mark.parametrize("before", [None, "another"])
def test_what_dbt_is_told_by_the_environment_stays_no_longer_than_its_command(monkeypatch, before):
    name = "SHELFCAST_TEST_ONLY"
    monkeypatch.delenv(name, raising=False)
    if before:
        monkeypatch.setenv(name, before)
    with pytest.raises(KeyError), _environment(name, "sku_weekly"):
        assert os.environ[name] == "sku_weekly"
        raise KeyError
    assert os.environ.get(name) == before
