"""The seed of holidays: what the package makes, what people added, how far it must reach."""

from __future__ import annotations

import csv
import shutil
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
import yaml

from python_jobs.data.holiday_calendar import check_calendar
from python_jobs.data.holiday_seed import (
    MADE,
    SEED,
    Holiday,
    made_by_package,
    read_seed,
    remake,
    write_seed,
)
from python_jobs.infra.errors import RunStopped, SettingsError
from python_jobs.infra.logs import LOGGER
from python_jobs.infra.schedule import Origin
from python_jobs.infra.settings import UseCase, load_settings
from tests.support.commands import done, shelfcast
from tests.support.site import ROOT, project_vars

OURS = Holiday(date(2026, 8, 14), "own", "Warehouse closed")


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project's folder with the settings and without a seed."""
    shutil.copy(ROOT / "dbt_project.yml", tmp_path)
    return tmp_path


def use_case(folder: Path, countries: list[str], names: list[str] | None = None) -> UseCase:
    use_cases = project_vars()["use_cases"]
    use_cases["sku_weekly"]["sources"]["calendar"]["countries"] = countries
    use_cases["sku_weekly"]["regressors"]["holiday_share"]["names"] = names or []
    path = folder / "settings.yml"
    path.write_text(yaml.safe_dump({"use_cases": use_cases}))
    return load_settings(ROOT, {"SHELFCAST_SETTINGS": str(path)}).use_case(None)


def origin(day: str) -> Origin:
    return Origin(date.fromisoformat(day), datetime.fromisoformat(day).replace(tzinfo=UTC))


def lines(path: Path) -> list[list[str]]:
    return list(csv.reader(path.read_text().splitlines()))


# What is made


def test_the_projects_seed_is_what_the_package_makes():
    rows = read_seed(ROOT / SEED)
    assert rows == made_by_package("RU", range(2019, 2031))
    assert {(row.day.month, row.day.day) for row in rows} >= {(1, 1), (3, 8), (5, 9), (11, 4)}


def test_a_subdivision_has_days_of_its_own():
    whole = {row.name for row in made_by_package("US", [2026])}
    assert {row.name for row in made_by_package("US-CA", [2026])} - whole >= {"Cesar Chavez Day"}


def test_two_holidays_on_one_day_are_a_row_each():
    """In 2008 Ascension Day was the 1st of May."""
    on_that_day = [row for row in made_by_package("DE", [2008]) if row.day == date(2008, 5, 1)]
    assert [row.name for row in on_that_day] == ["Ascension Day", "Labor Day"]


@pytest.mark.parametrize(
    ("country", "hint"),
    [
        ("Germany", "did you mean DE?"),
        ("US-CALI", "did you mean US-CA"),
        ("Ru", "did you mean RU"),
        ("GB-", "did you mean GB-"),
        ("nowhere at all", "an ISO 3166 code of two letters is meant"),
    ],
)
def test_an_unknown_country_is_refused_with_those_that_may_be_meant(country, hint):
    with pytest.raises(SettingsError, match="knows no country") as error:
        remake([], [country], 2026, 2026)
    assert hint in str(error.value)


# What stays


def test_rows_of_people_and_of_other_countries_and_years_stay():
    mine = [OURS, Holiday(date(2026, 5, 30), "RU", "Day of the fair")]
    german = made_by_package("DE", [2026])
    earlier = made_by_package("RU", [2025])
    stale = Holiday(date(2026, 7, 1), "RU", "Was a holiday in an older version", MADE)
    remade = remake([*mine, *german, *earlier, stale], ["RU", "own"], 2026, 2026)
    assert set(remade.rows) == {*mine, *german, *earlier, *made_by_package("RU", [2026])}
    assert remade.rows == sorted(remade.rows)
    assert (remade.own, remade.n_other) == (mine, len(german) + len(earlier))
    assert "2 rows of your own kept (RU, own)" in str(remade)


def test_a_row_that_somebody_wrote_as_the_package_would_stays_one_row_of_theirs():
    theirs = Holiday(date(2026, 5, 9), "RU", "Victory Day")
    remade = remake([theirs], ["RU"], 2026, 2026)
    assert [row for row in remade.rows if row.day == theirs.day] == [theirs]
    assert len({row.key for row in remade.rows}) == len(remade.rows)


def test_a_seed_by_hand_without_a_source_is_all_theirs(tmp_path):
    path = tmp_path / "holidays.csv"
    path.write_text("holiday_date,name,country\n2026-08-14,Warehouse closed,own\n")
    assert read_seed(path) == [OURS]


def test_a_seed_that_is_none_says_which_line(tmp_path):
    path = tmp_path / "holidays.csv"
    path.write_text("holiday_date,name,country\n14.08.2026,A,RU\n2026-01-01,,RU\n2026-01-02,B,RU\n")
    with pytest.raises(SettingsError, match="2 of 3 rows are no holiday") as error:
        read_seed(path)
    assert "line 2: " in str(error.value)
    assert "line 3: no name" in str(error.value)
    path.write_text("date,name,country\n")
    with pytest.raises(SettingsError, match="holiday_date missing"):
        read_seed(path)


# The command


def test_the_command_makes_the_seed_and_making_it_again_changes_nothing(project):
    place = {"SHELFCAST_PROJECT_DIR": str(project), "SHELFCAST_SETTINGS": None}
    wanted = ("make-holidays", "--country", "US-CA", "--from", "2026", "--to", "2027")
    tried = done(None, *wanted, "--dry-run", **place)
    assert "nothing was written (--dry-run)" in tried.stdout
    assert not (project / SEED).exists()
    done(None, *wanted, **place)
    first = (project / SEED).read_text()
    assert {row[2] for row in lines(project / SEED)[1:]} == {"RU", "US-CA"}
    write_seed(project / SEED, sorted([*read_seed(project / SEED), OURS]))
    again = done(None, *wanted, **place)
    assert "1 rows of your own kept (own)" in again.stderr
    kept = [line for line in (project / SEED).read_text().splitlines() if "Warehouse" not in line]
    assert kept == first.splitlines()


def test_the_command_refuses_years_that_run_backwards(project):
    place = {"SHELFCAST_PROJECT_DIR": str(project), "SHELFCAST_SETTINGS": None}
    result = shelfcast(None, "make-holidays", "--from", "2027", "--to", "2026", **place)
    assert result.exit_code == 2
    assert "--from 2027 is after --to 2026" in result.stderr


# How far it must reach


def check(project: Path, rows: list[Holiday], at: str, *countries: str, names=None) -> str | None:
    write_seed(project / SEED, rows)
    return check_calendar(project, use_case(project, list(countries), names), [origin(at)])


def test_a_horizon_within_the_seed_is_fine(project):
    rows = made_by_package("RU", [2025, 2026])
    assert check(project, rows, "2026-11-15", "RU").endswith(" holidays of RU, 2025 to 2026")


def test_a_horizon_that_leaves_the_seed_stops_with_the_command_that_fixes_it(project):
    """Four weeks after 6 December end on 3 January."""
    with pytest.raises(RunStopped, match="no holiday of RU in 2027") as error:
        check(project, made_by_package("RU", [2026]), "2026-12-06", "RU")
    assert "holiday_share would silently be 0" in str(error.value)
    assert "Run `shelfcast make-holidays --from 2027 --to 2027`." in str(error.value)


def test_a_country_without_rows_stops_although_another_has_them(project):
    with pytest.raises(RunStopped, match=r"no row of DE, .* Run `shelfcast make-holidays`"):
        check(project, made_by_package("RU", [2026]), "2026-11-15", "RU", "DE")


def test_a_name_that_no_row_has_stops_with_the_one_that_may_be_meant(project):
    with pytest.raises(RunStopped, match=r"named 'Victory day', .*there is Victory Day"):
        check(project, made_by_package("RU", [2026]), "2026-11-15", "RU", names=["Victory day"])


def test_days_of_ones_own_that_end_are_a_warning(project, caplog, monkeypatch):
    monkeypatch.setattr(LOGGER, "propagate", True)
    rows = [*made_by_package("RU", [2026, 2027]), OURS]
    check(project, rows, "2026-11-15", "RU", "own")
    assert not caplog.records
    check(project, rows, "2026-12-06", "RU", "own")
    assert "no day of 'own' in 2027, which the horizon reaches" in caplog.text
