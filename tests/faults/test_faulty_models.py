"""A model that is missing, cut short or of the future costs its series a fallback, not the run."""

from __future__ import annotations

from collections.abc import Callable

import orjson
import pytest

from python_jobs.fitting import train
from python_jobs.infra.errors import RunStopped
from python_jobs.infra.run import Run
from python_jobs.infra.schedule import Origin, scheduled_origins
from python_jobs.infra.store import ModelStore
from python_jobs.registry.verify import verify
from python_jobs.runs import forecasting, issue, stages
from python_jobs.runs.context import RunOptions
from tests.support import children, golden
from tests.support.site import Site


@pytest.fixture(scope="module")
def site(make_site: Callable[[], Site], trained_fortnight: Site) -> Site:
    """Trained as of the first Wednesday; the panels are those of both."""
    site = golden.copy(trained_fortnight, make_site().in_bucket())
    stages.prepare(site.context(), new_run(site))
    return site


def wednesdays(site: Site) -> list[Origin]:
    return scheduled_origins(site.context().use_case, golden.FIRST, golden.SECOND)


def new_run(site: Site) -> Run:
    return site.context().new_run("replay", wednesdays(site), RunOptions())


@pytest.fixture
def store(site: Site) -> ModelStore:
    """The site's store, put back as it was when the test ends."""
    store = site.context().store
    before = {stored.name: store.get(stored.name) for stored in store.list("")}
    yield store
    for stored in list(store.list("")):
        if stored.name not in before:
            store.delete(stored.name)
    store.put_many(before)


def packed(store: ModelStore) -> str:
    return next(stored.name for stored in store.list("runs/"))


def findings(site: Site) -> set[tuple[str, str]]:
    context = site.context()
    found = verify(context.warehouse, context.store, context.use_case).findings
    return {(finding.kind, finding.what) for finding in found}


def outcomes(site: Site) -> dict[str, tuple[str, str]]:
    """Forecast again, and read what became of each series on the second Wednesday."""
    run = new_run(site)
    forecasting.forecast(site.context(), run)
    rows = golden.table(
        site,
        f"""
        select distinct series_id, outcome, coalesce(reason, '')
        from {{forecast_log}}
        where run_id = '{run.run_id}' and origin_date = '{golden.ORIGIN_2}'
        """,
    )
    return {series_id: (outcome, reason) for series_id, outcome, reason in rows}


def test_a_sound_store_has_nothing_to_tell(site: Site) -> None:
    assert findings(site) == set()
    ran = children.shelfcast(site, "models", "verify")
    assert ran.returncode == 0
    assert "2 forecastable series, each with its model" in ran.stderr


def test_a_missing_object_sends_its_series_to_the_baseline(site: Site, store: ModelStore) -> None:
    name = packed(store)
    store.delete(name)
    assert findings(site) == {("unreadable", golden.A), ("unreadable", golden.B)}
    found = outcomes(site)
    assert found[golden.A][0] == found[golden.B][0] == "fallback"
    assert found[golden.A][1].startswith(f"model_unreadable: {store.uri}: {name} does not exist")


def test_one_corrupted_model_costs_one_series(site: Site, store: ModelStore) -> None:
    name = packed(store)
    lines = store.get(name).split(b"\n")
    entry = orjson.loads(lines[0])
    assert entry["series_id"] == golden.A
    lines[0] = orjson.dumps({**entry, "text": entry["text"].replace("11", "99")})
    store.put(name, b"\n".join(lines))
    assert findings(site) == {("unreadable", golden.A)}
    found = outcomes(site)
    assert found[golden.A][0] == "fallback"
    assert "checksum is not the registry's" in found[golden.A][1]
    assert found[golden.B] == ("forecast", "")


def test_an_object_cut_short_is_told_by_line(site: Site, store: ModelStore) -> None:
    name = packed(store)
    store.put(name, store.get(name)[:-5])
    found = outcomes(site)
    assert "line 2 holds no model" in found[golden.B][1]
    assert found[golden.A] == ("forecast", "")


def test_weekly_verifies_first_and_stops_when_too_many_are_missing(
    site: Site, store: ModelStore
) -> None:
    store.delete(packed(store))
    with pytest.raises(RunStopped, match=r"2 of 2 forecastable series have no usable model.*train"):
        issue.issue(site.context(), now=wednesdays(site)[1].as_of_at)


def test_copies_that_people_find_are_compared_with_what_serves(
    site: Site, store: ModelStore
) -> None:
    folder = "models/sku_weekly/N1/retail"
    store.delete(f"{folder}/A.json")
    store.put(f"{folder}/B.json", b'{"level": 6.0}')
    store.put(f"{folder}/GONE.json", b"{}")
    store.put("models/sku_weekly/N 1/x.json", b"{}")
    assert findings(site) == {
        ("missing", golden.A),
        ("wrong_checksum", f"{folder}/B.json"),
        ("orphaned", f"{folder}/GONE.json"),
        ("misnamed", "models/sku_weekly/N 1/x.json"),
    }
    ran = children.shelfcast(site, "models", "verify")
    assert ran.returncode == 1
    assert f"wrong_checksum\t{folder}/B.json" in ran.stdout


def test_a_model_trained_past_the_origin_is_refused(
    site: Site, store: ModelStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Such a model is put in service by hand: its event claims an instant before its training."""
    earlier, later = wednesdays(site)
    event = train._event

    def backdated(*arguments: object) -> dict[str, object]:
        return {**event(*arguments), "as_of_at": earlier.as_of_at}

    monkeypatch.setattr(train, "_event", backdated)
    context = site.context()
    run = context.new_run("train", [later], RunOptions())
    train.train(context.warehouse, store, run, 1, lambda done, total: None)
    again = new_run(site)
    forecasting.forecast(context, again)
    rows = golden.table(
        site,
        f"""
        select distinct series_id, origin_date, reason
        from {{forecast_log}}
        where run_id = '{again.run_id}' and outcome = 'fallback' and series_id != '{golden.C}'
        order by 1
        """,
    )
    refused = "model_trained_past_origin"
    assert rows == [(golden.A, golden.ORIGIN_1, refused), (golden.B, golden.ORIGIN_1, refused)]


def test_a_run_that_lost_its_models_publishes_no_baselines_for_everybody(
    site: Site, store: ModelStore
) -> None:
    store.delete(packed(store))
    run = site.context().new_run("replay", wednesdays(site), RunOptions(), is_as_issued=True)
    with pytest.raises(RunStopped, match="2 of 2 models could not be used, more than max_refused"):
        forecasting.forecast(site.context(), run)
    logged = f"select * from {{forecast_log}} where run_id = '{run.run_id}'"
    assert golden.table(site, logged) == []
