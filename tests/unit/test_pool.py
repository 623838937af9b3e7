"""The process pool: order, errors, threads and progress."""

import os

import numpy as np
import pandas as pd
import pytest

from python_jobs.families.base import FamilySettings, Fitted, FittedModel
from python_jobs.fitting import pool
from python_jobs.fitting.pool import fit_local, predict_local, run_chunks


class LastValue:
    """A family whose model is the last y; a series that starts with 13 fails."""

    name = "last_value"
    scope = "local"
    settings = FamilySettings("week", 2, 52)

    def fit(self, panel, start=None, tuned=None):
        models, failures = {}, {}
        for series_id, rows in panel.groupby("series_id", sort=False):
            if rows["y"].iloc[0] == 13:
                failures[series_id] = "unlucky"
            else:
                ends = rows["ds"].iloc[0], rows["ds"].iloc[-1]
                models[series_id] = FittedModel(rows["y"].iloc[-1], *ends, len(rows))
        return Fitted(models, failures)

    def predict(self, models, future):
        yhat = [models[version] for version in future["model_version"]]
        return pd.DataFrame({"yhat": yhat}, index=future.index)


def panel(n_series=70, n_rows=3):
    ids = [f"s{i:03}" for i in range(n_series)]
    return pd.DataFrame(
        {
            "series_id": np.repeat(ids, n_rows),
            "ds": np.tile(pd.date_range("2026-01-05", periods=n_rows, freq="7D"), n_series),
            "y": np.arange(n_series * n_rows, dtype=float),
        }
    )


def future(n_series=70):
    rows = panel(n_series, 2).drop(columns=["ds", "y"])
    rows["model_version"] = rows["series_id"]
    return rows.set_axis([f"row {i}" for i in range(len(rows))])


def whereabouts(_):
    return os.getpid(), os.environ.get("OMP_NUM_THREADS")


def square(x):
    return x * x


def refuse(x):
    raise KeyError(f"chunk {x}")


@pytest.mark.parametrize("n_jobs", [1, 2])
def test_results_come_in_the_order_of_the_chunks(n_jobs):
    seen = []
    results = run_chunks(square, list(range(9)), n_jobs, lambda done, n: seen.append((done, n)))
    assert results == [x * x for x in range(9)]
    assert seen == [(i, 9) for i in range(1, 10)]


def test_no_chunks_have_no_results():
    assert run_chunks(square, [], 2) == []


def test_an_error_in_a_worker_reaches_the_caller():
    with pytest.raises(KeyError, match=r"chunk [01]"):
        run_chunks(refuse, [0, 1], 2)


def test_workers_have_one_thread_each(monkeypatch):
    monkeypatch.setattr("joblib._parallel_backends.cpu_count", lambda *_: 16)
    for process, threads in run_chunks(whereabouts, [0, 1, 2], 2):
        assert process != os.getpid()
        assert threads == "1"


@pytest.mark.parametrize("n_jobs", [1, 2])
def test_fitting_in_chunks_is_fitting_at_once(n_jobs):
    rows = panel()
    rows.loc[6, "y"] = 13.0
    whole, seen = LastValue().fit(rows), []
    fitted = fit_local(LastValue(), rows, n_jobs, lambda done, n: seen.append((done, n)))
    assert fitted == whole
    assert list(fitted.models) == list(whole.models)
    assert fitted.failures == {"s002": "unlucky"}
    assert seen[-1] == (70, 70)
    assert seen == sorted(set(seen))
    assert len(seen) > 2


@pytest.mark.parametrize("n_jobs", [1, 2])
@pytest.mark.parametrize("chunk", [1, 7, 1000])
def test_predicting_in_chunks_is_predicting_at_once(n_jobs, chunk, monkeypatch):
    monkeypatch.setattr(pool, "MAX_SERIES_PER_CHUNK", chunk)
    models = {name: fit.model for name, fit in LastValue().fit(panel()).models.items()}
    answer = predict_local(LastValue(), models, future(), n_jobs)
    pd.testing.assert_frame_equal(answer, LastValue().predict(models, future()))


def test_a_worker_gets_the_models_of_its_chunk_only(monkeypatch):
    monkeypatch.setattr(pool, "MAX_SERIES_PER_CHUNK", 10)
    sizes = []

    class Spy(LastValue):
        def predict(self, models, future):
            sizes.append(len(models))
            return super().predict(models, future)

    models = {name: fit.model for name, fit in LastValue().fit(panel()).models.items()}
    predict_local(Spy(), models, future(), n_jobs=1)
    assert sizes == [10] * 7


def test_nothing_to_do_is_no_error():
    assert fit_local(LastValue(), panel().iloc[:0], 2) == Fitted({}, {})
    assert len(predict_local(LastValue(), {}, future().iloc[:0], 2)) == 0


def test_a_series_in_two_pieces_is_an_error_and_not_two_models():
    rows = panel()
    with pytest.raises(ValueError, match=r"panel: not sorted by series_id.*first: s000"):
        fit_local(LastValue(), pd.concat([rows, rows.iloc[:1]]), 2)


def test_a_global_family_is_not_cut():
    class Global(LastValue):
        scope = "global"

    with pytest.raises(ValueError, match="family last_value is global"):
        fit_local(Global(), panel(), 2)
