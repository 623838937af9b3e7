"""`shelfcast demo`: the true pipeline on made-up data, from raw files to eight weeks' accuracy.

Six Wednesdays are forecast; on the Friday after the sixth the forecasts are judged, what decays is
retrained; then two weeks' sales arrive, with late corrections among them, and two more Wednesdays.
"""

from __future__ import annotations

import csv
import shutil
import sys
import time
from contextlib import suppress
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import click

from python_jobs.cli.terminal import print_table, progress_bars
from python_jobs.data.load import Kind, load_file
from python_jobs.infra.errors import RunStopped
from python_jobs.infra.run import Selection
from python_jobs.infra.schedule import Origin, scheduled_origins
from python_jobs.infra.series import split_key
from python_jobs.infra.settings import project_dir
from python_jobs.infra.warehouse import MissingRelation
from python_jobs.local import environment, stack
from python_jobs.local.demo_data import DemoData, DemoSettings, generate
from python_jobs.local.demo_tables import SCORED, corrected_rows, show_candidates, show_results
from python_jobs.report.marts import read_marts
from python_jobs.report.page import make_page
from python_jobs.runs import replay
from python_jobs.runs.context import RunContext, open_context
from python_jobs.runs.monitor import monitor
from python_jobs.runs.retrain import retrain
from python_jobs.runs.tables import ensure_tables
from python_jobs.runs.train import train_models
from python_jobs.runs.what_if import what_if

WEEKS = 8
WEEKS_BEFORE_REVIEW = 6
AFTER_A_RUN = timedelta(days=2)
"""From a run to the day on which its predecessors are judged: Wednesday to Friday."""

LATER_SALES = "sales-two-weeks-later.csv"
USE_CASE = "sku_weekly"
FILES: tuple[tuple[Kind, str], ...] = (
    ("promotions", "promotions.csv"),
    ("weather", "weather_daily.csv"),
)


BEST_SELLER = """
with newest as (
    select
        *,
        safe_cast(json_value(regressors_as_known, '$.promo_share') as float64) as promo_share,
        safe_cast(
            json_value(regressors_as_known, '$.reference_price') as float64
        ) as reference_price
    from {forecasts}
    where use_case = 'sku_weekly' and is_champion
        and origin_date = (select max(forecasts.origin_date) from {forecasts} as forecasts)
)

select
    series_id, min(if(horizon_step = 2, target_date, null)) as week_2,
    min(if(horizon_step = 3, target_date, null)) as week_3,
    any_value(reference_price) as reference_price
from newest
group by series_id
having sum(promo_share) = 0 and logical_and(not is_fallback)
order by sum(yhat) desc, series_id
limit 1
"""
"""The series with the highest forecast of those for which no promotion is planned."""

SCENARIO = "a_fifth_off"

NEXT = """
What to type next:
  shelfcast sql "select * from {distributor_forecasts_weekly} where sku_id = 'A17' order by 4, 6"
  shelfcast sql "select * from {forecast_exceptions} order by origin_date desc"
  shelfcast sql "select rejected_because, count(*) as n from {rejected_sales} group by 1"
  shelfcast sql "select rejected_because, source_row from {rejected_promotions}"
  shelfcast check-future      (which future weeks lack a promotion plan or the weather)
  shelfcast sql "select * from {scenario_forecasts} order by series_id, target_date"
  shelfcast models list --series 'Kazan|retail|*'
  shelfcast models verify
  shelfcast sql "select * from {accuracy_alerts} where is_breach"
  shelfcast sql "select * from {retraining_log} order by champion_wape desc"
  shelfcast report --out report.html
  shelfcast tune              (choose the recipe of each demand class; then the table recipe_scores)
  shelfcast run               (on a day from Monday to Friday: this week's forecasts, issued)
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
        context = open_context(USE_CASE, progress=progress)
        origins = _last_origins(context, today)
        review = origins[WEEKS_BEFORE_REVIEW - 1].as_of_at + AFTER_A_RUN
        data = _load(context, state / "demo", today, review)
        _say(f"shelfcast train --as-of {origins[0].as_of_at:%Y-%m-%dT%H:%M}")
        train_models(context, as_of_at=origins[0].as_of_at)
        _replay(context, origins[:WEEKS_BEFORE_REVIEW])
        _judge(context, review)
        decaying = _series_id(data)
        show_candidates(context, decaying)
        _say(f"shelfcast retrain --candidates --as-of {review:%Y-%m-%dT%H:%M}")
        retrain(context, candidates=True, as_of_at=review)
        before = context.warehouse.read(SCORED)
        _load_sales(context, state / "demo" / LATER_SALES)
        _replay(context, origins[WEEKS_BEFORE_REVIEW:])
        _judge(context, min(datetime.now(UTC), origins[-1].as_of_at + AFTER_A_RUN))
        show_results(context, decaying, corrected_rows(before, context.warehouse.read(SCORED)))
        _ask_what_if(context, state / "demo")
        _write_report(context, state / "demo" / "report.html")
    _write_line(f"{time.monotonic() - started:.0f} s in all")
    click.echo(NEXT)


def _say(what: str) -> None:
    _write_line(click.style(f"▸ {what}", bold=True) if sys.stderr.isatty() else f"▸ {what}")


def _write_line(what: str) -> None:
    """Write a line to stderr, above the progress bars; click would write past them."""
    sys.stderr.write(f"{what}\n")


def _clear(state: Path) -> None:
    """Forget an earlier demo, but nobody's own rows."""
    if not state.is_dir():
        return
    environment.use(stack.start(state))
    _refuse_own_rows(open_context(USE_CASE))
    stack.stop(state)
    shutil.rmtree(state, ignore_errors=True)


def _refuse_own_rows(context: RunContext) -> None:
    demo = f"{project_dir() / environment.STATE_DIR / 'demo'}%"
    for kind, _ in FILES:
        with suppress(MissingRelation):
            own = context.warehouse.read(
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


def _load(context: RunContext, folder: Path, today: date, known_by: datetime) -> DemoData:
    """Make the files; load the plan, the weather and the sales that were known by then."""
    _say("demo data: a distributor's sales, promotion plans and weather")
    data = generate(folder, DemoSettings(today=today), context.project / "seeds" / "holidays.csv")
    early = _split_sales(folder, known_by)
    ensure_tables(context)
    for done, (kind, name) in enumerate(FILES, start=1):
        report = load_file(
            context.warehouse, context.connection, context.use_case, str(folder / name), kind
        )
        context.progress("load", done, len(FILES))
        _write_line(f"  shelfcast load {name} --as {kind}: {report.n_rows} rows")
    _load_sales(context, early)
    _write_line(f"  {data.facts.n_series} series; what was injected: {data.facts_json}")
    return data


def _load_sales(context: RunContext, path: Path) -> None:
    report = load_file(context.warehouse, context.connection, context.use_case, str(path), "sales")
    _write_line(f"  shelfcast load {path.name} --as sales: {report.n_rows} rows")


def _split_sales(folder: Path, known_by: datetime) -> Path:
    """Part sales.csv into what was loaded by an instant and what came later.

    Returns:
        The earlier part; the later one lies beside it.
    """
    early, late = folder / "sales-until-then.csv", folder / LATER_SALES
    limit = f"{known_by.astimezone(UTC):%Y-%m-%d %H:%M:%S+00:00}"
    with (
        (folder / "sales.csv").open(encoding="utf-8", newline="") as whole,
        early.open("w", encoding="utf-8", newline="") as first,
        late.open("w", encoding="utf-8", newline="") as second,
    ):
        rows = csv.reader(whole)
        header = next(rows)
        loaded_at = header.index("loaded_at")
        writers = csv.writer(first), csv.writer(second)
        for writer in writers:
            writer.writerow(header)
        for row in rows:
            is_late = len(row) > loaded_at and row[loaded_at] > limit
            writers[is_late].writerow(row)
    return early


def _replay(context: RunContext, origins: list[Origin]) -> None:
    first, last = origins[0].as_of_at.date(), origins[-1].as_of_at.date()
    _say(f"shelfcast replay --from {first} --to {last} --as-issued")
    replay.replay(context, first, last, is_as_issued=True)


def _judge(context: RunContext, as_of_at: datetime) -> None:
    _say(f"shelfcast monitor --as-of {as_of_at:%Y-%m-%dT%H:%M}")
    report = monitor(context, as_of_at=as_of_at)
    _write_line(f"  {report}")


def _series_id(data: DemoData) -> str:
    """The series whose level halves and whose promotions stop working."""
    parts = [part.replace("\\", "\\\\").replace("|", "\\|") for part in data.facts.decaying_series]
    return "|".join(parts)


def _write_report(context: RunContext, path: Path) -> None:
    step = context.use_case.alerts.horizon_step
    marts = read_marts(context.warehouse, context.use_case, step, Selection())
    path.write_text(make_page(marts, context.use_case, step, datetime.now(UTC)), encoding="utf-8")
    _say(f"shelfcast report: {path}")


def _ask_what_if(context: RunContext, folder: Path) -> None:
    """Ask what a fifth off the price for two weeks would do to a best seller."""
    series = context.warehouse.read(BEST_SELLER).iloc[0]
    path = folder / f"{SCENARIO}.csv"
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        key = list(context.use_case.key)
        writer.writerow(["scenario", *key, "date", "promo_share", "price"])
        for week in (series["week_2"], series["week_3"]):
            price = round(0.8 * float(series["reference_price"]), 2)
            writer.writerow([SCENARIO, *split_key(series["series_id"]), week.date(), 1, price])
    load_file(context.warehouse, context.connection, context.use_case, str(path), "scenarios")
    _say(f"shelfcast load {path.name} --as scenarios; shelfcast what-if --scenario {SCENARIO}")
    found = what_if(context, SCENARIO)
    formats = {"as_issued": ".1f", "supposed": ".1f", "uplift": "+.1f", "uplift_share": "+.0%"}
    print_table(found.by_period, f"{series['series_id']} as issued, and at a fifth off", formats)


def _last_origins(context: RunContext, today: date) -> list[Origin]:
    now = min(
        datetime.now(UTC),
        datetime.combine(today, datetime.max.time(), tzinfo=context.use_case.zone),
    )
    past = [
        origin
        for origin in scheduled_origins(context.use_case, today - timedelta(weeks=WEEKS + 1), today)
        if origin.as_of_at <= now
    ]
    return past[-WEEKS:]
