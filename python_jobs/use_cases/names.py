"""Which names a use case and the columns of its key may have."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import Path

from python_jobs.infra.errors import SettingsError

LONGEST = 40
_YAML = "all n no none null off on true false y yes"
YAML_WORDS = frozenset(_YAML.split())
"""YAML reads most of these as something other than a name; `all` is what no name means."""

_SQL = """
    all and any array as asc assert_rows_modified at between by case cast collate contains create
    cross cube current default define desc distinct else end enum escape except exclude exists
    extract false fetch following for from full group grouping groups hash having if ignore in
    inner intersect interval into is join lateral left like limit lookup merge natural new no not
    null nulls of on or order outer over partition preceding proto qualify range recursive respect
    right rollup rows select set some struct tablesample then to treat true unbounded union unnest
    using when where window with within
"""
SQL_WORDS = frozenset(_SQL.split())
"""GoogleSQL's reserved words: macros write the key's columns without quotes."""

_COLUMNS = """
    adi as_of_at baseline baseline_wape baseline_yhat bias calculation_date candidate_reason
    candidate_rules challenger_version challenger_wape champion_version champion_wape
    chance_promotion_rate copy_number coverage covers_from covers_to cv2 date decided_at
    decision demand_class discount ds earlier_end_date end_date fallback_model fallback_reason
    fill_rank first_date forecast_date forecast_lower forecast_upper forecast_value
    forecast_value_added horizon_step interval_factor is_candidate is_censored is_complete
    is_coverage_alone is_covered is_due is_fallback is_forecastable is_gap_filled is_observed
    is_promo is_reference is_retrained is_sold_out is_supposed is_worse_than_baseline
    issued_run_id key_cell kind known_at label_date last_date last_retrained_at left_out_reason
    loaded_at loaded_from location mae mase metric_name missing_regressors model_name
    model_version n_above n_after n_before n_below n_censored n_comparable n_covered
    n_discounted_days n_fallback n_gaps n_named n_not_arrived n_observed n_periods n_priced_days
    n_removed n_rows n_scored n_unscored n_with_interval n_worse naive_scale newest_origin_date
    newest_yhat newest_yhat_lower newest_yhat_upper nominal_coverage observed_ds origin_date
    own_fault period period_date periods_stale plan_cell plan_date price promo_source quantity
    rank rank_by_abs_error rank_by_smape rank_by_wape reason reference_price regressor
    regressor_date regressors_as_known regressors_outside rejected_because retrain_decision
    retrained_date rmse route rules run_id scenario series_id share_forecast smape source_row
    stand_in start_date stops_run sum_abs_error sum_abs_error_after sum_abs_error_before
    sum_abs_error_saved sum_abs_y sum_abs_y_after sum_abs_y_before sum_baseline_abs_error
    sum_comparable_abs_error sum_comparable_abs_y sum_discounted sum_error sum_interval_score
    sum_price sum_reference_abs_error sum_smape_term sum_squared_error sum_width superseded_at
    target_date target_wape tracking_signal unparsed unscored_reason unsourced_regressors
    use_case value wape wape_after wape_before weather_date weather_source when_missing why y
    y_context y_lag1 y_mean y_sd yhat yhat_as_issued yhat_lower yhat_upper
"""
COLUMNS = frozenset(_COLUMNS.split())
"""Columns that stand beside the key's in a relation or while it is made."""

TYPES = ("string", "int64", "date")


def check_name(name: str) -> None:
    """Refuse a name that dbt, BigQuery or YAML would not take.

    Raises:
        SettingsError: it is one.
    """
    if not re.fullmatch(r"[a-z][a-z0-9]*(_[a-z0-9]+)*", name) or len(name) > LONGEST:
        raise SettingsError(
            f"'{name}' cannot name a use case: small letters, digits and single underscores, a "
            f"letter first, at most {LONGEST} (such as store_weekly)."
        )
    if name in YAML_WORDS or name.startswith("stg_"):
        raise SettingsError(f"'{name}' is a reserved name. Choose another, such as {name}_weekly.")


def parse_key(text: str) -> dict[str, str]:
    """Read `store:int64,dept:int64`; `total` alone is a key of no columns.

    Returns:
        Type by part, in order; an empty type where none is given.

    Raises:
        SettingsError: a part has no sound name, is named twice, or has an unknown type.
    """
    if text.strip() == "total":
        return {}
    key: dict[str, str] = {}
    for one in text.split(","):
        part, _, type_ = one.strip().partition(":")
        _check_part(part, type_.strip())
        if part in key:
            raise SettingsError(f"--key names '{part}' twice.")
        key[part] = type_.strip()
    return key


def _check_part(part: str, type_: str) -> None:
    if not re.fullmatch(r"[a-z][a-z0-9_]*", part):
        raise SettingsError(
            f"--key: '{part}' cannot name a column of the key: small letters, digits, underscores. "
            "Another spelling of the source's column goes into --column "
            f"{re.sub(r'[^a-z0-9]+', '_', part.lower()).strip('_') or 'store'}=COLUMN."
        )
    if part in SQL_WORDS or part in COLUMNS or part.startswith("covers_"):
        raise SettingsError(
            f"--key: '{part}' is a reserved name. Choose another and map it: --key {part}_id "
            f"--column {part}_id={part}."
        )
    if type_ and type_ not in TYPES:
        raise SettingsError(f"--key: '{type_}' of {part} is none of {', '.join(TYPES)}.")


def check_free(project: Path, name: str, files: Iterable[str]) -> None:
    """Refuse a use case whose files or models exist already.

    Args:
        project: folder of dbt_project.yml.
        name: of the use case.
        files: that it would have, as paths within the project.

    Raises:
        SettingsError: one exists, or another model has its name.
    """
    paths = list(files)
    there = [path for path in paths if (project / path).exists()]
    if there:
        raise SettingsError(
            f"{len(there)} files of '{name}' exist already (first: {there[0]}). Remove them, or "
            f"add the settings by hand and run `shelfcast use-case check {name} --write`."
        )
    taken = _models(project)
    for path in paths:
        stem = Path(path).stem
        if path.endswith(".sql") and stem in taken:
            raise SettingsError(
                f"a model is called {stem} already ({taken[stem]}). Choose another name."
            )


def _models(project: Path) -> Mapping[str, str]:
    """Path of each model of the project, by name."""
    folder = project / "models"
    return {path.stem: str(path.relative_to(project)) for path in folder.rglob("*.sql")}
