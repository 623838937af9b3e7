"""`shelfcast use-case new`, `check` and `list`, as a person runs them, on a copied project."""

from __future__ import annotations

import shutil
from datetime import date, timedelta
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner, Result

from python_jobs.cli.app import main
from tests.support.site import ROOT

NEW = ["use-case", "new", "store_weekly", "--key", "store:int64,dept:int64"]


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    project = tmp_path / "project"
    shutil.copytree(ROOT / "models", project / "models")
    shutil.copytree(ROOT / "seeds", project / "seeds")
    shutil.copy(ROOT / "dbt_project.yml", project)
    monkeypatch.setenv("SHELFCAST_PROJECT_DIR", str(project))
    for name in ("SHELFCAST_SETTINGS", "SHELFCAST_USE_CASE"):
        monkeypatch.delenv(name, raising=False)
    return project


@pytest.fixture
def sales(tmp_path: Path) -> str:
    days = [date(2024, 1, 5) + timedelta(days=7 * at) for at in range(120)]
    rows = [f"{store},{dept},{day},{at}.5" for store in (1, 2) for dept in (1, 2)
            for at, day in enumerate(days)]  # fmt: skip
    path = tmp_path / "sales.csv"
    path.write_text("\n".join(["Store,Dept,Date,Weekly_Sales", *rows]) + "\n")
    return str(path)


def shelfcast(*arguments: str) -> Result:
    return CliRunner().invoke(main, arguments)


def tree(project: Path) -> dict[str, bytes]:
    return {str(path.relative_to(project)): path.read_bytes() for path in project.rglob("*.*")}


def test_new_writes_two_folders_and_one_block(project, sales):
    before = tree(project)
    result = shelfcast(*NEW, "--sales", sales)
    assert result.exit_code == 0, result.output
    after = tree(project)
    changed = {path for path in after if after[path] != before.get(path)}
    assert set(before) <= set(after)
    assert {str(Path(path).parent) for path in changed} == {
        ".", "models/features/store_weekly", "models/staging/store_weekly",
    }  # fmt: skip
    assert {path for path in changed if "/" not in path} == {"dbt_project.yml"}
    added = yaml.safe_load(after["dbt_project.yml"])["vars"]["use_cases"]["store_weekly"]
    assert added["key"] == {"store": "int64", "dept": "int64"}
    assert added["week_starts_on"] == "saturday"
    assert "store_weekly: 12 files: 12 current" in shelfcast("use-case", "check").output


def test_new_says_what_was_found_decided_and_comes_next(project, sales):
    output = shelfcast(*NEW, "--sales", sales).output
    assert "480 rows, 4 series of store, dept" in output
    assert "every date is a Friday" in output
    assert "Left for you to decide" in output
    for command in (
        "export SHELFCAST_USE_CASE=store_weekly",
        f"shelfcast load {sales} --as sales --history",
        "shelfcast backtest --origins 3 --to 2026-04-17",
    ):
        assert command in output


def test_every_named_source_gets_its_files(project, sales, tmp_path):
    plan = tmp_path / "plan.csv"
    plan.write_text("store,dept,start_date,end_date\n1,1,2025-01-06,2025-01-12\n")
    weather = tmp_path / "weather.csv"
    weather.write_text("store,date,temperature_c\n1,2025-01-06,3.5\n")
    result = shelfcast(
        *NEW, "--sales", sales, "--promotions", str(plan), "--weather", str(weather),
        "--calendar", "RU",
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    assert f"shelfcast load {plan} --as promotions --history" in result.output
    stems = {path.stem for path in project.rglob("*store_weekly*.sql")}
    assert {"stg_store_weekly_promotions", "store_weekly_plan", "store_weekly_weather"} <= stems


def test_a_country_without_holidays_needs_them_made(project, sales):
    assert "make-holidays" not in shelfcast(*NEW, "--sales", sales, "--calendar", "RU").output
    name = ["use-case", "new", "other_weekly", "--key", "store,dept"]
    assert (
        "make-holidays --from 2024" in shelfcast(*name, "--sales", sales, "--calendar", "NO").output
    )


def test_a_dry_run_writes_nothing(project, sales):
    before = tree(project)
    result = shelfcast(*NEW, "--sales", sales, "--dry-run")
    assert result.exit_code == 0
    assert "models/features/store_weekly/_store_weekly.yml" in result.output
    assert tree(project) == before


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"name": "sku_weekly"}, "has a use case 'sku_weekly' already"),
        ({"name": "Store"}, "cannot name a use case"),
        ({"key": "region"}, "no column 'region'"),
        ({"key": "ds"}, "reserved"),
        ({"sales": "nowhere.csv"}, "no such file"),
        ({"more": ["--families", "prophet,magic"]}, "no family is called 'magic'"),
        ({"more": ["--time-zone", "Europe/Atlantis"]}, "no time zone"),
        ({"more": ["--grain", "day"]}, "cannot be forecast by day"),
        ({"more": ["--column", "quantity=Nothing"]}, "no column 'Nothing'"),
        ({"more": ["--column", "quantity"]}, "ROLE=COLUMN"),
    ],
)
def test_what_cannot_be_added_is_one_line_and_leaves_nothing(project, sales, changed, message):
    before = tree(project)
    result = shelfcast(
        "use-case", "new", changed.get("name", "store_weekly"),
        "--key", changed.get("key", "store,dept"), "--sales", changed.get("sales", sales),
        *changed.get("more", []),
    )  # fmt: skip
    assert result.exit_code == 2, result.output
    assert message in result.output
    assert tree(project) == before


def test_files_and_models_that_exist_are_not_replaced(project, sales):
    mine = project / "models" / "mine" / "store_weekly_gate.sql"
    mine.parent.mkdir()
    mine.write_text("select 1 as one\n")
    result = shelfcast(*NEW, "--sales", sales)
    assert (result.exit_code, "store_weekly_gate already" in result.output) == (2, True)
    mine.rename(project / "models" / "features" / mine.name)
    assert shelfcast(*NEW, "--sales", sales).exit_code == 2


def test_a_settings_file_of_its_own_gets_the_block(project, sales, tmp_path, monkeypatch):
    own = tmp_path / "own.yml"
    use_cases = yaml.safe_load((ROOT / "dbt_project.yml").read_text())["vars"]["use_cases"]
    own.write_text("# ours\n" + yaml.safe_dump({"use_cases": use_cases}))
    monkeypatch.setenv("SHELFCAST_SETTINGS", str(own))
    assert shelfcast(*NEW, "--sales", sales).exit_code == 0
    assert "store_weekly" in yaml.safe_load(own.read_text())["use_cases"]
    assert own.read_text().startswith("# ours\n")
    assert (project / "dbt_project.yml").read_bytes() == (ROOT / "dbt_project.yml").read_bytes()


def test_settings_in_the_variable_itself_cannot_be_added_to(project, sales, monkeypatch):
    monkeypatch.setenv("SHELFCAST_SETTINGS", '{"use_cases": {}}')
    result = shelfcast(*NEW, "--sales", sales)
    assert (result.exit_code, "holds the settings itself" in result.output) == (2, True)


def test_check_names_what_is_missing_stale_and_edited(project, sales):
    shelfcast(*NEW, "--sales", sales)
    folder = project / "models" / "features" / "store_weekly"
    (folder / "store_weekly_gate.sql").unlink()
    with (folder / "store_weekly_keys.sql").open("a") as file:
        file.write("-- mine\n")
    result = shelfcast("use-case", "check", "store_weekly")
    assert result.exit_code == 1
    assert "missing           models/features/store_weekly/store_weekly_gate.sql" in result.output
    assert "edited            models/features/store_weekly/store_weekly_keys.sql" in result.output
    assert shelfcast("use-case", "check", "sku_weekly").exit_code == 0
    assert shelfcast("use-case", "check", "--write").exit_code == 0
    assert shelfcast("use-case", "check").exit_code == 0
    assert (folder / "store_weekly_keys.sql").read_text().endswith("-- mine\n")
    assert shelfcast("use-case", "check", "nobody").exit_code == 2


def test_list_says_what_there_is(project, sales):
    shelfcast(*NEW, "--sales", sales)
    lines = shelfcast("use-case", "list").output.splitlines()
    assert lines[0] == "use_case,grain,key,horizon,families,files"
    assert lines[2] == 'store_weekly,week,"store, dept",4,prophet,12 files: 12 current'


def test_removing_one_is_deleting_its_folders_and_its_block(project, sales):
    before = tree(project)
    shelfcast(*NEW, "--sales", sales)
    for layer in ("staging", "features"):
        shutil.rmtree(project / "models" / layer / "store_weekly")
    settings = project / "dbt_project.yml"
    lines = settings.read_text().splitlines(keepends=True)
    start = lines.index("    store_weekly:\n")
    later = [at for at in range(start + 1, len(lines)) if not lines[at].startswith(" " * 6)]
    end = later[0] if later else len(lines)
    settings.write_text("".join(lines[:start] + lines[end:]))
    assert tree(project) == before
    assert shelfcast("use-case", "list").output.count("\n") == 2


def test_folders_whose_settings_are_gone_are_named(project, sales):
    shelfcast(*NEW, "--sales", sales)
    shutil.copy(ROOT / "dbt_project.yml", project)
    output = shelfcast("use-case", "list").output
    assert "models/features/store_weekly: its use case has no settings" in output
