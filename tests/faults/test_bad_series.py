"""One portfolio with each kind of bad series: it gets a row that says why; the others go on."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from datetime import timedelta

import numpy as np
import orjson
import pandas as pd
import pytest

from tests.support import golden
from tests.support.commands import done
from tests.support.site import Site, day

N_WEEKS = 40
WEEKS = [day("2025-05-19") + timedelta(weeks=n) for n in range(N_WEEKS + 3)]
"""The last three are still to come on the Wednesday of the run, golden.SECOND."""
SKUS = [
    *("FINE", "ONE_POINT", "ALL_ZERO", "CONSTANT", "NO_PLAN", "NOT_A_NUMBER", "INFINITE"),
    *("TWICE", "CUT_SHORT", "CHANGED"),
]


def units(sku: str) -> np.ndarray:
    noise = np.random.default_rng(len(sku)).normal(0, 1, N_WEEKS)
    return np.round(20 + 3 * np.sin(np.arange(N_WEEKS)) + noise) * (sku != "ALL_ZERO")


def sales() -> pd.DataFrame:
    rows = [
        ("N1", "retail", sku, week, units_sold, 2.0, False)
        for sku in SKUS
        for week, units_sold in zip(WEEKS, units(sku), strict=False)
        if sku != "ONE_POINT" or week == WEEKS[N_WEEKS - 1]
    ]
    columns = ["unit", "channel", "sku_id", "week_start", "units_sold", "price", "is_sold_out"]
    frame = pd.DataFrame(rows, columns=columns)
    odd = frame["week_start"] == WEEKS[20]
    frame.loc[odd & (frame["sku_id"] == "NOT_A_NUMBER"), "units_sold"] = math.nan
    frame.loc[odd & (frame["sku_id"] == "INFINITE"), "units_sold"] = math.inf
    return pd.concat([frame, frame[odd & (frame["sku_id"] == "TWICE")]], ignore_index=True)


def plan() -> pd.DataFrame:
    """A row for each series and week, a promotion in every sixth; none for NO_PLAN's last week."""
    rows = [
        ("N1", "retail", sku, week, week + timedelta(days=6), float(n % 6 == 0))
        for sku in SKUS
        for n, week in enumerate(WEEKS)
        if (sku, week) != ("NO_PLAN", WEEKS[N_WEEKS + 1])
    ]
    columns = ["unit", "channel", "sku_id", "start_date", "end_date", "promo"]
    frame = pd.DataFrame(rows, columns=columns)
    frame.loc[frame["sku_id"] == "CONSTANT", "promo"] = 1.0
    return frame.assign(
        price=pd.Series([None] * len(frame), dtype=float),
        discount=pd.Series([None] * len(frame), dtype=float),
        covers_from=WEEKS[0],
        covers_to=WEEKS[-1] + timedelta(days=6),
        loaded_at=pd.Timestamp("2025-01-01", tz="UTC"),
    )


def damage(site: Site) -> None:
    """Cut one model short in the store, and change a number in another."""
    store = site.context().store
    (name,) = (stored.name for stored in store.list("runs/"))
    lines = store.get(name).split(b"\n")
    (cut,) = (n for n, line in enumerate(lines) if b"|CUT_SHORT" in line)
    (changed,) = (n for n, line in enumerate(lines) if b"|CHANGED" in line)
    lines[cut] = lines[cut][: len(lines[cut]) // 2]
    entry = orjson.loads(lines[changed])
    number = entry["text"].index('"y_scale":') + len('"y_scale":')
    entry["text"] = entry["text"][:number] + "1" + entry["text"][number:]
    lines[changed] = orjson.dumps(entry)
    store.put(name, b"\n".join(lines))


@pytest.fixture(scope="module")
def ran(make_site: Callable[[], Site]) -> tuple[Site, str]:
    """A portfolio that was trained, of which two models were damaged, and that was forecast."""
    site = make_site()
    golden.sku_settings(site)
    site.use_cases["sku_weekly"] |= {
        "families": ["prophet"],
        "min_observations": 8,
        "max_refused_share": 0.5,
    }
    promotions = site.use_cases["sku_weekly"]["sources"]["promotions"]
    promotions["no_row_means"] = "unknown"
    promotions["columns"]["promo_share"] = "promo"
    site.write("sales", sales())
    site.write("promotions", plan())
    done(site, "train", "--as-of", f"{golden.SECOND}T22:00")
    damage(site)
    day_of = str(golden.SECOND)
    result = done(site, "replay", "--from", day_of, "--to", day_of, "--as-issued")
    return site, result.stdout + result.stderr


def test_each_series_says_what_became_of_it(ran: tuple[Site, str]) -> None:
    rows = golden.table(
        ran[0],
        """
        select distinct split(series_id, '|')[safe_offset(2)] as sku, is_fallback, reason
        from {forecasts} where model_name = 'prophet'
        """,
    )
    told = {sku: reason and reason.split(":")[0] for sku, _, reason in rows}
    assert told == {
        "FINE": None,
        "ONE_POINT": "too_short",
        "ALL_ZERO": "no_demand",
        "CONSTANT": None,
        "NO_PLAN": "missing_regressors",
        "NOT_A_NUMBER": None,
        "INFINITE": None,
        "TWICE": None,
        "CUT_SHORT": "model_unreadable",
        "CHANGED": "model_unreadable",
    }
    assert all(is_fallback == bool(reason) for _, is_fallback, reason in rows)
    details = {sku: reason for sku, _, reason in rows}
    assert "promo_share unknown for 2026-03-02" in details["NO_PLAN"]
    assert "holds no model" in details["CUT_SHORT"]
    assert "checksum is not the registry's" in details["CHANGED"]


def test_each_series_has_a_forecast_for_every_week(ran: tuple[Site, str]) -> None:
    rows = golden.table(
        ran[0],
        """
        select split(series_id, '|')[safe_offset(2)] as sku, count(*) as n, min(yhat) as least,
            countif(yhat is null or is_nan(yhat) or is_inf(yhat)) as n_none
        from {forecasts} where model_name = 'prophet' group by sku
        """,
    )
    assert {sku: (n, n_none) for sku, n, _, n_none in rows} == dict.fromkeys(SKUS, (2, 0))
    assert {sku for sku, _, least, _ in rows if least <= 0} == {"ALL_ZERO"}


def test_rows_that_cannot_be_used_are_kept_with_their_reason(ran: tuple[Site, str]) -> None:
    rows = golden.table(
        ran[0], "select series_id, rejected_because, source_row from {rejected_sales}"
    )
    told = {series_id.split("|")[2]: (reason, json.loads(row)) for series_id, reason, row in rows}
    assert len(rows) == len(told)
    assert {sku: reason for sku, (reason, _) in told.items()} == {
        "NOT_A_NUMBER": "bad_quantity",
        "INFINITE": "bad_quantity",
        "TWICE": "duplicate",
    }
    assert all(row["week_start"] == str(WEEKS[20]) for _, row in told.values())


def test_the_run_goes_on_and_counts(ran: tuple[Site, str]) -> None:
    assert "predict: 10 series-origins in = 5 forecast + 5 fallen back + 0 refused" in ran[1]
    assert "predict: 2 prophet models cannot be used" in ran[1]
    assert "future_panel: 1 of 10 series lack a regressor" in ran[1]
