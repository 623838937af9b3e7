"""`shelfcast demo`: the true pipeline on made-up data, from raw files to eight weeks' accuracy."""

from __future__ import annotations

import shutil
import sys
import time
from contextlib import suppress
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import click

from python_jobs import pipeline
from python_jobs.errors import RunStopped
from python_jobs.jobs.load import Kind, load_file
from python_jobs.local import environment, stack
from python_jobs.local.demo_data import DemoSettings, generate
from python_jobs.schedule import Origin, scheduled_origins
from python_jobs.settings import project_dir
from python_jobs.terminal import print_table, progress_bars
from python_jobs.warehouse import MissingRelation

WEEKS = 8
USE_CASE = "sku_weekly"
FILES: tuple[tuple[Kind, str], ...] = (
    ("sales", "sales.csv"),
    ("promotions", "promotions.csv"),
    ("weather", "weather_daily.csv"),
)

BY_WEEK = """
select target_date, model_name, n_scored, wape, smape, mae, rmse, bias
from {accuracy_by_week}
where use_case = 'sku_weekly' and run_kind = 'issued' and basis = 'comparable' and n_scored > 0
    and model_name in ('prophet', 'seasonal_naive', 'naive', 'mean_8')
order by target_date, model_name = 'prophet' desc, model_name
"""

ALL_WEEKS = """
select model_name, n_scored, wape, smape, mae, rmse, bias
from {accuracy_by_use_case}
where use_case = 'sku_weekly' and run_kind = 'issued' and basis = 'comparable'
order by wape
"""

OUTCOMES = """
with outcomes as (
    select
        series_id,
        origin_date,
        max(outcome) as outcome,
        max(split(coalesce(reason, ''), ':')[offset(0)]) as reason
    from {run_forecasts}
    where use_case = 'sku_weekly'
    group by series_id, origin_date
)
select
    outcome,
    reason,
    count(distinct series_id) as n_series,
    count(*) as n_series_weeks,
    min(series_id) as first_series
from outcomes
group by outcome, reason
order by n_series_weeks desc
"""

NEXT = """
What to type next:
  shelfcast sql "select * from {distributor_forecasts_weekly} where sku_id = 'A17' order by 4, 6"
  shelfcast sql "select * from {forecast_exceptions} order by origin_date desc"
  shelfcast sql "select rejected_because, count(*) as n from {rejected_sales} group by 1"
  shelfcast models list --series 'Kazan|retail|*'
  shelfcast models verify
  shelfcast tune              (choose the recipe of each demand class; then the table recipe_scores)
  shelfcast weekly            (on a day from Monday to Friday: this week's forecasts, issued)
  shelfcast doctor
  shelfcast local stop
Your own table: docs/your-data.md
"""


def play(today: date, *, keep: bool) -> None:
    """Play the demo on a day.

    Args:
        today: the day; the last eight scheduled runs before its end are replayed.
        keep: go on with what is there; otherwise start from nothing.

    Raises:
        RunStopped: the local warehouse holds somebody's own rows.
    """
    started = time.monotonic()
    state = project_dir() / environment.STATE_DIR
    if not keep:
        _clear(state)
    _say("emulators of BigQuery and Cloud Storage")
    environment.use(stack.start(state))
    with progress_bars() as progress:
        place = pipeline.open_workplace(USE_CASE, progress=progress)
        _load(place, state / "demo", today)
        origins = _last_origins(place, today)
        _say(f"shelfcast train --as-of {origins[0].as_of_at:%Y-%m-%dT%H:%M}")
        pipeline.train_models(place, as_of_at=origins[0].as_of_at)
        first, last = origins[0].as_of_at.date(), origins[-1].as_of_at.date()
        _say(f"shelfcast replay --from {first} --to {last} --as-issued")
        pipeline.replay(place, first, last, is_as_issued=True)
    _show(place)
    _tell(f"{time.monotonic() - started:.0f} s in all")
    click.echo(NEXT)


def _say(what: str) -> None:
    _tell(click.style(f"▸ {what}", bold=True) if sys.stderr.isatty() else f"▸ {what}")


def _tell(what: str) -> None:
    """Write a line to stderr, above the progress bars; click would write past them."""
    sys.stderr.write(f"{what}\n")


def _clear(state: Path) -> None:
    """Forget an earlier demo, but nobody's own rows."""
    if not state.is_dir():
        return
    environment.use(stack.start(state))
    _refuse_own_rows(pipeline.open_workplace(USE_CASE))
    stack.stop(state)
    shutil.rmtree(state, ignore_errors=True)


def _refuse_own_rows(place: pipeline.Workplace) -> None:
    demo = f"{project_dir() / environment.STATE_DIR / 'demo'}%"
    for kind, _ in FILES:
        with suppress(MissingRelation):
            own = place.warehouse.read(
                f"select count(*) as n from {{{USE_CASE}_{kind}.rows}} "
                "where coalesce(loaded_from, '') not like @demo",
                demo=demo,
            )
            if own["n"].iloc[0]:
                raise RunStopped(
                    f"{own['n'].iloc[0]} rows of {kind} in the local warehouse are not the demo's. "
                    "Play it on another one (SHELFCAST_DATASET=demo shelfcast demo --keep), or "
                    "remove .local/ yourself."
                )


def _load(place: pipeline.Workplace, folder: Path, today: date) -> None:
    _say("demo data: a distributor's sales, promotion plans and weather")
    data = generate(folder, DemoSettings(today=today), place.project / "seeds" / "holidays.csv")
    pipeline.ensure_tables(place)
    for done, (kind, name) in enumerate(FILES, start=1):
        report = load_file(
            place.warehouse, place.connection, place.use_case, str(folder / name), kind
        )
        place.progress("load", done, len(FILES))
        _tell(f"  shelfcast load {name} --as {kind}: {report.n_rows} rows")
    _tell(f"  {data.facts.n_series} series; what was injected: {data.facts_json}")


def _last_origins(place: pipeline.Workplace, today: date) -> list[Origin]:
    now = min(
        datetime.now(UTC),
        datetime.combine(today, datetime.max.time(), tzinfo=place.use_case.zone),
    )
    past = [
        origin
        for origin in scheduled_origins(place.use_case, today - timedelta(weeks=WEEKS + 1), today)
        if origin.as_of_at <= now
    ]
    return past[-WEEKS:]


def _show(place: pipeline.Workplace) -> None:
    read = place.warehouse.read
    formats = {"wape": ".1%", "smape": ".1%", "bias": "+.1%", "mae": ".1f", "rmse": ".1f"}
    print_table(
        read(BY_WEEK),
        "Accuracy by week, horizons 1 to 4 together, on the rows that every model forecast",
        formats,
    )
    print_table(read(ALL_WEEKS), "The eight Wednesdays together", formats)
    print_table(read(OUTCOMES), "What became of every series, at each of the eight Wednesdays")
