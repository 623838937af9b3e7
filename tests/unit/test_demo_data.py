"""The demo's files: the same each time, and exactly what facts.json says of them."""

import json
from dataclasses import replace
from datetime import date, timedelta
from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner

from python_jobs.local.demo.holidays import read_holidays
from python_jobs.local.demo.plan_files import DIRTY_KINDS
from python_jobs.local.demo.sales import DIRTY_SALES
from python_jobs.local.demo.world import simulate
from python_jobs.local.demo_data import DemoSettings, generate, main

KEY = ["unit", "channel", "sku_id"]
SMALL = DemoSettings(
    today=date(2026, 11, 18),
    n_units=3,
    n_channels=3,
    n_skus=8,
    weeks=90,
    sold_out_share=0.02,
    correction_share=0.02,
)
FULL = DemoSettings(today=date(2026, 11, 18))
FILES = ("sales.csv", "promotions.csv", "weather_daily.csv", "facts.json")


def read(path):
    return pd.read_csv(path, dtype=str, keep_default_na=False, na_values=[""], encoding="utf-8")


def instant(texts):
    return pd.to_datetime(texts, format="%Y-%m-%d %H:%M:%S%z")


def usable(sales):
    """Rows that a careful reader keeps: whole key, real date, a count; newest version."""
    rows = sales.dropna(subset=KEY).assign(
        ds=lambda t: pd.to_datetime(t["week_start"], format="%Y-%m-%d", errors="coerce"),
        y=lambda t: pd.to_numeric(t["units_sold"], errors="coerce"),
    )
    rows = rows[rows["ds"].notna() & (rows["y"] >= 0)].drop_duplicates()
    return rows.sort_values("loaded_at", kind="stable")


def newest(sales):
    return usable(sales).drop_duplicates([*KEY, "ds"], keep="last")


def cells(facts):
    return {(*fact["series"], fact["week"]) for fact in facts}


def cell_set(rows):
    return set(rows[[*KEY, "week_start"]].itertuples(index=False, name=None))


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    return generate(tmp_path_factory.mktemp("small"), SMALL)


@pytest.fixture(scope="module")
def sales(small):
    return read(small.sales)


@pytest.fixture(scope="module")
def plan(small):
    return read(small.promotions)


@pytest.fixture(scope="module")
def weather(small):
    return read(small.weather).astype({"temperature_c": float})


@pytest.fixture(scope="module")
def full(tmp_path_factory):
    return generate(tmp_path_factory.mktemp("full"), FULL)


@pytest.fixture(scope="module")
def full_panel(full):
    """Units by series and week, newest version of each."""
    return newest(read(full.sales)).pivot(index=KEY, columns="week_start", values="y")


def test_same_settings_write_the_same_bytes(small, tmp_path):
    generate(tmp_path, SMALL)
    for name in FILES:
        assert (tmp_path / name).read_bytes() == (small.sales.parent / name).read_bytes(), name


def test_another_seed_writes_other_sales(small, tmp_path):
    other = generate(tmp_path, replace(SMALL, seed=8))
    assert other.sales.read_bytes() != small.sales.read_bytes()


def test_facts_json_is_the_facts_object(small):
    stored = json.loads(small.facts_json.read_text(encoding="utf-8"))
    assert stored["origin_date"] == small.facts.origin_date == "2026-11-15"
    assert stored["dirty_sales"] == small.facts.dirty_sales
    assert stored["decaying_series"] == list(small.facts.decaying_series)


def test_row_counts_are_those_of_the_files(small, sales, plan, weather):
    counted = {"sales": len(sales), "promotions": len(plan), "weather_daily": len(weather)}
    assert small.facts.n_rows == counted


def test_files_have_their_columns(sales, plan, weather):
    assert [*sales] == [*KEY, "week_start", "units_sold", "price", "is_sold_out", "loaded_at"]
    assert [*plan][:8] == [*KEY, "start_date", "end_date", "kind", "discount", "price"]
    assert [*plan][8:] == ["covers_from", "covers_to", "loaded_at"]
    assert [*weather] == ["location", "date", "kind", "temperature_c", "issued_at"]


def test_names_with_special_characters_survive_the_file(sales):
    text = "\n".join(pd.unique(sales[KEY].dropna().to_numpy().ravel()))
    assert all(mark in text for mark in ("|", "/", "%", "'", " ", "É", "Санкт-Петербург", "N1"))


# sales.csv


def test_each_dirty_row_stands_on_its_line(small, sales):
    lines = small.sales.read_text(encoding="utf-8").splitlines()
    assert len(small.facts.dirty_sales) == sum(n for _, n in DIRTY_SALES)
    for fact in small.facts.dirty_sales:
        row = sales.iloc[fact["line"] - 2]
        assert {k: None if pd.isna(v) else v for k, v in row.items()} == fact["row"]
        assert fact["row"]["loaded_at"] in lines[fact["line"] - 1]


def test_dirty_rows_are_dirty_in_the_way_of_their_kind(small):
    by_kind = {kind: [] for kind, _ in DIRTY_SALES}
    for fact in small.facts.dirty_sales:
        by_kind[fact["kind"]].append(fact["row"])
    assert {kind: len(rows) for kind, rows in by_kind.items()} == dict(DIRTY_SALES)
    assert {k for row in by_kind["null_key_part"] for k in KEY if row[k] is None} == set(KEY)
    assert {row["week_start"] for row in by_kind["unparsable_date"]} == {"2026-13-45", "n/a"}
    assert all(float(row["units_sold"]) < 0 for row in by_kind["negative_quantity"])
    assert all(row["units_sold"].endswith(" pcs") for row in by_kind["non_numeric_quantity"])
    assert all(row["units_sold"] is None for row in by_kind["missing_quantity"])


def test_no_row_is_dirty_beyond_the_listed_ones(small, sales):
    listed = {fact["line"] - 2 for fact in small.facts.dirty_sales}
    rest = sales.drop(index=list(listed))
    assert len(usable(rest)) == len(rest)
    assert not rest.duplicated().any()
    twins = [f["line"] - 2 for f in small.facts.dirty_sales if f["kind"] == "exact_duplicate"]
    assert set(np.flatnonzero(sales.duplicated())) == set(twins)


def test_a_week_has_two_rows_only_where_it_was_corrected(small, sales):
    rows = usable(sales)
    twice = rows[rows.duplicated([*KEY, "week_start"], keep="first")]
    assert cell_set(twice) == cells(small.facts.corrections)
    assert len(twice) == len(small.facts.corrections) > 0


def test_corrections_hold_both_numbers_and_both_instants(small, sales):
    rows = usable(sales).set_index([*KEY, "week_start"]).sort_index()
    for fact in small.facts.corrections:
        first, later = rows.loc[[(*fact["series"], fact["week"])]].to_dict("records")
        assert (first["y"], later["y"]) == (fact["first_units"], fact["units"])
        assert first["y"] != later["y"]
        assert first["loaded_at"] == fact["first_loaded_at"] < later["loaded_at"]
        assert later["loaded_at"] == fact["loaded_at"]
        assert date.fromisoformat(fact["loaded_at"][:10]).weekday() == 4


def test_sales_are_loaded_after_their_week_and_before_now(small, sales):
    rows = usable(sales)
    loaded = instant(rows["loaded_at"])
    week_end = rows["ds"].dt.tz_localize("Europe/Moscow") + pd.Timedelta(days=7)
    assert (loaded > week_end).all()
    assert (loaded <= instant(pd.Series([small.facts.now]))[0]).all()
    local = instant(pd.Series(sorted(set(rows["loaded_at"])))).dt.tz_convert("Europe/Moscow")
    assert set(local.dt.day_name()) == {"Monday", "Friday"}
    assert set(local[local.dt.day_name() == "Monday"].dt.hour) == {6}


def test_weeks_are_mondays_of_the_calendar(small, sales):
    weeks = pd.DatetimeIndex(usable(sales)["ds"].unique()).sort_values()
    expected = pd.date_range(small.facts.first_week, small.facts.last_week, freq="W-MON")
    assert weeks.equals(expected.as_unit(weeks.unit))
    assert len(weeks) == SMALL.weeks
    last_day = date.fromisoformat(small.facts.last_week) + timedelta(days=6)
    assert last_day.isoformat() == small.facts.origin_date


@pytest.mark.parametrize(
    ("today", "origin"),
    [
        (date(2026, 11, 16), "2026-11-15"),
        (date(2026, 11, 17), "2026-11-15"),
        (date(2026, 11, 21), "2026-11-15"),
        (date(2026, 11, 22), "2026-11-15"),
        (date(2026, 11, 23), "2026-11-22"),
    ],
)
def test_nothing_is_known_after_now_on_any_day_of_the_week(today, origin, tmp_path):
    data = generate(tmp_path, replace(SMALL, today=today, weeks=40))
    assert data.facts.origin_date == origin
    limit = instant(pd.Series([f"{today} 09:00:00+00:00"]))[0]
    for path, column in ((data.sales, "loaded_at"), (data.promotions, "loaded_at")):
        assert instant(read(path)[column]).max() <= limit
    weather = read(data.weather)
    assert instant(weather["issued_at"]).max() <= limit
    assert weather.loc[weather["kind"] == "observed", "date"].max() == str(
        today - timedelta(days=1)
    )


def test_gaps_are_the_weeks_missing_inside_a_life(small, sales):
    rows = usable(sales)
    lost = {
        tuple(fact["was"][k] for k in (*KEY, "week_start"))
        for fact in small.facts.dirty_sales
        if fact["kind"] != "exact_duplicate"
    }
    present = cell_set(rows) | lost
    missing = set()
    for series, group in rows.groupby(KEY):
        life = pd.date_range(group["ds"].min(), group["ds"].max(), freq="W-MON")
        missing |= {(*series, day.date().isoformat()) for day in life} - present
    assert missing == cells(small.facts.gaps)
    assert len(missing) > 0


def test_sold_out_weeks_are_listed_and_sell_less(small, sales):
    rows = newest(sales)
    sold_out = rows[rows["is_sold_out"] == "true"]
    assert cell_set(sold_out) <= cells(small.facts.sold_out)
    assert len(sold_out) >= len(small.facts.sold_out) - len(small.facts.dirty_sales)
    usual = rows.groupby(KEY)["y"].transform("mean")[sold_out.index]
    assert (sold_out["y"] / usual).mean() < 0.5
    assert set(sales["is_sold_out"]) == {"true", "false"}


def test_price_is_empty_exactly_where_nothing_was_sold(sales):
    rows = usable(sales)
    assert (rows["price"].isna() == (rows["y"] == 0)).all()
    assert (rows["price"].dropna().astype(float) > 0).all()


def test_lives_end_and_begin_where_the_facts_say(small, sales):
    ds = newest(sales).groupby(KEY)["week_start"].agg(["min", "max"])
    last = date.fromisoformat(small.facts.last_week)
    for fact in small.facts.new_series:
        assert ds.loc[tuple(fact["series"]), "min"] == fact["week"]
    for fact in small.facts.discontinued_series:
        ended = date.fromisoformat(fact["week"])
        newest_row = date.fromisoformat(ds.loc[tuple(fact["series"]), "max"])
        assert ended - timedelta(weeks=4) <= newest_row <= ended <= last - timedelta(weeks=10)
    for fact in small.facts.stale_series:
        expected = last - timedelta(weeks=fact["weeks_missing"])
        assert ds.loc[tuple(fact["series"]), "max"] == expected.isoformat()
    assert sorted(f["weeks_missing"] for f in small.facts.stale_series) == [1, 1, 4, 4]


def test_a_couple_of_new_series_have_fewer_than_eight_weeks(small):
    weeks = [date.fromisoformat(fact["week"]) for fact in small.facts.new_series]
    last = date.fromisoformat(small.facts.last_week)
    ages = sorted((last - week).days // 7 + 1 for week in weeks)
    assert ages[:2] == [6, 7]


def test_one_series_never_sold(small, sales):
    totals = newest(sales).groupby(KEY)["y"].sum()
    assert [*totals[totals == 0].index] == [tuple(small.facts.all_zero_series)]


def test_the_decaying_series_falls_and_stops_responding(full, full_panel):
    y = full_panel.loc[tuple(full.facts.decaying_series)]
    after = y[y.index >= full.facts.decay_week]
    before = y[y.index < full.facts.decay_week].iloc[-10:]
    assert len(after) == 10
    assert after.mean() < 0.6 * before.mean()
    world = simulate(FULL)
    row = [world.catalog.key(i) for i in range(FULL.n_series)].index(full.facts.decaying_series)
    promo = world.demand.promo_share[row, FULL.weeks - 10 : FULL.weeks]
    assert (promo == 1).sum() >= 4
    assert after[promo == 1].mean() < 1.3 * after[promo == 0].mean()


# promotions.csv


def covered_days(plan, known_before, first, last):
    """Promotion days of each series as known at an instant, by the newest covering upload."""
    plan = plan.dropna(subset=KEY)
    plan = plan[plan["start_date"] <= plan["end_date"]]
    plan = plan[instant(plan["loaded_at"]) < known_before]
    days = pd.date_range(first, last).strftime("%Y-%m-%d")
    result = {}
    for day in days:
        covering = plan[(plan["covers_from"] <= day) & (plan["covers_to"] >= day)]
        upload = covering[covering["loaded_at"] == covering["loaded_at"].max()]
        rows = upload[(upload["start_date"] <= day) & (upload["end_date"] >= day)]
        result[day] = set(rows[KEY].itertuples(index=False, name=None))
    return result


def matches(scopes, key):
    return any(all(a in ("*", b) for a, b in zip(scope, key, strict=True)) for scope in scopes)


@pytest.mark.parametrize("weeks_before_end", [1, 4, 7, 10])
def test_what_ran_is_the_last_plan_known_before_the_week(plan, weeks_before_end):
    world = simulate(SMALL)
    week = SMALL.weeks - weeks_before_end
    monday = SMALL.day(7 * week)
    known_before = pd.Timestamp(monday, tz="Europe/Moscow")
    known = covered_days(plan, known_before, monday, monday + timedelta(days=6))
    for i in range(SMALL.n_series):
        n_days = sum(matches(scopes, world.catalog.key(i)) for scopes in known.values())
        assert world.demand.promo_share[i, week] == pytest.approx(n_days / 7)


def test_every_row_of_an_upload_repeats_its_window(small, plan):
    windows = plan[["covers_from", "covers_to", "loaded_at"]].drop_duplicates()
    assert windows.to_dict("records") == small.facts.uploads
    assert len(windows) == SMALL.plan_weeks + 1
    first, second = small.facts.uploads[:2]
    assert first["covers_from"] == small.facts.first_week
    assert date.fromisoformat(second["covers_from"]).weekday() == 0
    ahead = [date.fromisoformat(u["covers_to"]) for u in small.facts.uploads[1:]]
    assert all((b - a).days == 7 for a, b in pairwise(ahead))
    local = instant(windows["loaded_at"]).dt.tz_convert("Europe/Moscow")
    assert set(zip(local.dt.day_name(), local.dt.hour, strict=True)) == {("Tuesday", 10)}


def test_rows_of_an_upload_touch_its_window(plan, small):
    clean = plan.drop(index=[fact["line"] - 2 for fact in small.facts.dirty_promotions])
    assert (clean["end_date"] >= clean["covers_from"]).all()
    assert (clean["start_date"] <= clean["covers_to"]).all()


def test_plan_changes_are_visible_between_uploads(small, plan):
    columns = [*KEY, "start_date", "end_date"]
    uploads = sorted(set(plan["loaded_at"]))
    listed = {
        u: set(g[columns].itertuples(index=False, name=None)) for u, g in plan.groupby("loaded_at")
    }
    kinds = set()
    for fact in small.facts.plan_changes:
        scope = tuple(fact[k] for k in KEY)
        old, kind = (*scope, fact["start_date"], fact["end_date"]), fact["change"]
        before, after = uploads[: uploads.index(fact["loaded_at"])], fact["loaded_at"]
        kinds.add(kind)
        if kind == "added_late":
            assert old in listed[after]
            assert not any(old in listed[upload] for upload in before)
        else:
            assert old not in listed[after]
        if kind == "moved":
            assert (*scope, fact["new_start_date"], fact["new_end_date"]) in listed[after]
        assert min(fact["start_date"], fact["new_start_date"] or "9") > fact["loaded_at"][:10]
    assert kinds == {"moved", "cancelled", "added_late"}


def test_cancelled_and_moved_promotions_were_once_planned(full):
    plan = read(full.promotions)
    rows = set(
        plan[[*KEY, "start_date", "end_date", "loaded_at"]].itertuples(index=False, name=None)
    )
    planned = [fact for fact in full.facts.plan_changes if fact["change"] != "added_late"]
    seen = [
        any(
            (*(f[k] for k in KEY), f["start_date"], f["end_date"], u["loaded_at"]) in rows
            for u in full.facts.uploads
            if u["loaded_at"] < f["loaded_at"]
        )
        for f in planned
    ]
    assert np.mean(seen) > 0.5


def test_dirty_promotions_stand_on_their_lines(small, plan):
    for fact in small.facts.dirty_promotions:
        row = plan.iloc[fact["line"] - 2]
        assert {k: None if pd.isna(v) else v for k, v in row.items()} == fact["row"]
    assert sorted(fact["kind"] for fact in small.facts.dirty_promotions) == sorted(DIRTY_KINDS)


def test_no_promotion_is_dirty_beyond_the_listed_ones(small, plan):
    clean = plan.drop(index=[fact["line"] - 2 for fact in small.facts.dirty_promotions])
    assert (clean["start_date"] <= clean["end_date"]).all()
    assert clean["sku_id"].isin({"*", *small.facts.families}).all()
    assert pd.to_numeric(clean["price"]).dropna().gt(0).all()
    assert pd.to_numeric(clean["discount"]).between(0, 1).all()
    ordered = clean.sort_values("start_date")
    next_start = ordered.groupby(["loaded_at", *KEY, "kind"])["start_date"].shift(-1)
    assert (next_start.fillna("9") > ordered["end_date"]).all()


def test_scopes_use_the_wildcard_in_each_part(full):
    plan = read(full.promotions)
    assert all((plan[part] == "*").any() and (plan[part] != "*").any() for part in KEY)
    starts = pd.to_datetime(plan["start_date"], errors="coerce").dropna()
    assert {0, 3} <= set(starts.dt.weekday)


def test_promotions_lift_sales_and_lower_the_price(full, full_panel):
    world = simulate(FULL)
    share = world.demand.promo_share[:, : FULL.weeks]
    assert 0.08 < (share > 0).mean() < 0.13
    units, price = world.demand.units[:, : FULL.weeks], world.demand.price[:, : FULL.weeks]
    some = ((share == 1).sum(axis=1) > 3) & (units.sum(axis=1) > 0)
    full_week, none = np.where(share == 1, 1.0, np.nan), np.where(share == 0, 1.0, np.nan)
    lift = np.nanmean((units * full_week)[some], axis=1) / np.nanmean((units * none)[some], axis=1)
    assert 1.5 < np.nanmedian(lift) < 2.5
    ratio = price / world.demand.regular_price[:, : FULL.weeks]
    assert np.nanmean(ratio * full_week) < 0.95 < np.nanmean(ratio * none) < 1.01


def test_a_promotion_takes_from_the_same_family():
    world = simulate(FULL)
    n_cells = FULL.n_units * FULL.n_channels
    promo = world.demand.promo_share[:, : FULL.weeks].reshape(n_cells, FULL.n_skus, -1)
    log_mean = np.log(np.maximum(world.demand.expected[:, : FULL.weeks], 1e-9))
    log_mean = log_mean.reshape(n_cells, FULL.n_skus, -1)
    is_regular = (world.kinds.demand == 0).reshape(n_cells, FULL.n_skus)
    family = world.catalog.sku_family
    losses = []
    for sku in range(FULL.n_skus):
        others = (family == family[sku]) & (np.arange(FULL.n_skus) != sku)
        n_others = (promo[:, others] == 1).sum(axis=1)
        rows = (promo[:, sku] == 0) & is_regular[:, [sku]]
        losses += [
            log_mean[:, sku][rows & (n_others > 0)].mean()
            - log_mean[:, sku][rows & (n_others == 0)].mean()
        ]
    assert np.mean(losses) < -0.03


# demand


def demand_class(row):
    """Syntetos-Boylan class of one series from its first sale on."""
    y = row.dropna().to_numpy()
    sizes = y[y > 0]
    if len(sizes) == 0:
        return "none"
    y = y[np.argmax(y > 0) :]
    is_rare = len(y) / len(sizes) > 1.32
    is_variable = (sizes.std() / sizes.mean()) ** 2 >= 0.49
    return (
        ("lumpy" if is_variable else "intermittent")
        if is_rare
        else ("erratic" if is_variable else "smooth")
    )


def test_all_demand_classes_are_there(full_panel):
    share = full_panel.apply(demand_class, axis=1).value_counts(normalize=True)
    assert 0.6 < share["smooth"] < 0.85
    assert 0.05 < share["erratic"] < 0.25
    assert 0.06 < share["intermittent"] < 0.16
    assert 0.03 < share["lumpy"] < 0.09


def test_a_mean_of_eight_weeks_is_neither_perfect_nor_useless(full_panel):
    y = full_panel.to_numpy()
    error = total = 0.0
    for origin in range(y.shape[1] - 8, y.shape[1] - 3):
        window = pd.DataFrame(y[:, origin - 8 : origin])
        mean = window.mean(axis=1).to_numpy()[:, None]
        actual = y[:, origin : origin + 4]
        ok = np.isfinite(actual) & np.isfinite(mean)
        error += np.abs(actual - mean)[ok].sum()
        total += actual[ok].sum()
    assert 0.25 < error / total < 0.45


def test_full_demo_has_its_series_and_shares(full, full_panel):
    facts = full.facts
    n_cells = FULL.n_series * FULL.weeks
    assert facts.n_series == len(full_panel) == 525
    assert len(facts.new_series) == 26
    assert len(facts.discontinued_series) == 16
    assert 0.003 < len(facts.corrections) / n_cells < 0.006
    assert 0.003 < len(facts.sold_out) / n_cells < 0.007
    assert 0.005 < len(facts.gaps) / n_cells < 0.015


def test_heat_sells_cold_drinks_and_cold_sells_soup(full, full_panel):
    weather = read(full.weather).query("kind == 'observed'")
    weather = weather.assign(temperature_c=weather["temperature_c"].astype(float))
    monday = pd.to_datetime(weather["date"]).dt.to_period("W-SUN").dt.start_time
    warmth = weather.groupby(monday)["temperature_c"].mean()
    by_family = full_panel.groupby(
        full_panel.index.get_level_values("sku_id").map(full.facts.families)
    ).sum()
    by_family.columns = pd.to_datetime(by_family.columns)
    seen = by_family.T.corrwith(warmth.reindex(by_family.columns))
    assert seen["ice cream"] > 0.5
    assert seen["cold drinks"] > 0.5
    assert seen["soup"] < -0.3


def test_last_week_says_something_of_this_one():
    world = simulate(FULL)
    regular = world.kinds.demand == 0
    promo = world.demand.promo_share[:, : FULL.weeks] > 0
    log_y = np.where(promo, np.nan, np.log1p(world.demand.units[:, : FULL.weeks]))[regular]
    trend = pd.DataFrame(log_y.T).rolling(25, center=True, min_periods=5).mean()
    rest = pd.DataFrame(log_y.T) - trend
    assert 0.2 < rest.corrwith(rest.shift(1)).mean() < 0.8


# weather_daily.csv


def test_observed_weather_has_every_day_once(small, weather):
    observed = weather[weather["kind"] == "observed"]
    assert not observed.duplicated(["location", "date"]).any()
    first = date.fromisoformat(small.facts.first_week) - timedelta(days=371)
    days = pd.date_range(first, date(2026, 11, 17)).strftime("%Y-%m-%d")
    assert set(observed["location"]) == {"N1", "Санкт-Петербург", "N. Novgorod"}
    assert all(set(group["date"]) == set(days) for _, group in observed.groupby("location"))
    next_day = pd.to_datetime(observed["date"]) + pd.Timedelta(days=1, hours=5)
    assert (instant(observed["issued_at"]).dt.tz_localize(None) == next_day).all()


def test_forecasts_are_issued_on_wednesdays_for_sixteen_days(weather):
    forecast = weather[weather["kind"] == "forecast"]
    issued = instant(forecast["issued_at"])
    assert set(zip(issued.dt.day_name(), issued.dt.hour, strict=True)) == {("Wednesday", 3)}
    assert forecast["issued_at"].nunique() == SMALL.forecast_weeks + 1
    lead = (pd.to_datetime(forecast["date"]) - issued.dt.tz_localize(None).dt.normalize()).dt.days
    assert sorted(set(lead)) == list(range(16))


def test_weather_forecasts_are_worse_further_ahead(full):
    weather = read(full.weather).astype({"temperature_c": float})
    observed = weather[weather["kind"] == "observed"].set_index(["location", "date"])
    forecast = weather[weather["kind"] == "forecast"].join(
        observed["temperature_c"].rename("truth"), on=["location", "date"]
    )
    lead = (
        pd.to_datetime(forecast["date"]) - pd.to_datetime(forecast["issued_at"].str[:10])
    ).dt.days
    error = (forecast["temperature_c"] - forecast["truth"]).abs()
    assert error[lead >= 10].mean() > 2 * error[lead <= 2].mean()


# holidays and settings


def test_holidays_are_the_fixed_ones_of_every_year():
    fixed = [(1, d) for d in range(1, 9)]
    fixed += [(2, 23), (3, 8), (5, 1), (5, 9), (6, 12), (11, 4)]
    expected = {date(year, m, d) for year in range(2019, 2031) for m, d in fixed}
    assert set(read_holidays()) == expected


def test_sweets_sell_before_new_year(full, full_panel):
    sweets = [sku for sku, family in full.facts.families.items() if family == "sweets"]
    total = full_panel[full_panel.index.get_level_values("sku_id").isin(sweets)].sum()
    assert total["2024-12-23"] > 1.2 * total["2024-12-02"]


def test_a_missing_holiday_file_says_what_to_pass(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"holidays\.csv"):
        generate(tmp_path, SMALL, tmp_path / "none.csv")


def test_a_year_without_holidays_is_refused(tmp_path):
    with pytest.raises(ValueError, match="2031"):
        generate(tmp_path, replace(SMALL, today=date(2031, 6, 4)))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"n_skus": 1}, "9 series"),
        ({"weeks": 39}, "weeks is 39"),
        ({"plan_weeks": 0}, "plan_weeks"),
        ({"plan_weeks_ahead": 4}, "plan_weeks_ahead"),
    ],
)
def test_impossible_settings_are_refused(change, message):
    with pytest.raises(ValueError, match=message):
        replace(SMALL, **change)


def test_the_smallest_demo_still_holds_every_kind(tmp_path):
    tiny = DemoSettings(today=date(2026, 11, 18), n_units=1, n_channels=1, n_skus=14, weeks=40)
    facts = generate(tmp_path, tiny).facts
    assert all(facts.demand_kinds.values())
    assert facts.new_series and facts.discontinued_series and facts.stale_series
    assert len(facts.dirty_sales) == sum(n for _, n in DIRTY_SALES)


def test_command_line_writes_the_files(tmp_path):
    arguments = ["--out", str(tmp_path), "--today", "2026-11-18", "--weeks", "40"]
    result = CliRunner().invoke(main, arguments)
    assert result.exit_code == 0, result.output
    assert all((tmp_path / name).is_file() for name in FILES)
    assert "sales.csv" in result.output
