"""The pure functions of the accuracy benchmark's peers, on small made-up frames.

None of it needs the `bench` extra; the last test needs the data and says so where it is absent.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from utilsforecast import losses

from benchmarks import orange_juice_panel, orange_juice_peers, peers, tsperf
from benchmarks.orange_juice_panel import (
    DATA_DIR,
    DAY,
    REGRESSORS,
    SALES,
    WEEK,
    complete_series,
    known_at,
    plan_after,
)

START = pd.Timestamp("1990-06-14")


def made_up_sales(n_weeks: int = 121, missing: tuple[int, ...] = (), name: str = "1|g|1", first=0):
    """Recorded weeks of one series: y is 100, 101, … by week; `missing` weeks have no row."""
    weeks = [week for week in range(first, n_weeks) if week not in missing]
    return pd.DataFrame(
        {
            "series_id": name,
            "ds": [START + week * WEEK for week in weeks],
            "y": [100.0 + week for week in weeks],
            "log_price": [0.01 * week for week in weeks],
            "deal": 0.0,
            "feat": 0.0,
        }
    )


def last_day_of(week: int) -> pd.Timestamp:
    return START + (week + 1) * WEEK - DAY


def kept(*sales: pd.DataFrame) -> list[str]:
    whole = made_up_sales(name="whole")  # it sets the data's last week
    names = complete_series(pd.concat([whole, *sales]))["series_id"].unique().tolist()
    return [name for name in names if name != "whole"]


class TestCompleteSeries:
    def test_a_series_may_miss_twelve_percent_of_its_weeks(self):
        # 14 of 121 weeks are 11.6 %, 15 are 12.4 %
        enough = made_up_sales(missing=tuple(range(5, 5 + 14)), name="enough")
        too_few = made_up_sales(missing=tuple(range(5, 5 + 15)), name="too few")
        assert kept(enough, too_few) == ["enough"]

    def test_each_of_the_last_16_weeks_was_recorded(self):
        inside = made_up_sales(missing=(121 - 16,), name="inside")
        before = made_up_sales(missing=(121 - 17,), name="before")
        assert kept(inside, before) == ["before"]

    def test_a_series_has_a_hundred_weeks_from_its_first(self):
        long, short = (made_up_sales(first=first, name=str(first)) for first in (21, 22))
        assert kept(long, short) == ["21"]

    def test_a_gap_has_a_row_without_values(self):
        panel = complete_series(made_up_sales(missing=(7,)))
        gap = panel[panel["ds"] == START + 7 * WEEK]
        assert len(panel) == 121
        assert gap[["y", *REGRESSORS]].isna().all(axis=None)

    def test_origins_are_last_days_and_their_horizons_end_with_the_data(self):
        panel = complete_series(made_up_sales())
        assert orange_juice_panel.origins(panel) == [last_day_of(week) for week in (108, 112, 116)]


class TestKnownAt:
    def test_a_gap_is_a_straight_line_on_the_log_scale(self):
        sales = made_up_sales(n_weeks=3)
        sales.loc[[0, 2], "y"] = [9.0, 999.0]  # log1p: ln 10 and ln 1000, halfway ln 100
        panel = orange_juice_panel.weekly(sales.drop(index=1))
        filled = known_at(panel, last_day_of(2))
        assert filled["y"].tolist() == pytest.approx([9, 99, 999])
        assert filled["log_price"].tolist() == pytest.approx([0, 0.01, 0.02])

    def test_a_gap_that_ends_after_the_origin_carries_the_last_value_forward(self):
        panel = orange_juice_panel.weekly(made_up_sales(n_weeks=8, missing=(4, 5)))
        assert known_at(panel, last_day_of(5))["y"].tolist()[-2:] == pytest.approx([103, 103])
        assert known_at(panel, last_day_of(6))["y"].tolist()[-3] > 103

    def test_nothing_after_the_origin_moves_what_was_known(self):
        panel = orange_juice_panel.weekly(made_up_sales(n_weeks=20, missing=(3, 9, 10)))
        later = panel["ds"] > START + 9 * WEEK
        moved = panel.assign(y=panel["y"].where(~later, panel["y"] * 7))
        moved[REGRESSORS] = moved[REGRESSORS].where(~later, -5.0)
        pd.testing.assert_frame_equal(
            known_at(panel, last_day_of(9)), known_at(moved, last_day_of(9))
        )

    def test_a_recorded_value_stays_as_it_is(self):
        panel = orange_juice_panel.weekly(made_up_sales(n_weeks=20))
        pd.testing.assert_frame_equal(known_at(panel, last_day_of(19)), panel)

    def test_series_side_by_side_do_not_fill_each_other(self):
        both = pd.concat([made_up_sales(8, missing=(7,)), made_up_sales(9, name="2|g|1", first=7)])
        filled = known_at(orange_juice_panel.weekly(both), last_day_of(7))
        assert filled.groupby("series_id")["y"].last().tolist() == pytest.approx([106, 107])

    def test_the_plan_has_no_y_and_carries_the_last_price_over_a_gap(self):
        panel = orange_juice_panel.weekly(made_up_sales(n_weeks=9, missing=(5, 7)))
        plan = plan_after(panel, last_day_of(4), horizon=3)
        assert plan.columns.tolist() == ["series_id", "ds", *REGRESSORS]
        assert plan["log_price"].tolist() == pytest.approx([0.04, 0.06, 0.06])


def long_frame(y: list[float | None], **yhat: list[float | None]) -> pd.DataFrame:
    """Forecasts of one series from one origin, a list of yhat for each model."""
    steps = np.arange(1, len(y) + 1)
    frames = [
        pd.DataFrame(
            {
                "series_id": "1|g|1",
                "origin": START - DAY,
                "target": START + (steps - 1) * WEEK,
                "horizon_step": steps,
                "model": model,
                "yhat": pd.Series(values, dtype=float),
                "y": pd.Series(y, dtype=float),
            }
        )
        for model, values in yhat.items()
    ]
    return pd.concat(frames, ignore_index=True)


class TestAccuracy:
    def test_by_hand(self):
        # errors -10, +30, 0, 0; |y| sums to 100
        scores = orange_juice_peers.accuracy(long_frame([40, 10, 50, 0], one=[30, 40, 50, 0])).loc[
            "one"
        ]
        assert scores["n"] == 4
        assert scores["wape"] == pytest.approx(0.4)
        assert scores["smape"] == pytest.approx((20 / 70 + 60 / 50) / 4)
        assert scores["rmse"] == pytest.approx(np.sqrt(1000 / 4))
        assert scores["bias"] == pytest.approx(0.2)

    def test_models_are_compared_on_the_rows_that_all_of_them_have(self):
        rows = long_frame([10, 20, None, 40], a=[11, 20, 30, 44], b=[10, None, 30, 40])
        scores = orange_juice_peers.accuracy(rows)
        assert scores["n"].tolist() == [2, 2]
        assert scores["wape"].tolist() == pytest.approx([0.1, 0.0])

    def test_utilsforecast_gives_the_same(self):
        random = np.random.default_rng(5)
        y, yhat = random.gamma(2, 100, (2, 60))
        ours = orange_juice_peers.accuracy(long_frame(y.tolist(), yhat=yhat.tolist())).loc["yhat"]
        frame = pd.DataFrame({"unique_id": "a", "y": y, "yhat": yhat})
        theirs = {
            each.__name__: float(each(frame, models=["yhat"])["yhat"].iloc[0])
            for each in (losses.nd, losses.smape, losses.rmse, losses.bias)
        }
        assert ours["wape"] == pytest.approx(theirs["nd"], rel=1e-12)
        assert ours["smape"] == pytest.approx(2 * theirs["smape"], rel=1e-12)  # theirs is 0..1
        assert ours["rmse"] == pytest.approx(theirs["rmse"], rel=1e-12)
        assert ours["bias"] * y.mean() == pytest.approx(theirs["bias"], rel=1e-12)  # in units


class TestSimplePeers:
    panel = orange_juice_panel.weekly(made_up_sales(n_weeks=60))
    origin = last_day_of(55)

    def test_each_repeats_what_it_should(self):
        simple = [peer for peer in peers.PEERS if peer.key in ("naive", "seasonal_naive", "mean_8")]
        rows, seconds = orange_juice_peers.forecasts(self.panel, [self.origin], simple)
        by_model = rows.groupby("model")["yhat"].apply(list)
        assert rows.columns.tolist() == orange_juice_peers.COLUMNS
        assert rows["horizon_step"].tolist() == [1, 2, 3, 4] * 3
        assert by_model["naive"] == [155] * 4
        assert by_model["seasonal_naive"] == [104, 105, 106, 107]  # weeks 4 to 7
        assert by_model["mean_8"] == [151.5] * 4  # 148 to 155
        assert set(seconds) == {"naive", "seasonal_naive", "mean_8"}
        assert rows["y"].tolist() == [156, 157, 158, 159] * 3

    def test_a_series_younger_than_a_year_has_no_seasonal_naive(self):
        plan = plan_after(self.panel, last_day_of(30), 4)
        yhat = peers.seasonal_naive(known_at(self.panel, last_day_of(30)), plan)["yhat"]
        assert yhat.isna().all()

    def test_log1p_is_undone(self):
        history, plan = known_at(self.panel, self.origin), plan_after(self.panel, self.origin, 4)
        yhat = peers.on_log1p(peers.mean_of_weeks)(history, plan)["yhat"]
        geometric = np.exp(np.log1p(np.arange(148, 156)).mean()) - 1
        assert yhat.tolist() == pytest.approx([geometric] * 4)

    def test_prophet_in_one_call_is_prophet_week_by_week(self):
        history, plan = prophet_case()
        rows = history.assign(y_lag1=history["y"].shift()).iloc[1:]
        model = peers.fit_stock_prophet(rows)
        lag, steps = float(history["y"].iloc[-1]), []
        for step in range(len(plan)):
            week = plan.iloc[[step]].assign(y_lag1=lag)
            lag = max(float(model.predict(week)["yhat"].iloc[0]), 0.0)
            steps.append(lag)
        at_once = peers.predict_with_lag(model, plan, float(history["y"].iloc[-1]))
        assert at_once == pytest.approx(np.array(steps), rel=1e-9)
        assert abs(at_once[1] - at_once[0]) > 1e-6


def prophet_case() -> tuple[pd.DataFrame, pd.DataFrame]:
    """One series whose weeks depend on the one before, on price and on promotions."""
    random = np.random.default_rng(3)
    sales = made_up_sales(n_weeks=124)
    sales["log_price"] = random.normal(1, 0.2, 124)
    sales["deal"] = random.integers(0, 2, 124).astype(float)
    sales["feat"] = random.uniform(0, 1, 124)
    level = 8.0
    for row in range(len(sales)):
        level = 4 + 0.5 * level - sales["log_price"][row] + sales["deal"][row]
        sales.loc[row, "y"] = level + random.normal(0, 0.1)
    panel = orange_juice_panel.weekly(sales)
    return known_at(panel, last_day_of(119)), plan_after(panel, last_day_of(119), 4)


class TestCache:
    panel = orange_juice_panel.weekly(made_up_sales(n_weeks=60))

    def counted(self, calls: list[int]) -> peers.Peer:
        def forecast(history: pd.DataFrame, plan: pd.DataFrame) -> pd.DataFrame:
            calls.append(len(history))
            return peers.naive(history, plan)

        return peers.Peer("counted", "counted", forecast)

    def test_the_second_run_reads_what_the_first_one_made(self, tmp_path):
        calls: list[int] = []
        run = [
            orange_juice_peers.forecasts(
                self.panel, [last_day_of(50)], [self.counted(calls)], cache=tmp_path / "new"
            )
            for _ in range(2)
        ]
        assert calls == [51]
        pd.testing.assert_frame_equal(run[0][0], run[1][0])
        assert run[0][1] == run[1][1]  # the seconds of the run that made it

    def test_other_inputs_are_forecast_anew(self, tmp_path):
        calls: list[int] = []
        one_more = self.panel.assign(y=self.panel["y"] + 1)
        for panel in (self.panel, one_more):
            orange_juice_peers.forecasts(
                panel, [last_day_of(50)], [self.counted(calls)], cache=tmp_path
            )
        assert len(calls) == 2

    def test_a_forecast_that_leaves_weeks_out_is_refused(self):
        short = peers.Peer("short", "short", lambda history, plan: peers.naive(history, plan[1:]))
        with pytest.raises(ValueError, match="short: 1 of 4 planned weeks"):
            orange_juice_peers.forecasts(self.panel, [last_day_of(50)], [short])


def test_a_peer_whose_package_is_missing_is_named_and_left_out():
    absent = peers.Peer("absent", "absent", peers.naive, ("no_such_package",))
    said: list[str] = []
    assert orange_juice_peers.installed([absent, peers.PEERS[0]], said.append) == [peers.PEERS[0]]
    assert said == ["skipped: absent needs no_such_package: pip install -r requirements-bench.lock"]


class TestTsperf:
    def test_twelve_rounds_a_week_apart_from_what_they_know(self):
        rounds = tsperf.tsperf_rounds()
        known = [each.last_known_week for each in rounds]
        assert known == [135, 137, 139, 141, 143, 145, 147, 149, 151, 153, 155, 157]
        assert [each.number for each in rounds] == list(range(1, 13))
        assert rounds[0].target_weeks == (137, 138)
        assert rounds[-1].target_weeks == (159, 160)

    def test_weeks_are_numbered_from_14_september_1989(self):
        days = pd.Series(pd.to_datetime(["1989-09-14", "1990-06-14", "1992-10-01"]))
        assert tsperf.week_number(days).tolist() == [1, 40, 160]
        with pytest.raises(ValueError, match="1990-06-15"):
            tsperf.week_number(pd.Series(pd.to_datetime(["1990-06-15"])))

    def test_an_origin_is_the_last_day_of_the_last_known_week(self):
        # week 135 is 1992-04-09 to 1992-04-15 in TSPerf's week_decoder.csv
        assert tsperf.tsperf_rounds()[0].origin == pd.Timestamp("1992-04-15")

    def test_mape_by_hand(self):
        # |8 - 10| / 8, |30 - 20| / 30 after rounding 30.4 and 19.6; week 139 was not recorded
        forecasts = pd.DataFrame(
            {"series_id": "a", "round": [1, 1, 2], "week": [137, 138, 139], "yhat": [10, 19.6, 7]}
        )
        actuals = pd.DataFrame({"series_id": "a", "week": [137, 138, 140], "y": [8, 30.4, 1]})
        assert tsperf.tsperf_mape(forecasts, actuals) == pytest.approx((2 / 8 + 10 / 30) / 2)

    def test_mape_is_null_where_nothing_was_recorded(self):
        forecasts = pd.DataFrame({"series_id": "a", "round": [1], "week": [137], "yhat": [10.0]})
        actuals = pd.DataFrame({"series_id": "b", "week": [137], "y": [8.0]})
        assert np.isnan(tsperf.tsperf_mape(forecasts, actuals))

    def test_any_forecasts_are_scored_where_a_round_asks_for_them(self):
        # from week 135's last day: weeks 136 to 138, of which 137 and 138 are asked
        origin = tsperf.tsperf_rounds()[0].origin
        rows = pd.DataFrame(
            {
                "series_id": "a",
                "origin": origin,
                "target": [origin + DAY + ahead * WEEK for ahead in range(3)],
                "model": "mine",
                "yhat": [1000.0, 12.0, 9.0],
                "y": 10.0,
            }
        )
        sales = pd.DataFrame({"series_id": "a", "ds": rows["target"], "y": 10.0})
        asked = tsperf.by_round(rows)
        assert asked[["round", "week"]].to_numpy().tolist() == [[1, 137], [1, 138]]
        assert orange_juice_peers.tsperf_scores(asked, sales) == pytest.approx({"mine": 0.15})
        with pytest.raises(ValueError, match="'mine': 1"):
            orange_juice_peers.tsperf_scores(asked.assign(yhat=[12.0, None]), sales)

    def test_gaps_are_filled_forward_then_backward_from_known_weeks_only(self):
        sales = pd.DataFrame({"series_id": "a", "week": [42, 44, 46], "y": [2.0, 4.0, 6.0]})
        grid = np.exp(tsperf.filled(sales, last_known_week=45))["a"]
        assert grid.index.tolist() == [40, 41, 42, 43, 44, 45]
        assert grid.tolist() == pytest.approx([2, 2, 2, 2, 4, 4])


@pytest.mark.skipif(not (DATA_DIR / SALES).is_file(), reason=f"skipped: {DATA_DIR} has no {SALES}")
class TestRealData:
    @pytest.fixture(scope="class")
    def sales(self) -> pd.DataFrame:
        return orange_juice_panel.read_sales(DATA_DIR / SALES)

    def test_550_of_913_series_are_complete(self, sales):
        assert sales["series_id"].nunique() == 913
        assert complete_series(sales)["series_id"].nunique() == 550

    def test_weeks_are_tsperf_s_40_to_160(self, sales):
        assert sorted(tsperf.week_number(sales["ds"]).unique()) == list(range(40, 161))

    def test_tsperf_s_baselines_score_what_was_published(self, sales):
        for name, mape in orange_juice_peers.tsperf_check(sales).items():
            assert mape == pytest.approx(tsperf.PUBLISHED_MAPE[name], abs=0.0001)

    def test_our_naive_on_tsperf_s_rounds_is_tsperf_s(self, sales):
        ours, _ = orange_juice_peers.tsperf_forecasts(sales, [peers.PEERS[0]])
        mape = orange_juice_peers.tsperf_scores(ours, sales)["naive"]
        assert mape == pytest.approx(tsperf.PUBLISHED_MAPE["naive"], abs=0.0001)
