"""The commands that lead from a new use case to its first forecasts."""

from __future__ import annotations

import csv
import shlex
from collections.abc import Mapping
from datetime import date, datetime, timedelta
from pathlib import Path

from python_jobs.use_cases.new import NewUseCase, Sources

MANY_SERIES = 500
"""More series than this take minutes for each origin of a backtest."""


def next_commands(
    planned: NewUseCase, sources: Sources, environment: Mapping[str, str]
) -> list[str]:
    """The commands to run, in their order, each with what it is for where that is not plain."""
    facts = planned.proposal.facts
    return [
        f"export SHELFCAST_USE_CASE={planned.use_case.name}",
        *(["shelfcast local start"] if _is_local(environment) else []),
        *_make_holidays(planned.project, sources, facts.first),
        *(
            f"shelfcast load {shlex.quote(where)} --as {kind} --history"
            for kind, where in sources.files().items()
        ),
        f"shelfcast backtest --origins 3 --to {facts.last + timedelta(days=_to_end(planned))}",
        ACCURACY,
        "shelfcast train",
        "shelfcast run",
    ]


ACCURACY = (
    'shelfcast sql "select model_name, wape, bias, n_scored from {accuracy_by_use_case} where '
    "use_case = '$SHELFCAST_USE_CASE' and run_kind = 'backtest' and basis = 'comparable' "
    'order by wape"'
)


def remarks(planned: NewUseCase, now: datetime) -> list[str]:
    """Remarks to read before the commands."""
    facts, grain = planned.proposal.facts, planned.proposal.grain
    said = []
    if facts.n_series > MANY_SERIES:
        said.append(
            f"{facts.n_series:,} series take minutes an origin: `shelfcast backtest --series "
            "'PATTERN'` for a first look at some."
        )
    age = (now.date() - facts.last).days
    if age > 3 * planned.use_case.period_days:
        said.append(
            f"The newest {grain} is of {facts.last}: `run` forecasts what comes after today and "
            "refuses sales that old. Load newer ones first; the backtest needs none."
        )
    return said


def _is_local(environment: Mapping[str, str]) -> bool:
    return environment.get("SHELFCAST_TARGET", "local") == "local"


def _to_end(planned: NewUseCase) -> int:
    """Days from the newest date to the last day of its period."""
    sales = planned.use_case.sources.sales
    source_grain = sales.grain or planned.use_case.grain
    return 6 if source_grain == "week" and sales.date_means == "period_start" else 0


def _make_holidays(project: Path, sources: Sources, first: date) -> list[str]:
    """The command that makes the holidays of the sales' years, unless the seed has them."""
    seed = project / "seeds" / "holidays.csv"
    known: dict[str, str] = {}
    if seed.is_file():
        with seed.open(encoding="utf-8", newline="") as lines:
            for row in csv.DictReader(lines):
                day = row["holiday_date"]
                known[row["country"]] = min(day, known.get(row["country"], day))
    wanted = f"{first:%Y}-12-31"
    lacking = [one for one in sources.countries if known.get(one, "9999") > wanted]
    return [f"shelfcast make-holidays --from {first:%Y}"] if lacking else []
