"""Settings that nobody means: each is refused in words, at once, with its place."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest
import yaml

from python_jobs.infra.errors import SettingsError
from python_jobs.infra.settings import load_settings
from tests.support.site import ROOT, project_vars

LAUGHS = "\n".join(
    ["  a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    + [f"  a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 12)]
)


@pytest.fixture
def use_case() -> dict[str, Any]:
    return project_vars()["use_cases"]["sku_weekly"]


def load(folder: Path, content: Any) -> None:
    path = folder / "settings.yml"
    text = content if isinstance(content, str) else yaml.safe_dump(content)
    path.write_text(text)
    load_settings(ROOT, {"SHELFCAST_SETTINGS": str(path)})


def fault_of(folder: Path, content: Any) -> str:
    with pytest.raises(SettingsError) as error:
        load(folder, content)
    return str(error.value)


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("metrics: {a: 1}\nmetrics: {b: 1}", "line 2: the key 'metrics' is there twice"),
        ("metrics:\n  wape: x\n  mae: y\n  wape: z", "line 4: the key 'wape' is there twice"),
        ("metrics: !!binary aGVsbG8=", "line 1: a value has the tag tag:yaml.org,2002:binary"),
        ("metrics: !!set {a, b}", "a value has the tag tag:yaml.org,2002:set"),
        ("metrics: !!python/object/apply:os.system [id]", "python/object/apply:os.system, which"),
        (f"metrics: {'9' * 5000}", "is too large a number"),
        ("metrics: {wape: 0x" + "f" * 5000 + "}", "metrics.wape is a whole number beyond 64 bits"),
        (f"metrics: {{wape: {10**20}}}", "metrics.wape is a whole number beyond 64 bits"),
        ("metrics: {wape: .inf}", "metrics.wape is inf, which is no number"),
        ("metrics: {wape: .nan}", "metrics.wape is nan, which is no number"),
        ("metrics: 010", "010 is read as an octal number; leave the zero out, or quote it"),
        ("metrics: 22:00", "22:00 is read as a number of base 60; quote it"),
        ("metrics: 2026-13-45", "has a value that cannot be read: month must be in 1..12"),
        ("? [a]\n: b", "line 1: a key is a mapping or a list"),
        ("metrics: &a [*a]", "line 1: *a stands for itself, or for nothing"),
        (f"metrics: {'[' * 100_000}", "line 1: nested more than 50 levels deep"),
        (f"metrics: {'{a: ' * 20_000}", "line 1: nested more than 50 levels deep"),
        (f"metrics:\n{LAUGHS}", "there are more than 200,000 values, with its aliases"),
        ("metrics: 3", "metrics: a mapping of keys is expected (found 3)"),
        ("publish: [a]", "publish: a mapping of keys is expected (found ['a'])"),
    ],
)  # fmt: skip
def test_a_text_that_no_settings_need_is_refused_at_once(tmp_path, text, fault):
    start = time.perf_counter()
    assert fault in fault_of(tmp_path, text)
    assert time.perf_counter() - start < 5


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ('{"metrics": {}, "metrics": {"a": "b"}}', "the key 'metrics' is there twice"),
        ('{"metrics": {"a": 1%s}}' % ("0" * 30), "is a whole number beyond 64 bits"),
        ('{"metrics": {"a": NaN}}', "is not JSON"),
        ('{"metrics": ' + "[" * 60 + "]" * 60 + "}", "nested more than 50 levels deep"),
        ('{"metrics": ' + "[" * 5000 + "]" * 5000 + "}", "SHELFCAST_SETTINGS is"),
    ],
)  # fmt: skip
def test_so_is_json_in_the_variable(text, fault):
    with pytest.raises(SettingsError, match=fault):
        load_settings(ROOT, {"SHELFCAST_SETTINGS": text})


@pytest.mark.parametrize("path", ["a\0b", "/dev/zero", "/", "x" * 300])
def test_a_path_that_is_none_is_refused(path):
    with pytest.raises(SettingsError, match=r"is no path|longer than|cannot be read"):
        load_settings(ROOT, {"SHELFCAST_SETTINGS": path})


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({"horizon": "4"}, "horizon: Input should be a valid integer"),
        ({"horizon": 4.0}, "horizon: Input should be a valid integer"),
        ({"horizon": True}, "horizon: Input should be a valid integer"),
        ({"horizon": 10**9}, "horizon: Input should be less than or equal to 1000"),
        ({"season": "52"}, "season: Input should be a valid integer"),
        ({"season": 10**9}, "season: Input should be less than or equal to 10000"),
        ({"interval": "0.8"}, "interval: Input should be a valid number"),
        ({"seed": 1.5}, "seed: Input should be a valid integer"),
        ({"alerts": {"wape": True}}, "alerts.wape: Input should be a valid number"),
        ({"features": {"lags": ["2"]}}, "features.lags.0: Input should be a valid integer"),
        ({"time_zone": "Europe"}, "no time zone is named 'Europe'"),
        ({"time_zone": "A" * 5000}, "no time zone is named 'AAAA"),
        ({"time_zone": "localtime"}, "'localtime' is a time zone of this machine alone"),
        ({"schedule": {"weekday": "daily", "time": "22:00+05:00"}}, "has no offset"),
        ({"families": ["prophet", "prophet"]}, "families: prophet is there twice"),
        ({"families": ["prophe"]}, "families: unknown family 'prophe'; known: "),
        (
            {"family_options": {"prophet": {"yearly_odrer": 3}}},
            "families: prophet: unknown option(s) yearly_odrer",
        ),
        (
            {"family_options": {"prophet": {"yearly_order": "3"}}},
            "families: prophet: option yearly_order: Input should be a valid integer",
        ),
        ({"family_options": {"prophet": {"n_paths": 10**9}}}, "option n_paths: Input should be"),
        ({"horizon": 1000}, "option n_paths (1000) must exceed the horizon (1000)"),
        ({"family_options": {"lstm": {}}}, "family_options.lstm: families has no 'lstm'"),
        ({"include_table": "a.b"}, "a table is named alone, or as project.dataset.table"),
        ({"key": {"unit) as x, (select 1": "string"}}, "is no name (letters, digits and _"),
        ({"key": {"": "string"}}, "'' is no name"),
    ],
)  # fmt: skip
def test_a_value_of_another_type_or_beyond_its_range_is_named(tmp_path, use_case, change, fault):
    assert fault in fault_of(tmp_path, {"use_cases": {"sku_weekly": use_case | change}})


@pytest.mark.parametrize("name", ["a; drop table x; --", "../../x", "", "{{ 1 + 1 }}", "a" * 101])
def test_a_use_case_is_called_by_a_plain_word(tmp_path, use_case, name):
    assert f"use_cases.{name}: '{name[:80]}' is no name" in (
        fault_of(tmp_path, {"use_cases": {name: use_case}})
    )


@pytest.mark.parametrize("name", ["x y", "1st", "über", "a-b"])
def test_a_regressor_is_called_by_a_plain_word(tmp_path, use_case, name):
    use_case["regressors"][name] = {"future": "plan", "when_missing": "none"}
    use_case["sources"]["promotions"]["columns"][name] = "discount"
    assert f"regressors: '{name}' is no name" in (
        fault_of(tmp_path, {"use_cases": {"sku_weekly": use_case}})
    )


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({"warn_after_days": -1}, "warn_after_days: Input should be greater than or equal to 0"),
        ({"error_after_days": 10**9}, "error_after_days: Input should be less than or equal"),
        ({"label_offset_days": 400}, "label_offset_days: Input should be less than or equal"),
        ({"table": "`sales`"}, "a table is named alone, or as project.dataset.table"),
        ({"table": "a.b"}, "a table is named alone, or as project.dataset.table"),
        ({"table": "a.b.c.d"}, "a table is named alone, or as project.dataset.table"),
        ({"table": "x; drop table y"}, "a table is named alone, or as project.dataset.table"),
    ],
)
def test_so_is_one_of_a_source(tmp_path, use_case, change, fault):
    use_case["sources"]["sales"] |= change
    assert fault in fault_of(tmp_path, {"use_cases": {"sku_weekly": use_case}})


@pytest.mark.parametrize(
    "url",
    [
        "http://example.com/v1",
        "http://169.254.169.254/computeMetadata",
        "https://",
        "https://h:99999/v1",
        "ftp://example.com",
    ],
)
def test_the_weather_is_fetched_over_tls_alone(tmp_path, use_case, url):
    use_case["sources"]["weather"]["fetch"] = {"archive_url": url}
    assert "fetch.archive_url: Value error" in (
        fault_of(tmp_path, {"use_cases": {"sku_weekly": use_case}})
    )


def test_an_address_with_a_password_is_refused(tmp_path, use_case):
    use_case["sources"]["weather"]["fetch"] = {"forecast_url": "https://me:pw@example.com/v1"}
    fault = fault_of(tmp_path, {"use_cases": {"sku_weekly": use_case}})
    assert "an address holds no user and no password" in fault


@pytest.mark.parametrize("url", ["https://example.com:8443/v1", "http://127.0.0.1:8080/v1", ""])
def test_other_addresses_are_taken(tmp_path, use_case, url):
    use_case["sources"]["weather"]["fetch"] = {"archive_url": url}
    load(tmp_path, {"use_cases": {"sku_weekly": use_case}})


def test_jinja_in_settings_is_text(tmp_path, use_case, monkeypatch):
    monkeypatch.setenv("SECRET", "s3cr3t")
    use_case["sources"]["sales"]["known_at"] = "{{ env_var('SECRET') }}"
    path = tmp_path / "settings.yml"
    path.write_text(yaml.safe_dump({"use_cases": {"sku_weekly": use_case}}))
    settings = load_settings(ROOT, {"SHELFCAST_SETTINGS": str(path)})
    assert settings.use_case(None).sources.sales.known_at == "{{ env_var('SECRET') }}"
    given = settings.dbt_vars["use_cases"]["sku_weekly"]["sources"]["sales"]["known_at"]
    assert given == "{{ env_var('SECRET') }}"
