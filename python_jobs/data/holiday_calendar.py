"""Check that the holiday seed covers the years that calendar regressors need.

A week of a year that the seed says nothing of would count as a week without holidays.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from datetime import date, timedelta
from pathlib import Path

from python_jobs.data.holiday_seed import SEED, Holiday, is_known, read_seed
from python_jobs.infra.errors import RunStopped, first_few
from python_jobs.infra.logs import Event, warn
from python_jobs.infra.schedule import Origin
from python_jobs.infra.settings import UseCase
from python_jobs.infra.warehouse import Warehouse


def check_calendar(project: Path, use_case: UseCase, origins: Sequence[Origin]) -> str | None:
    """Stop when the seed has no holiday of a configured country in a forecast year.

    A country that is only somebody's own rows need not have one every year: that is a warning.

    Args:
        project: folder of dbt_project.yml, whose seed is read.
        use_case: its regressors, countries and horizon.
        origins: of the run; their horizons are looked at.

    Returns:
        What the seed holds for this use case; None where no regressor comes from the calendar.

    Raises:
        RunStopped: a country has no row at all, or none in a year of the horizon; or a regressor
            names a holiday that no row has. All of it at once, with the command that fixes it.
    """
    if not calendar_regressors(use_case):
        return None
    rows = _rows(project, use_case)
    years = sorted({day.year for origin in origins for day in _edges(use_case, origin)})
    faults = _missing_countries(use_case, rows) + _unknown_names(use_case, rows)
    faults += _missing_years(use_case, rows, years, "the horizon reaches")
    if faults:
        raise RunStopped(f"{use_case.name}: {SEED}: {' '.join(faults)}")
    _warn_of_own_that_end(use_case, rows, years)
    years = sorted({row.day.year for row in rows})
    return f"{len(rows)} holidays of {', '.join(_countries(use_case))}, {years[0]} to {years[-1]}"


def warn_of_years_without_holidays(warehouse: Warehouse, project: Path, use_case: UseCase) -> None:
    """Warn of training years without a holiday in the seed."""
    if not calendar_regressors(use_case):
        return
    found = warehouse.read(
        f"select min(first_date) as first, max(last_date) as last from {{{use_case.name}_series}}"
    ).iloc[0]
    if found["first"] is None or found["first"] != found["first"]:
        return
    years = range(found["first"].year, found["last"].year + 1)
    faults = _missing_years(use_case, _rows(project, use_case), years, "sales are known of")
    if faults:
        warn(Event.HOLIDAYS_MISSING, f"{use_case.name}: {SEED}: {' '.join(faults)}")


def calendar_regressors(use_case: UseCase) -> list[str]:
    """The regressors whose future comes from the calendar."""
    return [name for name, one in use_case.regressors.items() if one.future == "calendar"]


def _rows(project: Path, use_case: UseCase) -> list[Holiday]:
    """The seed's rows of this use case's countries."""
    countries = _countries(use_case)
    return [row for row in read_seed(project / SEED) if row.country in countries]


def _countries(use_case: UseCase) -> tuple[str, ...]:
    calendar = use_case.sources.calendar
    return calendar.countries if calendar else ()


def _edges(use_case: UseCase, origin: Origin) -> tuple[date, date]:
    """First and last target day of an origin."""
    days = timedelta(days=use_case.horizon * use_case.period_days)
    return origin.origin_date + timedelta(days=1), origin.origin_date + days


def _missing_countries(use_case: UseCase, rows: list[Holiday]) -> list[str]:
    there = {row.country for row in rows}
    missing = [one for one in _countries(use_case) if one not in there]
    if not missing:
        return []
    return [
        f"no row of {', '.join(missing)}, and {_regressors(use_case)} would silently be 0. "
        "Run `shelfcast make-holidays`, or add the rows yourself."
    ]


def _missing_years(
    use_case: UseCase, rows: list[Holiday], years: Iterable[int], why: str
) -> list[str]:
    """Years without a holiday, for countries that the `holidays` package knows."""
    wanted = set(years)
    faults = []
    for country in _countries(use_case):
        covered = {row.day.year for row in rows if row.country == country}
        missing = sorted(wanted - covered)
        if covered and missing and is_known(country):
            faults.append(
                f"no holiday of {country} in {first_few([str(year) for year in missing], 5)}, "
                f"which {why}: {_regressors(use_case)} would silently be 0. Run "
                f"`shelfcast make-holidays --from {missing[0]} --to {missing[-1]}`."
            )
    return faults


def _unknown_names(use_case: UseCase, rows: list[Holiday]) -> list[str]:
    """Holiday names of a regressor that no seed row has."""
    known = sorted({row.name for row in rows})
    faults = []
    for regressor in calendar_regressors(use_case):
        for name in use_case.regressors[regressor].names:
            if rows and name not in known:
                close = difflib.get_close_matches(name, known, n=1) or known
                faults.append(
                    f"no holiday is named '{name}', which regressors: {regressor}: names: lists "
                    f"(there is {first_few(close, 5)})."
                )
    return faults


def _warn_of_own_that_end(use_case: UseCase, rows: list[Holiday], years: list[int]) -> None:
    for country in _countries(use_case):
        covered = {row.day.year for row in rows if row.country == country}
        if not is_known(country) and (missing := [year for year in years if year not in covered]):
            warn(
                Event.HOLIDAYS_MISSING,
                f"{use_case.name}: {SEED}: no day of '{country}' in {missing[0]}, which the "
                "horizon reaches. Add those that there will be.",
            )


def _regressors(use_case: UseCase) -> str:
    return ", ".join(calendar_regressors(use_case))
