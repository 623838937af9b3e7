"""Four tasks do what one does, and one of them may die at any point and be started again."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pandas as pd
import pytest

from python_jobs.infra.errors import LeaseHeld, RunStopped
from python_jobs.infra.lease import acquire, give_back
from python_jobs.infra.run import Run, Shard, step
from python_jobs.infra.schedule import scheduled_origins
from python_jobs.runs import executors, forecasting, stages, tasks, train
from python_jobs.runs.context import RunContext, RunOptions, open_context
from python_jobs.runs.models import fit_models
from python_jobs.runs.train import train_models
from tests.support import children, golden
from tests.support.begun import begin
from tests.support.site import Site

N_SHARDS = 4
RETRIED = "RETRIED"  # after ONE in the alphabet: of runs of one instant the last is taken
PUBLIC = ("baselines", "finished_runs", "run_forecasts", "forecasts")
TASK = """
import tests.faults.test_shards as shards
shards.task(*sys.argv[1:])
"""


@pytest.fixture(scope="module")
def site(make_site: Callable[[], Site]) -> Site:
    """Prepared for both Wednesdays, with twelve series that are fitted; ONE has run."""
    site = golden.make(make_site().in_bucket())
    site.use_cases["sku_weekly"]["per_series_objects_up_to"] = 11
    likeness = golden.sku_sales().query("sku_id == 'A'")
    for n in range(1, 11):
        units = likeness["units_sold"] * n / 7
        site.write("sales", likeness.assign(sku_id=f"E{n}", units_sold=units))
    context = site.context()
    stages.prepare(context, run_of(context, "predict", "ONE"))
    task("train", "ONE")
    task("predict", "ONE")
    return site


def run_of(context: RunContext, job: str, run_id: str, shard: Shard | None = None) -> Run:
    """The training as of the first Wednesday, or the replay of both."""
    origins = scheduled_origins(context.use_case, golden.FIRST, golden.SECOND)
    options = RunOptions(run_id=f"{job}-{run_id}", shard=shard or Shard())
    if job == "train":
        return context.new_run("train", origins[:1], options)
    return context.new_run("replay", origins, options, is_as_issued=True)


def task(job: str, run_id: str, index: str = "0", count: str = "1") -> None:
    """Do one task of a job, in this process."""
    context = open_context("sku_weekly", n_jobs=1)
    run = run_of(context, job, run_id, Shard(int(index), int(count)))
    (fit_models if job == "train" else forecasting.forecast)(context, run)


def in_child(
    site: Site, job: str, run_id: str, index: int, **kill: str
) -> subprocess.CompletedProcess[str]:
    arguments = (job, run_id, str(index), str(N_SHARDS))
    return children.start(site, *arguments, program=TASK, **kill).wait()


def published(site: Site) -> pd.DataFrame:
    """What planners get of the newest finished run: its id, and the columns of `logged`."""
    site.context().dbt.run("run", "--select", *PUBLIC)
    return site.read(
        """
        select run_id, series_id, model_name, origin_date, target_date, horizon_step, yhat
        from {forecasts}
        where is_champion and not is_fallback
        order by 2, 3, 4, 5
        """
    )


def logged(site: Site, job: str, run_id: str) -> pd.DataFrame:
    """What a job wrote, without what says when and by which run."""
    site.context()
    if job == "train":
        return site.read(
            """
            select log.series_id, log.model_name, log.origin_date, log.sha256, log.n_obs,
                log.status, count(*) over (partition by log.series_id) as n_models,
                countif(events.stage = 'serving') over (partition by log.series_id) as n_events
            from {model_log} as log
            left join {model_events} as events
                on log.run_id = events.run_id and log.series_id = events.series_id
            where log.run_id = @run_id
            order by 1
            """,
            run_id=f"train-{run_id}",
        )
    return site.read(
        """
        select series_id, model_name, origin_date, target_date, horizon_step, yhat, yhat_lower,
            yhat_upper, outcome, reason, regressors_as_known
        from {forecast_log}
        where run_id = @run_id
        order by 1, 2, 3, 4
        """,
        run_id=f"predict-{run_id}",
    )


def assert_as_one_run(site: Site, job: str, run_id: str) -> None:
    """The same keys, checksums and reasons; numbers within 1e-9."""
    one, many = logged(site, job, "ONE"), logged(site, job, run_id)
    assert len(one) > 11
    pd.testing.assert_frame_equal(many, one, rtol=0, atol=1e-9)


def test_a_task_that_is_killed_and_started_again_changes_nothing(site: Site) -> None:
    """A task loads run_log, then its results (models: model_log, model_events), then run_log.

    Each job's tasks but one end well. That one dies before its second load (its models are stored
    by then) or after it; then it is let live.
    """
    context = site.context()
    begin(context, run_of(context, "predict", RETRIED))
    killed = {"train": 1, "predict": 2}
    deaths = {"train": ("BEFORE_LOAD", "AFTER_LOADS"), "predict": ("AFTER_LOADS",)}
    for job, index in killed.items():
        for other in range(N_SHARDS):
            if other != index:
                task(job, RETRIED, str(other), str(N_SHARDS))
        for death in deaths[job]:
            ended = in_child(site, job, RETRIED, index, **{f"TEST_KILL_{death}": "2"})
            assert children.was_killed(ended), ended.stderr
        if job == "predict":
            assert set(published(site)["run_id"]) == {"predict-ONE"}
        task(job, RETRIED, str(index), str(N_SHARDS))
        assert_as_one_run(site, job, RETRIED)
    rows = published(site)
    assert set(rows.pop("run_id")) == {f"predict-{RETRIED}"}
    one = logged(site, "predict", "ONE")
    same = one[one["outcome"] == "forecast"].reset_index(drop=True)[rows.columns]
    pd.testing.assert_frame_equal(rows, same, rtol=0, atol=1e-9)
    stored = {one.name for one in site.context().store.list(f"runs/train-{RETRIED}/")}
    assert len(stored) == len({name.rsplit("/", 1)[1] for name in stored}) > 1
    assert not list(site.context().store.list("models/")), "a task counted its own series only"


def test_four_tasks_write_the_rows_of_one(site: Site) -> None:
    for job in ("train", "predict"):
        for index in range(N_SHARDS):
            task(job, "FOUR", str(index), str(N_SHARDS))
        assert_as_one_run(site, job, "FOUR")
    shards = site.read(
        "select shard, count(distinct series_id) as n from {forecast_log} "
        "where run_id = 'predict-FOUR' group by 1"
    )
    assert len(shards) > 2, "the series of the test fall into one shard"


def test_tasks_of_a_training_prepare_it_once(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first prepares and the others take its origins; a task without a series is content."""
    prepared = []

    def prepare(context: RunContext, run: Run) -> None:
        prepared.append(run.shard.index)
        begin(context, run)
        with step(context.warehouse, run, "before_forecast"):
            pass

    steps = (replace(train.TRAIN.opening, do=prepare), *train.TRAIN.steps[1:])
    monkeypatch.setattr(train, "TRAIN", replace(train.TRAIN, steps=steps))
    monkeypatch.setattr(executors, "require_own_panels", lambda *_: None)  # they stay another's
    context = site.context()
    scope = f"{context.connection.dataset} {context.use_case.name}"
    as_of = scheduled_origins(context.use_case, golden.FIRST, golden.FIRST)[0].as_of_at
    reports = [
        train_models(
            context,
            RunOptions(run_id="TASKS", shard=Shard(index, 64)),
            as_of_at=as_of if index == 0 else None,
        )
        for index in (0, 1, 2, 3)
    ]
    assert prepared == [0]
    with pytest.raises(LeaseHeld):  # sixty tasks are still to come
        acquire(context.store, scope, "OTHER", "train")
    assert min(report.n_series for report in reports) == 0
    origins = site.read("select distinct origin_date from {model_log} where run_id = 'TASKS'")
    assert [f"{day:%Y-%m-%d}" for day in origins["origin_date"]] in ([], [golden.ORIGIN_1])
    monkeypatch.setattr(tasks, "PREPARE_PATIENCE", timedelta(0))
    with pytest.raises(RunStopped, match="task 0 has not prepared the run"):
        alone = RunOptions(run_id="ALONE", shard=Shard(1, 4), take_over=True)
        train_models(context, alone, as_of_at=as_of)


def test_the_last_task_gives_the_lease_back(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(executors, "require_own_panels", lambda *_: None)  # they stay another's
    context = site.context()
    origin = scheduled_origins(context.use_case, golden.FIRST, golden.FIRST)[0]
    prepared = context.new_run("train", [origin], RunOptions(run_id="PAIR"))
    begin(context, prepared)
    with step(context.warehouse, prepared, "before_forecast"):
        pass
    scope = f"{context.connection.dataset} {context.use_case.name}"
    give_back(context.store, scope, "TASKS")
    for index, is_last in ((1, False), (0, True)):
        options = RunOptions(run_id="PAIR", shard=Shard(index, 2))
        train_models(context, options, as_of_at=origin.as_of_at)
        if is_last:
            acquire(context.store, scope, "OTHER", "train").release()
        else:
            with pytest.raises(LeaseHeld):
                acquire(context.store, scope, "OTHER", "train")
