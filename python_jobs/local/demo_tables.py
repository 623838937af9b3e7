"""The tables that the demo prints."""

from __future__ import annotations

import pandas as pd

from python_jobs.cli.terminal import print_table
from python_jobs.runs.context import RunContext

BY_WEEK = """
select target_date, model_name, n_scored, wape, smape, mae, rmse, bias
from {accuracy_by_target_date}
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


CANDIDATES = """
select
    series_id,
    string_agg(rule, ', ' order by rule) as rules,
    max(if(rule = 'wape', value, null)) as wape,
    any_value(n_scored) as n_scored,
    any_value(sum_abs_error) as units_off,
    series_id = @decaying as is_the_injected_one
from {retraining_candidates}
where is_due
group by series_id
order by units_off desc
limit 12
"""


DECISIONS = """
select decision, count(*) as n_series, avg(champion_wape) as champion_wape,
    avg(challenger_wape) as challenger_wape, avg(baseline_wape) as baseline_wape
from {retraining_log}
group by decision
order by n_series desc
"""


DECAYING = """
select
    origin_date,
    any_value(if(is_champion, coalesce(model_version, 'a baseline'), null)) as served_by,
    safe_divide(
        sum(if(is_champion, abs_error, null)), sum(if(is_champion, abs_y, null))
    ) as wape_served,
    safe_divide(
        sum(if(model_name = 'naive', abs_error, null)),
        sum(if(model_name = 'naive', abs_y, null))
    ) as wape_naive,
    countif(is_champion and is_scored) as n_scored
from {forecast_errors}
where series_id = @decaying and run_kind = 'issued' and horizon_step = 1
group by origin_date
order by origin_date
"""


SCORED = """
select series_id, origin_date, target_date, y, scored_at
from {forecast_errors}
where run_kind = 'issued' and is_champion and use_case = 'sku_weekly'
"""


REJECTED = """
select
    rejected_because,
    json_value(source_row, '$.unit') as unit,
    json_value(source_row, '$.channel') as channel,
    json_value(source_row, '$.sku_id') as sku_id,
    json_value(source_row, '$.start_date') as start_date,
    json_value(source_row, '$.end_date') as end_date,
    json_value(source_row, '$.discount') as discount,
    coalesce(json_value(source_row, '$.price'), json_value(source_row, '$.unparsed')) as price
from {rejected_promotions}
order by rejected_because
"""


WEATHER = """
select horizon_step, weather_source, n_scored, wape_as_known, wape_as_it_came, wape_lost
from {weather_value}
where use_case = 'sku_weekly'
order by horizon_step, weather_source
"""


def show_candidates(context: RunContext, decaying: str) -> None:
    """Print the series that are due for retraining."""
    print_table(
        context.warehouse.read(CANDIDATES, decaying=decaying),
        "Due for retraining, the largest errors first (the table retraining_candidates)",
        {"wape": ".0%", "units_off": ".0f"},
    )


def corrected_rows(before: pd.DataFrame, after: pd.DataFrame) -> pd.DataFrame:
    """The weeks of earlier forecasts whose actuals are others now: corrected, or new."""
    keys = ["series_id", "origin_date", "target_date"]
    both = before.merge(after, on=keys, suffixes=("_before", "_now"))
    is_corrected = both["y_before"].notna() & (both["y_before"] != both["y_now"])
    is_new = both["y_before"].isna() & both["y_now"].notna()
    counts = both.assign(corrected=is_corrected, arrived=is_new, rows=1)
    counts["made_again"] = both["scored_at_before"] != both["scored_at_now"]
    summed = counts.groupby("target_date")[["rows", "corrected", "arrived", "made_again"]].sum()
    return summed.reset_index()


def show_results(context: RunContext, decaying: str, corrected: pd.DataFrame) -> None:
    """Print accuracy, outcomes, decisions, refused plan rows, the worth of weather, corrections."""
    read = context.warehouse.read
    formats = {"wape": ".1%", "smape": ".1%", "bias": "+.1%", "mae": ".1f", "rmse": ".1f"}
    print_table(
        read(BY_WEEK),
        "Accuracy by week, horizons 1 to 4 together, on the rows that every model forecast",
        formats,
    )
    print_table(read(ALL_WEEKS), "The eight Wednesdays together", formats)
    print_table(read(OUTCOMES), "What became of every series, at each of the eight Wednesdays")
    wapes = {"champion_wape": ".1%", "challenger_wape": ".1%", "baseline_wape": ".1%"}
    print_table(read(DECISIONS), "What retraining decided (the table retraining_log)", wapes)
    print_table(
        read(DECAYING, decaying=decaying),
        f"{decaying}, which decays: one week ahead, before and after its retraining",
        {"wape_served": ".0%", "wape_naive": ".0%"},
    )
    print_table(read(REJECTED), "Rows of the promotion plan that no forecast uses, none lost")
    print_table(
        read(WEATHER),
        "What not knowing the weather cost (the table weather_value)",
        dict.fromkeys(("wape_as_known", "wape_as_it_came", "wape_lost"), ".1%"),
    )
    print_table(
        corrected,
        "What the later sales changed in the weeks that had been forecast before, rows by week",
    )
