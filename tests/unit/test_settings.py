"""Settings: the same keys for SQL and Python, every mistake named with its place."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner

from python_jobs.cli.app import main
from python_jobs.infra.errors import SettingsError
from python_jobs.infra.settings import (
    Connection,
    Settings,
    connection,
    load_settings,
    project_dir,
)
from tests.support.site import ROOT, project_vars


@pytest.fixture
def use_cases() -> dict[str, Any]:
    return project_vars()["use_cases"]


@pytest.fixture
def load(tmp_path: Path):
    def load(content: Any) -> Settings:
        path = tmp_path / "settings.yml"
        path.write_text(content if isinstance(content, str) else yaml.safe_dump(content))
        return load_settings(ROOT, {"SHELFCAST_SETTINGS": str(path)})

    return load


def test_the_projects_own_settings_are_sound():
    settings = load_settings(ROOT, {})
    assert list(settings.use_cases) == ["sku_weekly"]
    assert settings.dbt_vars == {}
    assert settings.use_case(None).horizon == 4


def test_settings_may_stand_in_the_variable_itself(use_cases):
    use_cases["sku_weekly"]["horizon"] = 6
    given = {"use_cases": use_cases}
    settings = load_settings(ROOT, {"SHELFCAST_SETTINGS": json.dumps(given)})
    assert settings.use_case(None).horizon == 6
    assert settings.dbt_vars == given


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ('{"use_cases": ', "SHELFCAST_SETTINGS is not JSON: .*column 15"),
        ('{"use_case": {}}', "SHELFCAST_SETTINGS: unknown key 'use_case' .did you mean 'use_case"),
    ],
)
def test_a_mistake_in_the_variable_is_named(text, fault):
    with pytest.raises(SettingsError, match=fault):
        load_settings(ROOT, {"SHELFCAST_SETTINGS": text})


def test_a_use_case_that_says_its_grain_is_whole_and_reaches_dbt(load, use_cases):
    use_cases["sku_weekly"]["horizon"] = 6
    settings = load({"use_cases": use_cases})
    assert settings.use_case("sku_weekly").horizon == 6
    assert settings.dbt_vars == {"use_cases": use_cases}
    assert settings.digest != load_settings(ROOT, {}).digest


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"horizn": 4}, "use_cases.sku_weekly: unknown key 'horizn' (did you mean 'horizon'?)"),
        ({"horizon": 0}, "use_cases.sku_weekly.horizon: Input should be greater than"),
        ({"horizon": "four"}, "use_cases.sku_weekly.horizon: Input should be a valid integer"),
        ({"time_zone": "Europe/Moskow"}, "no time zone is named 'Europe/Moskow'"),
        ({"gaps_mean": "carry_last"}, "use_cases.sku_weekly.gaps_mean: Input should be 'unknown'"),
        ({"schedule": {"weekday": "daily", "time": "25:00"}}, "use_cases.sku_weekly.schedule.time"),
        ({"schedule": {"weekdy": "friday"}}, "use_cases.sku_weekly.schedule"),
        ({"families": []}, "use_cases.sku_weekly.families"),
        ({"grain": "month"}, "use_cases.sku_weekly.grain: Input should be 'day' or 'week'"),
        ({"week_starts_on": "daily"}, "use_cases.sku_weekly.week_starts_on: Input should be 'mond"),
        ({"measure": "units"}, "use_cases.sku_weekly.measure: Input should be 'quantity' or"),
        ({"aggregate": "median"}, "use_cases.sku_weekly.aggregate: Input should be 'sum', 'mean'"),
        ({"when_stale": "stop"}, "use_cases.sku_weekly.when_stale: Input should be 'fallback'"),
        ({"refit": "daily"}, "use_cases.sku_weekly.refit: Input should be 'every_run' or"),
        ({"recipe_per": "sku"}, "use_cases.sku_weekly.recipe_per: Input should be 'portfolio'"),
        ({"value_added_over": "mean_5"}, "use_cases.sku_weekly.value_added_over: Input should be"),
        (
            {"alerts": {"on_breach": "mail"}},
            "use_cases.sku_weekly.alerts.on_breach: Input should be 'warn' or 'fail'",
        ),
        (
            {"alerts": {"horizon_step": 5}},
            "use_cases.sku_weekly.alerts.horizon_step: 5 is beyond the horizon (4)",
        ),
        (
            {"retraining": {"baseline": "best"}},
            "use_cases.sku_weekly.retraining.baseline: Input should be 'naive'",
        ),
        (
            {"regressors": {"promo_share": {"future": "plans", "when_missing": "none"}}},
            "use_cases.sku_weekly.regressors.promo_share.future: Input should be 'plan'",
        ),
        (
            {"regressors": {"promo_share": {"future": "plan", "when_missing": "zero"}}},
            "use_cases.sku_weekly.regressors.promo_share.when_missing: Input should be 'refuse_s",
        ),
        (
            {
                "regressors": {
                    "promo_share": {"future": "plan", "when_missing": "none", "sign": "up"}
                }
            },
            "use_cases.sku_weekly.regressors.promo_share.sign: Input should be 'any'",
        ),
        (
            {"per_series_objects_up_to": -1},
            "use_cases.sku_weekly.per_series_objects_up_to: Input should be greater than or equal",
        ),
        (
            {"regressors": {"promo_share": {"future": "plan", "when_mising": "none"}}},
            "use_cases.sku_weekly.regressors.promo_share: unknown key 'when_mising' "
            "(did you mean 'when_missing'?)",
        ),
        (
            {"regressors": {"snow": {"future": "weather", "when_missing": "none"}}},
            "use_cases.sku_weekly.sources.weather.columns: 'snow' is missing",
        ),
    ],
)  # fmt: skip
def test_a_mistake_is_named_with_its_place(load, use_cases, change, message):
    use_cases["sku_weekly"] |= change
    with pytest.raises(SettingsError) as error:
        load({"use_cases": use_cases})
    assert message in str(error.value)


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda use_case: use_case.pop("key"), "use_cases.sku_weekly: 'key' is missing"),
        (
            lambda use_case: use_case["sources"].pop("weather"),
            "use_cases.sku_weekly.regressors.temperature_c: future is 'weather' "
            "but sources has no 'weather'",
        ),
        (
            lambda use_case: use_case["sources"]["sales"]["columns"].pop("quantity"),
            "use_cases.sku_weekly.sources.sales.columns: 'quantity' is missing",
        ),
        (
            lambda use_case: use_case["sources"]["promotions"]["columns"].pop("end_date"),
            "use_cases.sku_weekly.sources.promotions.columns: 'end_date' is missing",
        ),
        (
            lambda use_case: use_case["sources"]["weather"]["columns"].pop("location"),
            "use_cases.sku_weekly.sources.weather.columns: 'location' is missing",
        ),
        (
            lambda use_case: use_case["sources"]["sales"].update(
                date_means="end", negative_quantity="drop", duplicates="drop"
            ),
            "use_cases.sku_weekly.sources.sales.date_means: Input should be 'period_start' or "
            "'period_end' (found 'end'); use_cases.sku_weekly.sources.sales.negative_quantity: "
            "Input should be 'reject', 'return' or 'keep' (found 'drop'); use_cases.sku_weekly."
            "sources.sales.duplicates: Input should be 'reject' or 'keep'",
        ),
        (
            lambda use_case: use_case["sources"]["promotions"].update(no_row_means="zero"),
            "use_cases.sku_weekly.sources.promotions.no_row_means: Input should be 'none' or",
        ),
        (
            lambda use_case: use_case["sources"]["sales"].update(tabel="x"),
            "use_cases.sku_weekly.sources.sales: unknown key 'tabel' (did you mean 'table'?)",
        ),
        (
            lambda use_case: use_case["sources"]["weather"].update(fetch={"servce": "none"}),
            "use_cases.sku_weekly.sources.weather.fetch: unknown key 'servce' (did you mean "
            "'service'?)",
        ),
        (
            lambda use_case: use_case["sources"]["weather"].update(
                fetch={"service": "meteo", "history_from": "then", "forecast_days": 17}
            ),
            "use_cases.sku_weekly.sources.weather.fetch.service: Input should be 'none' or "
            "'open_meteo' (found 'meteo'); use_cases.sku_weekly.sources.weather.fetch."
            "history_from: Input should be a valid date",
        ),
        (
            lambda use_case: use_case["sources"]["weather"].update(
                fetch={"archive_url": "https://a.example/v1?apikey=x"}
            ),
            "sources.weather.fetch.archive_url: Value error, an address begins with https:// and "
            "has no query",
        ),
        (
            lambda use_case: use_case["sources"]["weather"].update(
                known_at="", fetch={"service": "open_meteo", "variables": {"rain": "rain_sum"}}
            ),
            "sources.weather.fetch.variables: 'temperature_c' is missing, and the regressor of "
            "that name needs it; use_cases.sku_weekly.sources.weather.columns.rain: '' must be a "
            "plain column name, because what is fetched is written to it; use_cases.sku_weekly."
            "sources.weather.known_at: '' must be a plain column name",
        ),
        (
            lambda use_case: use_case["sources"].update(sale={}),
            "use_cases.sku_weekly.sources: unknown key 'sale' (did you mean 'sales'?)",
        ),
    ],
)  # fmt: skip
def test_what_is_missing_or_does_not_fit_is_named(load, use_cases, spoil, message):
    spoil(use_cases["sku_weekly"])
    with pytest.raises(SettingsError) as error:
        load({"use_cases": use_cases})
    assert message in str(error.value)


def test_two_use_cases_give_a_key_column_one_type(load, use_cases):
    other = {**use_cases["sku_weekly"], "key": {"unit": "int64", "sku_id": "string"}}
    other["sources"]["sales"]["columns"]["unit"] = "unit"
    with pytest.raises(SettingsError) as error:
        load({"use_cases": {**use_cases, "store_weekly": other}})
    assert "use_cases.store_weekly.key.unit: int64, but string in sku_weekly" in str(error.value)
    assert "sku_id" not in str(error.value)


def test_every_mistake_is_told_at_once(load, use_cases):
    use_cases["sku_weekly"] |= {"horizn": 4, "sesson": 52}
    with pytest.raises(SettingsError, match=r"'horizn'.*; .*'sesson'"):
        load({"use_cases": use_cases})


def test_an_unknown_top_level_key_is_named(load):
    with pytest.raises(SettingsError, match=r"unknown key 'usecases' \(did you mean 'use_cases'"):
        load({"usecases": {}})


@pytest.mark.parametrize(
    ("content", "message"),
    [("a: [", "is not YAML"), ("- 1", "holds no settings"), ("", "holds no settings")],
)
def test_a_file_that_is_no_settings_is_refused(load, content, message):
    with pytest.raises(SettingsError, match=message):
        load(content)


def test_a_settings_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(SettingsError, match=r"nowhere\.yml cannot be read: No such file"):
        load_settings(ROOT, {"SHELFCAST_SETTINGS": str(tmp_path / "nowhere.yml")})


def test_a_use_case_is_asked_for_by_name_where_there_are_several(load, use_cases):
    settings = load({"use_cases": {**use_cases, "other": use_cases["sku_weekly"]}})
    assert settings.use_case("other").name == "other"
    with pytest.raises(SettingsError, match=r"several use cases are set \(other, sku_weekly\)"):
        settings.use_case(None)
    with pytest.raises(
        SettingsError, match=r"no use case named 'skus' .*\(known: other, sku_weekly\)"
    ):
        settings.use_case("skus")


def test_settings_without_a_use_case_say_so(load):
    with pytest.raises(SettingsError, match="no use case is set"):
        load({"use_cases": {}}).use_case(None)


@pytest.fixture
def connect(monkeypatch: pytest.MonkeyPatch):
    """Read the connection where these SHELFCAST_ variables are set, and no others."""

    def connect(environment: dict[str, str]) -> Connection:
        for name in [name for name in os.environ if name.startswith("SHELFCAST_")]:
            monkeypatch.delenv(name)
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        return connection()

    return connect


def test_the_connection_comes_from_the_environment_and_empty_means_unset(connect):
    assert connect({}).model_dump(exclude_none=True) == {
        "target": "local",
        "dataset": "shelfcast",
        "loading": "with_run",
        "maximum_bytes_billed": 10**12,
    }
    given = connect({"SHELFCAST_TARGET": "prod", "SHELFCAST_PROJECT": "p", "SHELFCAST_KEYFILE": ""})
    assert (given.target, given.project, given.keyfile) == ("prod", "p", None)


@pytest.mark.parametrize(
    ("environment", "limit"),
    [
        ({"SHELFCAST_MAXIMUM_BYTES_BILLED": "5000000000"}, 5_000_000_000),
        ({"SHELFCAST_MAXIMUM_BYTES_BILLED": ""}, 10**12),
        ({"SHELFCAST_BIGQUERY_ENDPOINT": "http://127.0.0.1:9050"}, None),
    ],
)
def test_a_query_has_a_limit_unless_nothing_is_billed(connect, environment, limit):
    assert connect(environment).maximum_bytes_billed == limit


@pytest.mark.parametrize("given", ["1TB", "0", "-1", "1e12", "²"])
def test_a_limit_that_is_none_is_refused(connect, given):
    with pytest.raises(SettingsError, match="not a whole number of bytes above 0"):
        connect({"SHELFCAST_MAXIMUM_BYTES_BILLED": given})


@pytest.mark.parametrize(
    ("environment", "message"),
    [
        ({"SHELFCAST_LOADING": "by_hand"}, "SHELFCAST_LOADING is 'by_hand'. with_run (the default"),
        ({"SHELFCAST_TARGET": "prod"}, "SHELFCAST_PROJECT is not set, and target prod needs it."),
        (
            {"SHELFCAST_LOADING": "x", "SHELFCAST_MAXIMUM_BYTES_BILLED": "1TB"},
            "jobs of their own do. SHELFCAST_MAXIMUM_BYTES_BILLED is '1TB', not a whole number",
        ),
    ],
)
def test_a_variable_of_the_connection_that_does_not_fit_is_named(connect, environment, message):
    with pytest.raises(SettingsError) as error:
        connect(environment)
    assert message in str(error.value)
    assert "default factory" not in str(error.value)


def test_a_use_case_without_a_grain_is_laid_over_the_projects_key_by_key(load, use_cases):
    change = {
        "horizon": 6,
        "regressors": {"temperature_c": None},
        "sources": {
            "promotions": {"inbox": "gs://plans/inbox"},
            "sales": {"columns": {"price": "p"}},
        },
    }
    settings = load({"use_cases": {"sku_weekly": change}})
    expected = use_cases["sku_weekly"]
    expected["horizon"] = 6
    del expected["regressors"]["temperature_c"]
    expected["sources"]["promotions"]["inbox"] = "gs://plans/inbox"
    expected["sources"]["sales"]["columns"]["price"] = "p"
    assert settings.dbt_vars == {"use_cases": {"sku_weekly": expected}}
    assert settings.use_case(None).sources.promotions.inbox == "gs://plans/inbox"


def test_a_new_use_case_without_a_grain_is_told_so(load):
    with pytest.raises(SettingsError, match=r"use_cases\.mine: 'grain' is missing"):
        load({"use_cases": {"mine": {"horizon": 6}}})


def test_one_price_of_a_deployment_leaves_the_others(load):
    own = load_settings(ROOT, {}).prices
    settings = load({"prices": {"bigquery_tib": 0}})
    assert settings.prices == own.model_copy(update={"bigquery_tib": 0})
    assert settings.dbt_vars["prices"].keys() == own.model_dump().keys()


def test_prices_and_the_size_of_the_job_may_be_a_deployments_own(load):
    settings = load({"job_size": {"vcpu": 4, "memory_gib": 8.5}})
    assert (settings.job_size.vcpu, settings.job_size.memory_gib) == (4, 8.5)
    assert settings.prices == load_settings(ROOT, {}).prices


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"job_size": {"memory_gib": None}}, "job_size: 'memory_gib' is missing"),
        ({"job_size": {"vcpu": 0, "memory_gib": 4}}, "job_size.vcpu: Input should be greater"),
        ({"job_size": {"vcpu": "4", "memory_gib": 4}}, "job_size.vcpu: Input should be a valid"),
        (
            {"prices": {"bigquery_tib": -1, "vcpu_second": 0, "gib_second": 0}},
            "prices.bigquery_tib: Input should be greater than or equal to 0",
        ),
        (
            {"prices": {"bigquery_tb": 5, "vcpu_second": 0, "gib_second": 0}},
            "prices: unknown key 'bigquery_tb' (did you mean 'bigquery_tib'?)",
        ),
    ],
)
def test_a_price_or_a_size_that_is_none_is_named(load, given, message):
    with pytest.raises(SettingsError) as error:
        load(given)
    assert message in str(error.value)


@pytest.mark.parametrize(
    ("place", "given"),
    [
        ("use_cases", 3),
        ("use_cases", None),
        ("use_cases", ["sku_weekly"]),
        ("job_size", 4),
        ("use_case_defaults", "all"),
        ("source_defaults.weather", 3),
        ("use_cases.sku_weekly", None),
        ("use_cases.sku_weekly.sources.sales", 7),
        ("use_cases.sku_weekly.sources.weather", None),
        ("use_cases.sku_weekly.regressors.promo_share", "plan"),
    ],
)
def test_what_should_be_a_mapping_and_is_none_is_named(load, use_cases, place, given):
    content = {"use_cases": use_cases, "source_defaults": {}, "job_size": 0, "use_case_defaults": 0}
    first = place.split(".")[0]
    *path, last = place.split(".")
    within: Any = content
    for part in path:
        within = within[part]
    within[last] = given
    with pytest.raises(SettingsError) as error:
        load({first: content[first]})
    assert f"{place}: a mapping of keys is expected (found {given!r})" in str(error.value)


def test_a_key_that_is_no_text_is_named(load, use_cases):
    use_cases["sku_weekly"][1] = 2
    with pytest.raises(SettingsError, match=r"use_cases\.sku_weekly: unknown key '1'"):
        load({"use_cases": use_cases})


def test_a_settings_file_that_is_not_utf_8_is_refused(tmp_path):
    path = tmp_path / "settings.yml"
    path.write_bytes("use_cases: Läden".encode("latin-1"))
    with pytest.raises(SettingsError, match=r"settings\.yml is not UTF-8: byte 12"):
        load_settings(ROOT, {"SHELFCAST_SETTINGS": str(path)})


def test_the_weather_key_is_told_by_nothing_that_shows_the_connection(connect):
    given = connect({"SHELFCAST_WEATHER_KEY": "s3cr3t"})
    assert given.weather_key.get_secret_value() == "s3cr3t"
    assert "s3cr3t" not in f"{given} {given!r} {given.model_dump()} {given.model_dump_json()}"


def test_no_weather_is_fetched_unless_somebody_says_so():
    weather = load_settings(ROOT, {}).use_case(None).sources.weather
    assert not weather.fetch.is_on
    assert weather.fetch.forecast_days == 16


def test_the_project_is_found_or_the_places_are_named(tmp_path):
    assert project_dir({"SHELFCAST_PROJECT_DIR": str(ROOT)}) == ROOT
    with pytest.raises(SettingsError, match=r"no dbt_project.yml in .*SHELFCAST_PROJECT_DIR"):
        project_dir({"SHELFCAST_PROJECT_DIR": str(tmp_path)})


def test_weekly_refits_are_refits_of_every_run_and_say_so(load, use_cases, caplog):
    use_cases["sku_weekly"]["refit"] = "weekly"
    with caplog.at_level("WARNING", logger="shelfcast"):
        assert load({"use_cases": use_cases}).use_case("sku_weekly").refit == "every_run"
    assert "`refit: weekly` is now `refit: every_run`" in caplog.text


@pytest.mark.parametrize(
    ("section", "old", "new"),
    [
        ("alerts", "weeks", "periods"),
        ("retraining", "min_weeks", "min_periods"),
        ("", "lookback_weeks", "lookback_periods"),
    ],
)
def test_a_key_of_weeks_is_refused_with_its_new_name(load, use_cases, section, old, new):
    one = use_cases["sku_weekly"]
    (one.setdefault(section, {}) if section else one)[old] = 4
    with pytest.raises(SettingsError, match=f"'{old}' \\(it is called '{new}' now\\)"):
        load({"use_cases": use_cases})


def test_a_day_has_defaults_of_its_own_where_it_differs(load, use_cases):
    daily = {**use_cases["sku_weekly"], "grain": "day", "season": 7}
    daily["alerts"] = {"wape": 0.5}
    one = load({"use_cases": {"sku_daily": daily}}).use_case("sku_daily")
    assert (one.schedule.weekday, one.lookback_periods, one.issue_window_days) == ("daily", 35, 2)
    assert (one.alerts.wape, one.alerts.periods, one.alerts.min_scored) == (0.5, 5, 4)
    assert (one.retraining.periods, one.retraining.margin) == (28, 0.05)
    assert one.min_segment_rows == 100


@pytest.mark.parametrize(
    ("given", "code", "said"),
    [
        ("{}", 0, "settings of sku_weekly are sound"),
        ('{"use_cases": {"sku_weekly": {"alerts": {"wap": 1}}}}', 2, "unknown key 'wap'"),
        ('{"use_cases": {"sku_weekly": {"families": ["profet"]}}}', 2, "profet"),
        ('{"use_cases": {}}', 2, "no use case is set"),
    ],
)
def test_the_doctor_looks_at_the_settings_alone(monkeypatch, given, code, said):
    for name in [name for name in os.environ if name.startswith("SHELFCAST_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("SHELFCAST_PROJECT_DIR", str(ROOT))
    monkeypatch.setenv("SHELFCAST_TARGET", "prod")
    monkeypatch.setenv("SHELFCAST_SETTINGS", given)
    result = CliRunner().invoke(main, ["doctor", "--settings"])
    assert result.exit_code == code, result.output
    assert said in result.output
