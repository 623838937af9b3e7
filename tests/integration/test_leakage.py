"""Move the future of a Wednesday: nothing that its forecast is made of may move with it.

Two Wednesdays in one run. Between and after them everything changes: sales of later weeks, late
corrections of earlier ones, a plan, weather, a new series, a new model. Of the first Wednesday not
one row moves; for the second, much of this is the past, and every relation moves: the check can
fail. What is checked is read from the warehouse: whatever the stage builds with an origin_date.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any

import pandas as pd
import pytest

from python_jobs.infra.run import Run
from python_jobs.infra.schedule import Origin
from python_jobs.runs.context import RunContext, RunOptions
from python_jobs.runs.stages import prepare
from tests.support import own_features
from tests.support.played import recorded_stages
from tests.support.site import Site, day, instant

FIRST, SECOND = day("2025-07-27"), day("2025-08-03")
AS_OF = {FIRST: instant("2025-07-30 19:00"), SECOND: instant("2025-08-06 19:00")}
INPUTS = {"origins"}
"""They say what the origins are; they do not look back from them."""
SEEN_FROM_TODAY = {"recipe_scores"}
"""For people: it counts the tunes since each tune. No forecast is made of it."""
RESTATED = {"sku_weekly_missing_regressors"}
"""What of the future panel, which is checked, no source told; here every source tells."""

ROLLING = [
    {"statistic": statistic, "window": 4, "lag": lag}
    for statistic in ("mean", "std", "min", "max")
    for lag in (1, 2)
]
FEATURES = {
    "lags": [2, 3],
    "rolling": ROLLING,
    "date_parts": ["week_of_year"],
    "attributes": ["store_size"],
    "columns": ["y_share"],
}
LEARNED = {"y_lag2", "y_lag3", "store_size", "y_share", "fuel_price"} | {
    f"y_roll_{one['statistic']}_4_lag{one['lag']}" for one in ROLLING
}
"""What is given, and every feature but the calendar's, which no future moves."""
DIMENSION = {"columns": {"unit": "store", "store_size": "square_feet"}, "known_at": "measured_at"}
FUEL = {"columns": {"unit": "unit", "date": "day", "fuel_price": "price"}, "known_at": "told_at"}
WRITTEN = """
{# What share of all that is known of the origin's last week a series has. #}
with history as (
    select * from {{ ref('sku_weekly_history') }}
),

shares as (
    select
        series_id,
        origin_date,
        safe_divide(sum(y), sum(sum(y)) over (partition by origin_date)) as y_share
    from history
    group by series_id, origin_date
)

select
    periods.series_id,
    periods.origin_date,
    periods.ds,
    periods.horizon_step,
    shares.y_share
from {{ ref('sku_weekly_panel_features') }} as periods
inner join shares
    on
        periods.series_id = shares.series_id
        and periods.origin_date = shares.origin_date
"""

WEEKS = [date(2025, 4, 7) + timedelta(weeks=n) for n in range(21)]
GAP = ("B", date(2025, 7, 14))


def loaded(first_day: date, days_later: int = 7) -> datetime:
    """At six in the morning, some days later."""
    moment = datetime.combine(first_day + timedelta(days=days_later), time(6))
    return instant(f"{moment:%Y-%m-%d %H:%M}")


def sales(*rows: tuple[str, date, float, float, datetime]) -> pd.DataFrame:
    return pd.DataFrame(
        [("N1", "retail", *row[:4], False, row[4]) for row in rows],
        columns=[
            *("unit", "channel", "sku_id", "week_start", "units_sold", "price"),
            *("is_sold_out", "loaded_at"),
        ],
    )


def plan(known: str, covers: tuple[str, str], *rows: tuple[str, str, str, float]) -> pd.DataFrame:
    columns = ["sku_id", "start_date", "end_date", "discount"]
    told = [(sku, day(start), day(end), discount) for sku, start, end, discount in rows]
    return pd.DataFrame(told, columns=columns).assign(
        unit="N1",
        channel="*",
        price=pd.Series([None] * len(rows), dtype=float),
        covers_from=day(covers[0]),
        covers_to=day(covers[1]),
        loaded_at=instant(known),
    )


def weather(kind: str, first: str, n_days: int, known: str | None, shift: float) -> pd.DataFrame:
    """Temperatures of a location, known at one instant, else each on the morning after."""
    days = [day(first) + timedelta(days=n) for n in range(n_days)]
    return pd.DataFrame(
        {
            "location": "N1",
            "date": days,
            "kind": kind,
            "temperature_c": [float(one.timetuple().tm_yday % 17) + shift for one in days],
            "issued_at": [instant(known) if known else loaded(one, 1) for one in days],
        }
    )


def model(version: str, as_of: str, origin: date) -> tuple[pd.DataFrame, pd.DataFrame]:
    """A model of A that serves from an instant: its row in model_log, and the event."""
    whose = {"run_id": version, "use_case": "sku_weekly", "series_id": "N1|retail|A"}
    made = {**whose, "model_name": "prophet", "model_version": version, "as_of_at": instant(as_of)}
    log = {**made, "status": "trained", "object": version, "origin_date": origin}
    log["train_end"] = day("2025-07-07")
    event = {**made, "stage": "serving", "logged_at": instant(as_of)}
    return pd.DataFrame([log]), pd.DataFrame([event])


def residuals() -> pd.DataFrame:
    """What a backtest forecast of the eight weeks up to the second Wednesday's origin."""
    origins = [SECOND - timedelta(weeks=n) for n in range(1, 9)]
    return pd.DataFrame(
        [
            {
                "run_id": "BACK",
                "run_kind": "backtest",
                "use_case": "sku_weekly",
                "series_id": f"N1|retail|{sku}",
                "model_name": "prophet",
                "origin_date": origin,
                "target_date": origin + timedelta(days=1),
                "horizon_step": 1,
                "yhat": 4.0 + 0.5 * n,
                "half_width": 2.0,
                "transform": "none",
                "outcome": "forecast",
            }
            for sku in ("A", "B")
            for n, origin in enumerate(origins)
        ]
    )


def write_residuals(site: Site) -> None:
    warehouse, rows = site.context().warehouse, residuals()
    whose = {"run_id": "BACK", "run_kind": "backtest", "use_case": "sku_weekly"}
    ended = {**whose, "step": "predict", "shard": 0, "n_shards": 1, "event": "ended"}
    ended |= {"status": "done", "logged_at": instant("2025-07-01 10:00")}
    asked = {"is_as_issued": False, "requested_at": instant("2025-07-01 09:00")}
    origins = rows[["origin_date"]].drop_duplicates().assign(**whose, **asked)
    for name, frame in (
        ("forecast_log", rows),
        ("run_origins", origins),
        ("run_log", pd.DataFrame([ended])),
    ):
        warehouse.append(name, frame, f"{site.dataset}-{name}-BACK")


def recipe(run_id: str, as_of: datetime, origin: date, options: str) -> pd.DataFrame:
    """What a tune of the whole portfolio chose."""
    chosen = {"run_id": run_id, "use_case": "sku_weekly", "model_name": "prophet"}
    chosen |= {"segment": "all", "status": "chosen", "hyperparameters": options}
    return pd.DataFrame([chosen | {"as_of_at": as_of, "origin_date": origin, "trained_at": as_of}])


def write_coefficients(site: Site, run: Run) -> None:
    """What A and B say of one coefficient as of each Wednesday, in the run that asks."""
    whose = {"run_id": run.run_id, "use_case": "sku_weekly"}
    estimates = {"model_name": "prophet", "recipe": "R", "coefficient": "promo_share"}
    rows = [
        {**whose, **estimates, "series_id": f"N1|retail|{sku}", "estimate": level, "shard": 0}
        | {"std_error": 0.1, "origin_date": origin, "as_of_at": as_of, "logged_at": as_of}
        for sku, level in (("A", 1.0), ("B", 2.0))
        for origin, as_of in AS_OF.items()
    ]
    ended = {**whose, "run_kind": run.kind, "step": "coefficients", "shard": 0, "n_shards": 1}
    ended |= {"event": "ended", "status": "done", "logged_at": AS_OF[SECOND]}
    for name, frame in (("coefficient_log", rows), ("run_log", [ended])):
        job_id = f"{site.dataset}-{name}-{run.run_id}"
        site.context().warehouse.append(name, pd.DataFrame(frame), job_id)


def write_models(site: Site, version: str, as_of: str, origin: date) -> None:
    warehouse = site.context().warehouse
    for name, rows in zip(
        ("model_log", "model_events"), model(version, as_of, origin), strict=True
    ):
        warehouse.append(name, rows, f"{site.dataset}-{name}-{version}")


def write_decision(site: Site, run_id: str, as_of: str, decision: str) -> None:
    """What a retraining decided of A."""
    numbers = {"decision": decision, "baseline": {"name": "mean_8", "wape": 0.5}}
    event = {"run_id": run_id, "use_case": "sku_weekly", "series_id": "N1|retail|A"}
    event |= {"model_name": "prophet", "model_version": run_id, "stage": "candidate"}
    event |= {"actor": "retrain", "reason": decision, "numbers": json.dumps(numbers)}
    event |= {"as_of_at": instant(as_of), "logged_at": instant(as_of)}
    job_id = f"{site.dataset}-model_events-{run_id}"
    site.context().warehouse.append("model_events", pd.DataFrame([event]), job_id)


def write_recipe(site: Site, run_id: str, as_of: str, origin: date, options: str) -> None:
    rows = recipe(run_id, instant(as_of), origin, options)
    site.context().warehouse.append("model_log", rows, f"{site.dataset}-model_log-{run_id}")


def history() -> pd.DataFrame:
    rows = [
        (sku, week, 10.0 * (sku == "A") + n % 5 + 1, 2.0 + 0.1 * (n % 3), loaded(week))
        for sku in ("A", "B")
        for n, week in enumerate(WEEKS)
        if (sku, week) != GAP
    ]
    # The week under way on the first Wednesday was loaded before it was over.
    under_way = FIRST + timedelta(days=1)
    return sales(*rows, *((sku, under_way, 2.0, 2.0, loaded(under_way, 1)) for sku in ("A", "B")))


def write_the_world(site: Site) -> None:
    site.write("sales", history())
    promotions = plan(
        "2025-04-01 07:00",
        ("2025-04-07", "2025-08-31"),
        ("A", "2025-06-02", "2025-06-08", 0.2),
        ("*", "2025-07-21", "2025-07-27", 0.1),
        ("*", "2025-08-11", "2025-08-14", 0.3),
    )
    site.write("promotions", promotions)
    for observed in (("2024-05-01", 150), ("2025-04-01", 153)):
        site.write("weather_daily", weather("observed", *observed, known=None, shift=0.0))
    for issued in ("2025-07-29", "2025-08-05"):
        site.write("weather_daily", weather("forecast", issued, 10, f"{issued} 05:00", 1.0))
    write_store_size(site, 120.0, "2025-05-01 08:00")
    write_fuel_prices(site, 1.5, "2025-05-01 08:00", *WEEKS)
    write_models(site, "M1", "2025-07-30 19:00", FIRST)
    write_recipe(site, "T1", "2025-07-30 19:00", FIRST, '{"transform": "log1p"}')
    write_decision(site, "D1", "2025-07-30 19:00", "kept")
    write_residuals(site)


def write_store_size(site: Site, size: float, measured: str) -> None:
    row = {"store": "N1", "square_feet": size, "measured_at": instant(measured)}
    site.write("attributes", pd.DataFrame([row]))


def write_fuel_prices(site: Site, price: float, told: str, *days: date) -> None:
    """One price for some days, known from one instant on."""
    rows = [{"unit": "N1", "day": one, "price": price, "told_at": instant(told)} for one in days]
    site.write("regressors", pd.DataFrame(rows))


def move_the_future(site: Site) -> None:
    """Of the first Wednesday, on both clocks; part of it is the second one's past."""
    raw, warehouse = f"{site.dataset}_raw", site.context().warehouse
    # Days after the origin, in versions that were known by Wednesday and in later ones.
    warehouse.query(
        f"update {raw}.sales set units_sold = units_sold * 3 + 1, price = price * 1.5 "
        "where week_start > @origin",
        origin=FIRST,
    )
    warehouse.query(
        f"update {raw}.weather_daily set temperature_c = temperature_c + 10 "
        "where kind = 'observed' and date > @origin",
        origin=FIRST,
    )
    # Versions that became known after it, of weeks before and after the origin.
    site.write("sales", what_sales_learn_later())
    promotions = plan(
        "2025-08-02 07:00",
        ("2025-04-07", "2025-09-21"),
        ("A", "2025-07-14", "2025-07-20", 0.5),
        ("*", "2025-08-04", "2025-08-20", 0.4),
    )
    site.write("promotions", promotions)
    for kind, first, n_days, known in (
        ("forecast", "2025-07-28", 20, "2025-07-31 05:00"),
        ("observed", "2025-07-20", 1, "2025-08-01 05:00"),
        ("observed", "2024-08-20", 3, "2025-08-01 05:00"),
    ):
        site.write("weather_daily", weather(kind, first, n_days, known, 20.0))
    write_store_size(site, 200.0, "2025-08-04 08:00")
    write_fuel_prices(site, 1.9, "2025-08-01 08:00", *WEEKS)
    write_models(site, "M2", "2025-08-05 19:00", SECOND)
    # A tune that was known after it, of the same origin, and what later fits say together.
    write_recipe(site, "T2", "2025-08-01 19:00", FIRST, '{"growth": "flat"}')
    write_decision(site, "D2", "2025-08-01 19:00", "serve_baseline")
    warehouse.query(
        "update {coefficient_log} set estimate = estimate * 3 where origin_date > @origin",
        origin=FIRST,
    )
    # A forecast of the week that was under way at the first Wednesday.
    warehouse.query(
        "update {forecast_log} set yhat = yhat + 30 where target_date > @origin", origin=FIRST
    )


def what_sales_learn_later() -> pd.DataFrame:
    last_period, week_under_way = FIRST - timedelta(days=6), FIRST + timedelta(days=1)
    return sales(
        *((sku, last_period, 50.0, 1.0, instant("2025-08-01 15:00")) for sku in ("A", "B")),
        (*GAP, 7.0, 2.0, instant("2025-08-05 15:00")),
        ("A", date(2025, 7, 7), 99.0, 9.0, instant("2025-09-01 15:00")),
        # A series that nobody knew of: last week's row came late, this week's in time.
        ("C", last_period, 5.0, 2.0, instant("2025-08-01 15:00")),
        ("C", week_under_way, 6.0, 2.0, instant("2025-07-29 15:00")),
    )


@dataclass
class Moved:
    """Every relation with an origin_date, before and after the future moved."""

    before: dict[str, pd.DataFrame]
    after: dict[str, pd.DataFrame]

    def relations(self, origin: date, *, moved: bool) -> set[str]:
        """The relations of whose rows of an origin some (or none) moved."""
        return {
            name
            for name in self.before.keys() | self.after.keys()
            if is_same(of(origin, self.before[name]), of(origin, self.after[name])) is not moved
        }


def of(origin: date, rows: pd.DataFrame) -> pd.DataFrame:
    return rows[rows["origin_date"] == pd.Timestamp(origin)].reset_index(drop=True)


def is_same(one: pd.DataFrame, other: pd.DataFrame) -> bool:
    """The same rows; a mean's last bits may differ with the order in which it was added up."""
    try:
        pd.testing.assert_frame_equal(one, other, check_exact=False, rtol=1e-9, atol=1e-9)
    except AssertionError:
        return False
    return True


@pytest.fixture(scope="module")
def moved(make_site: Callable[[], Site]) -> Moved:
    site = make_site()
    site.use_cases["sku_weekly"] |= {
        "season": 4,
        "min_observations": 3,
        "min_calibration_residuals": 4,
        "min_pooled_series": 2,
        "features": FEATURES,
        "training_grain": "horizon_step",
        "context_length": 6,
    }
    site.use_cases["sku_weekly"]["sources"]["attributes"] = DIMENSION
    settings = site.use_cases["sku_weekly"]
    settings["sources"]["regressors"] = FUEL
    settings["regressors"]["fuel_price"] = {"future": "given", "when_missing": "carry_last"}
    own_features.add_models(site.copy_project(), "sku_weekly", settings, WRITTEN)
    context = site.context()
    write_the_world(site)
    origins = [Origin(origin, as_of) for origin, as_of in AS_OF.items()]
    run = context.new_run("replay", origins, RunOptions())
    write_coefficients(site, run)
    before = built_by(context, run)
    move_the_future(site)
    return Moved(before, built_by(context, run))


def built_by(context: RunContext, run: Run) -> dict[str, pd.DataFrame]:
    """Build what comes before a forecast; read each relation of it that has an origin_date."""
    with recorded_stages() as stages:
        prepare(context, run)
    models = [name.split(".")[-1] for name in stages["before_forecast"] if name.startswith("model")]
    asked = [
        name
        for name in models
        if name not in SEEN_FROM_TODAY | RESTATED and has_origin(context, name)
    ]
    return {name: rows_of(context, name) for name in asked}


def has_origin(context: RunContext, name: str) -> bool:
    table = context.warehouse.relation(name).replace("`", "")
    return "origin_date" in (context.warehouse.columns(table) or {})


def rows_of(context: RunContext, name: str) -> pd.DataFrame:
    rows: Any = context.warehouse.read(f"select * from {{{name}}}")
    keys = rows.map(str)
    return rows.loc[keys.sort_values(list(keys)).index].reset_index(drop=True)


def test_whatever_looks_back_from_an_origin_is_checked(moved: Moved) -> None:
    panel = {"history", "series", "training_panel", "future_panel", "gate"}
    panel |= {"regressors", "plan", "weather", "baselines"}
    panel |= {"panel_features", "features", "context"}
    known = {f"sku_weekly_{name}" for name in panel} | {"serving_models"} | INPUTS
    known |= {"calibration_residuals", "interval_calibration"}
    known |= {"recipes", "portfolio_priors", "priors_in_force", "series_decisions"}
    assert known <= moved.before.keys() == moved.after.keys()
    for name, rows in moved.before.items():
        assert not of(FIRST, rows).empty, name


def test_the_future_moves_no_row_of_an_origin(moved: Moved) -> None:
    assert moved.relations(FIRST, moved=True) == set()


def test_the_past_moves_every_relation_of_an_origin(moved: Moved) -> None:
    assert moved.relations(SECOND, moved=False) == INPUTS


def test_every_feature_looks_back_and_is_in_both_panels(moved: Moved) -> None:
    """Each moves for the Wednesday whose past this is, so the check would see it move at all."""
    for panel in ("sku_weekly_training_panel", "sku_weekly_future_panel"):
        before, after = of(SECOND, moved.before[panel]), of(SECOND, moved.after[panel])
        still = {name for name in LEARNED if is_same(before[[name]], after[[name]])}
        assert still == set(), panel
        assert before["week_of_year"].notna().all()


def test_a_training_row_is_what_the_forecast_of_its_period_saw(moved: Moved) -> None:
    """The week under way at the first Wednesday, seen from there and from the second one.

    Nothing of what was known at the first one had been corrected by the second, and the dimension
    neither; only the week before was learned since, which no feature of that row may know.
    """
    keys = ["series_id", "horizon_step"]
    names = sorted(LEARNED - {"y_share"})
    future = of(FIRST, moved.before["sku_weekly_future_panel"])
    trained = of(SECOND, moved.before["sku_weekly_training_panel"])
    week = pd.Timestamp(FIRST + timedelta(days=1))
    seen = future[future["target_date"] == week].set_index(keys)[names]
    asked = trained[trained["ds"] == week].set_index(keys)[names].loc[seen.index]
    assert len(seen) == 2
    assert seen.notna().any(axis=None)
    assert is_same(seen, asked)
