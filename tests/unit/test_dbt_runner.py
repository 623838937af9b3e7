"""How dbt is run in this process, beside what dbt does."""

import importlib
import os

import pytest
from dbt_common import behavior_flags

from python_jobs.infra import dbt_runner
from python_jobs.infra.dbt_runner import Dbt, _environment
from python_jobs.infra.settings import Settings, connection
from tests.support.dbt_callers import name_callers_quickly


@pytest.fixture
def stock():
    """dbt's own module of behaviour flags, without the patch of the other tests."""
    yield importlib.reload(behavior_flags)
    importlib.reload(behavior_flags)
    name_callers_quickly()


def source_of(flags):
    (flag,) = flags._flags if hasattr(flags, "_flags") else [flags.some]
    return flag._behavior_change_event.flag_source


def test_the_caller_of_a_behaviour_flag_has_the_name_that_dbt_gives_it(stock):
    given = [{"name": "some", "default": False, "description": "a flag"}]
    before = source_of(stock.Behavior(given, {}))
    name_callers_quickly()
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


PROFILE = """
shelfcast:
  target: local
  outputs:
    local:
      {type: bigquery, method: oauth-secrets, token: t, project: p, threads: 1,
       dataset: "{{ env_var('SHELFCAST_DATASET') }}"}
"""


class TestAParsedProject:
    """A project of one model, whose names dbt lists; that needs no warehouse."""

    @pytest.fixture
    def project(self, tmp_path, monkeypatch):
        (tmp_path / "models").mkdir()
        (tmp_path / "models" / "one.sql").write_text("select {{ var('n', 1) }} as n")
        (tmp_path / "dbt_project.yml").write_text("{name: shelfcast, profile: shelfcast}")
        (tmp_path / "profiles.yml").write_text(PROFILE)
        monkeypatch.delenv("DBT_TARGET_PATH", raising=False)
        monkeypatch.delenv("SHELFCAST_BIGQUERY_ENDPOINT", raising=False)
        monkeypatch.setenv("DBT_LOG_PATH", str(tmp_path / "logs"))
        monkeypatch.setenv("DBT_PROFILES_DIR", str(tmp_path))
        monkeypatch.setenv("SHELFCAST_DATASET", "shelf")
        monkeypatch.setattr(dbt_runner, "_PARSED", {})
        return tmp_path

    @pytest.fixture
    def parses(self, monkeypatch):
        """The use case of each time that dbt parses a project."""
        invoke, parses = Dbt._invoke, []

        def noted(dbt, parsed, command, *arguments, **rest):
            if parsed is None:
                parses.append(dbt.use_case)
            return invoke(dbt, parsed, command, *arguments, **rest)

        monkeypatch.setattr(Dbt, "_invoke", noted)
        return parses

    @pytest.fixture
    def listed(self, project):
        """List what a deployment's project has; each call is one of its commands."""

        def listed(use_case="sku_weekly", **dbt_vars):
            settings = Settings.model_construct(dbt_vars=dbt_vars, digest="of all settings")
            return Dbt(project, connection(), settings, use_case).run("list", "--no-print")

        return listed

    def test_is_parsed_once_for_all_commands_until_it_changes(self, project, parses, listed):
        assert listed() == listed() == ["shelfcast.one"]
        assert len(parses) == 1
        (project / "models" / "two.sql").write_text("select 2 as n")
        assert listed() == listed() == ["shelfcast.one", "shelfcast.two"]
        assert len(parses) == 2

    def test_is_parsed_for_each_use_case_and_each_value_of_a_var(self, parses, listed):
        for use_case, n in (("a", 1), ("b", 1), ("b", 2), ("a", 1), ("b", 2)):
            listed(use_case, n=n)
        assert parses == ["a", "b", "b"]

    def test_goes_when_many_others_were_used_since(self, parses, listed, monkeypatch):
        monkeypatch.setattr(dbt_runner, "KEPT_PROJECTS", 2)
        for use_case in ("a", "b", "a", "c", "a", "b"):
            listed(use_case)
        assert parses == ["a", "b", "c", "b"]
        assert len(dbt_runner._PARSED) == 2

    def test_that_somebody_parsed_for_another_dataset_is_parsed_anew(self, project, parses):
        settings = Settings.model_construct(dbt_vars={}, digest="of all settings")
        dbt = Dbt(project, connection(), settings, "a")
        sources = "{sources: [{name: logs, schema: shelf_logs, tables: [{name: run_log}]}]}"
        (project / "models" / "sources.yml").write_text(sources)
        names = dbt_runner.names_of(dbt.manifest())
        assert names["run_log"] == "`p`.`shelf_logs`.`run_log`"
        path = project / "target" / "manifest.json"
        path.write_text(path.read_text().replace("shelf_logs", "elsewhere_logs"))
        assert dbt_runner.names_of(dbt.manifest()) == names
        assert parses == ["a", "a"]
