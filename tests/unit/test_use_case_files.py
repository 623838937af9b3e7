"""The files of a use case: rendered from templates, compared with them, written as a whole."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import yaml

from python_jobs.infra.errors import SettingsError
from python_jobs.infra.settings import UseCase, load_settings
from python_jobs.infra.use_case import AttributesSource, RegressorsSource
from python_jobs.use_cases import files
from python_jobs.use_cases.names import COLUMNS, check_name, parse_key
from python_jobs.use_cases.render import TEMPLATES, render
from python_jobs.use_cases.settings_text import block, insert
from tests.support.site import ROOT


@pytest.fixture
def sku_weekly() -> UseCase:
    return load_settings(ROOT, {}).use_case("sku_weekly")


@pytest.fixture
def store_weekly(sku_weekly: UseCase) -> UseCase:
    """A use case with sales alone."""
    sales = sku_weekly.sources.sales.model_copy(update={"columns": {"date": "d", "quantity": "q"}})
    sources = sku_weekly.sources.model_copy(
        update={"sales": sales, "promotions": None, "weather": None, "calendar": None}
    )
    return sku_weekly.model_copy(
        update={"name": "store_weekly", "sources": sources, "regressors": {}}
    )


def test_sku_weekly_is_what_the_templates_render(sku_weekly):
    """A template that is edited alone, or a file that is, is seen here.

    `shelfcast use-case check sku_weekly --write` writes what changed in a template.
    """
    for path, text in render(sku_weekly).items():
        assert (ROOT / path).read_text() == text, path
    folders = [ROOT / "models" / layer / "sku_weekly" for layer in ("staging", "features")]
    there = {
        str(path.relative_to(ROOT)) for folder in folders for path in folder.glob("*sku_weekly*.*")
    }
    assert there == set(render(sku_weekly))


def test_every_template_is_rendered_for_a_use_case_that_has_everything(sku_weekly):
    features = sku_weekly.features.model_copy(update={"lags": (2,), "attributes": ("size",)})
    dimension = AttributesSource(table="stores", columns={"size": "size"}, known_at="")
    economy = RegressorsSource(table="economy", columns={"date": "day"}, known_at="")
    everything = {
        "features": features,
        "context_length": 4,
        "sources": sku_weekly.sources.model_copy(
            update={"attributes": dimension, "regressors": economy}
        ),
    }
    templates = sum(1 for path in TEMPLATES.rglob("*") if path.is_file())
    assert len(render(sku_weekly.model_copy(update=everything))) == templates == 25


def test_a_use_case_is_a_dozen_files_to_twenty(sku_weekly, store_weekly):
    """Sales alone, and with a plan, weather, prices and scenarios."""
    assert len(render(store_weekly)) == 12
    assert len(render(sku_weekly)) == 21


def test_only_named_sources_get_files(store_weekly):
    stems = {Path(path).stem for path in render(store_weekly)}
    assert stems == {
        "_store_weekly",
        "stg_store_weekly_sales",
        *(
            f"store_weekly_{relation}"
            for relation in (
                "actuals", "baselines", "future_panel", "gate", "history", "keys",
                "missing_regressors", "regressors", "series", "training_panel",
            )
        ),
    }  # fmt: skip


def test_the_yaml_describes_each_file_and_nothing_else(sku_weekly, store_weekly):
    for use_case in (sku_weekly, store_weekly):
        rendered = render(use_case)
        content = yaml.safe_load(rendered[f"models/features/{use_case.name}/_{use_case.name}.yml"])
        models = {Path(path).stem for path in rendered if path.endswith(".sql")}
        assert {model["name"] for model in content["models"]} == models


def test_nothing_of_sku_weekly_is_left_in_another_use_case(store_weekly):
    for path, text in render(store_weekly).items():
        assert "sku" not in path + text


@pytest.fixture
def project(tmp_path: Path, store_weekly: UseCase) -> Path:
    """A folder with the use case's files."""
    files.write_all({tmp_path / path: text for path, text in render(store_weekly).items()})
    return tmp_path


GATE = "models/features/store_weekly/store_weekly_gate.sql"


def state_of(project: Path, use_case: UseCase, path: str = GATE) -> str:
    return next(one.state for one in files.states(project, use_case) if one.path == path)


def test_rendered_files_are_current(project, store_weekly):
    assert {one.state for one in files.states(project, store_weekly)} == {"current"}


def test_line_ends_of_another_system_are_no_edit(project, store_weekly):
    path = project / GATE
    path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n"))
    assert state_of(project, store_weekly) == "current"


def test_a_missing_file_is_written_again(project, store_weekly):
    (project / GATE).unlink()
    assert state_of(project, store_weekly) == "missing"
    assert [one.path for one in files.refresh(project, store_weekly)] == [GATE]
    assert state_of(project, store_weekly) == "current"


def test_an_edited_file_is_kept(project, store_weekly):
    path = project / GATE
    path.write_text(path.read_text() + "-- mine\n")
    assert state_of(project, store_weekly) == "edited"
    assert files.refresh(project, store_weekly) == []
    assert path.read_text().endswith("-- mine\n")


def test_a_hand_written_file_of_the_same_name_is_kept(project, store_weekly):
    (project / GATE).write_text("select 1 as one\n")
    assert state_of(project, store_weekly) == "edited"
    assert files.refresh(project, store_weekly) == []


@pytest.fixture
def newer_template(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The gate's template, changed by a new version of Shelfcast."""
    from python_jobs.use_cases import render as module

    copy = tmp_path / "templates"
    shutil.copytree(TEMPLATES, copy)
    template = copy / "features" / "USE_CASE_gate.sql"
    template.write_text("{# newer #}\n" + template.read_text())
    monkeypatch.setattr(module, "TEMPLATES", copy)
    module._environment.cache_clear()
    yield
    module._environment.cache_clear()


def test_a_file_of_an_older_template_is_stale_and_refreshed(project, store_weekly, newer_template):
    assert state_of(project, store_weekly) == "stale"
    assert [one.path for one in files.refresh(project, store_weekly)] == [GATE]
    assert "newer" in (project / GATE).read_text()


def test_an_edited_file_of_an_older_template_is_kept_and_said(project, store_weekly, request):
    path = project / GATE
    path.write_text(path.read_text() + "-- mine\n")
    request.getfixturevalue("newer_template")
    assert state_of(project, store_weekly) == "edited and stale"
    assert files.refresh(project, store_weekly) == []


def test_settings_that_name_another_source_make_the_yaml_stale(project, store_weekly, sku_weekly):
    sources = store_weekly.sources.model_copy(update={"weather": sku_weekly.sources.weather})
    grown = store_weekly.model_copy(update={"sources": sources})
    found = {Path(one.path).stem: one.state for one in files.states(project, grown)}
    assert found["_store_weekly"] == "stale"
    assert found["stg_store_weekly_weather"] == "missing"
    assert found["store_weekly_gate"] == "current"


def test_a_folder_without_settings_is_named(project):
    assert files.without_settings(project, ["store_weekly"]) == []
    assert files.without_settings(project, []) == [
        "models/features/store_weekly",
        "models/staging/store_weekly",
    ]


def test_all_files_are_written_or_none(tmp_path, monkeypatch):
    old = tmp_path / "old.yml"
    old.write_text("before")
    calls = []

    def fails_the_third_time(path: Path, target: Path) -> Path:
        calls.append(target)
        if len(calls) == 3:
            raise OSError(28, "No space left on device", str(target))
        return original(path, target)

    original = Path.replace
    monkeypatch.setattr(Path, "replace", fails_the_third_time)
    with pytest.raises(SettingsError, match=r"No space left.*nothing was"):
        files.write_all(
            {tmp_path / "a" / "b" / "new.sql": "x", old: "after", tmp_path / "c.sql": "y"}
        )
    assert [path.name for path in tmp_path.rglob("*")] == ["old.yml"]
    assert old.read_text() == "before"


@pytest.mark.parametrize(
    "name",
    ["", "Store", "2nd", "a-b", "a__b", "_a", "a_", "store weekly", "null", "true", "all",
     "stg_x", "x" * 41, "größe"],
)  # fmt: skip
def test_names_that_no_use_case_may_have(name):
    with pytest.raises(SettingsError, match=r"cannot name|reserved"):
        check_name(name)


def test_a_key_is_parsed_in_its_order():
    assert parse_key("store:int64, dept , day:date") == {
        "store": "int64",
        "dept": "",
        "day": "date",
    }
    assert parse_key("total") == {}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("Store", "--column store=COLUMN"),
        ("a,a", "twice"),
        ("store:number", "none of string, int64, date"),
        ("group", "reserved"),
        ("ds", "reserved"),
        ("price", "reserved"),
        ("covers_store", "reserved"),
        ("", "cannot name"),
        ("a,,b", "cannot name"),
    ],
)
def test_keys_that_cannot_be(text, message):
    with pytest.raises(SettingsError, match=message):
        parse_key(text)


def test_the_reserved_columns_hold_those_of_the_panel():
    panel = yaml.safe_load((ROOT / "dbt_project.yml").read_text())["vars"]["panel"]
    names = {column["name"] for columns in panel.values() for column in columns}
    assert names <= COLUMNS


SETTINGS = {"grain": "week", "key": {"store": "int64"}, "sources": {"sales": {"table": "NO"}}}


def test_a_block_changes_nothing_else():
    text = (ROOT / "dbt_project.yml").read_text()
    lines = block("store_weekly", SETTINGS, {"grain": "because: it is"})
    new = insert(text, lines, "dbt_project.yml")
    assert new.replace("".join(f"    {line}\n" for line in lines), "") == text
    use_cases = yaml.safe_load(new)["vars"]["use_cases"]
    assert use_cases["store_weekly"] == SETTINGS
    assert list(use_cases) == ["sku_weekly", "store_weekly"]


@pytest.mark.parametrize(
    "text",
    [
        "use_cases:\n  a: {grain: day}  # one\n\n# after\nprices: {x: 1}\n",
        "use_cases:\n  a:\n    key: {x: string}\n    list:\n      - 1\n      - 2\n# after\n",
        "prices: {x: 1}\nuse_cases:\n    a:\n        grain: day",
        "use_cases: {}\nprices: {x: 1}\n",
        "vars:\n  use_cases: {}\n  prices: {x: 1}\n",
        "vars:\n  use_cases:\n    a:\n      text: |\n        line\n        line\n\n  prices: 1\n",
    ],
)
def test_a_block_goes_behind_the_last_use_case(text):
    new = insert(text, block("b", SETTINGS, {}), "my.yml")
    before, after = yaml.safe_load(text), yaml.safe_load(new)
    use_cases = (after.get("vars") or after)["use_cases"]
    assert use_cases.pop("b") == SETTINGS
    assert after == before
    kept = [line for line in text.splitlines() if "use_cases" not in line]
    rest = iter(new.splitlines())
    assert all(line in rest for line in kept), "a line is gone, or has moved"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("use_cases: {a: {grain: day}}\n", "block style"),
        ("prices: {}\n", "no `use_cases:`"),
        ("use_cases:\n  b: {}\n", "already"),
    ],
)
def test_settings_that_cannot_be_added_to(text, message):
    with pytest.raises(SettingsError, match=message):
        insert(text, block("b", SETTINGS, {}), "my.yml")
