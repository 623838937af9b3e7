"""One run of a use case at a time: the second is told who is at work."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import orjson
import pytest

from python_jobs.infra import lease
from python_jobs.infra.errors import LeaseHeld
from python_jobs.infra.store import AlreadyThere, ModelStore, open_store
from tests.support import children, golden
from tests.support.site import Site


@pytest.fixture(params=["bucket", "folder"])
def store(
    request: pytest.FixtureRequest, tmp_path: Path, local_stack, bucket
) -> Iterator[ModelStore]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("STORAGE_EMULATOR_HOST", local_stack.storage)
        yield open_store(f"gs://{bucket.name}/x" if request.param == "bucket" else str(tmp_path))


def test_of_eight_runs_at_once_one_gets_the_lease(store: ModelStore) -> None:
    def attempt(number: int) -> str | None:
        try:
            return lease.acquire(store, "sku_weekly", f"R{number}", "weekly").run_id
        except LeaseHeld:
            return None

    with ThreadPoolExecutor(8) as pool:
        got = [run_id for run_id in pool.map(attempt, range(8)) if run_id]
    assert len(got) == 1
    with pytest.raises(LeaseHeld, match=rf"is held by run {got[0]} \(weekly\) since .*--take-over"):
        lease.acquire(store, "sku_weekly", "R9", "weekly")


def test_all_tasks_of_one_run_enter_at_once(store: ModelStore) -> None:
    def enter(_: int) -> str:
        return lease.acquire(store, "sku_weekly", "R1", "weekly").run_id

    with ThreadPoolExecutor(12) as pool:
        assert list(pool.map(enter, range(12))) == ["R1"] * 12


def test_a_create_whose_answer_was_lost_is_ours(store: ModelStore, monkeypatch) -> None:
    put, answers = type(store).put, []

    def lost(self: ModelStore, name: str, data: bytes, **more: int) -> int:
        generation = put(self, name, data, **more)
        answers.append(generation)
        if len(answers) == 1:
            raise AlreadyThere("what a client's second try of the same request is told")
        return generation

    monkeypatch.setattr(type(store), "put", lost)
    assert lease.acquire(store, "sku_weekly", "R1", "weekly").run_id == "R1"
    assert len(answers) == 2


def test_the_holder_may_enter_again_and_others_once_it_is_released(store: ModelStore) -> None:
    first = lease.acquire(store, "sku_weekly", "R1", "weekly")
    again = lease.acquire(store, "sku_weekly", "R1", "weekly")
    assert again.generation != first.generation
    again.release()
    assert lease.acquire(store, "sku_weekly", "R2", "weekly").run_id == "R2"


def test_use_cases_do_not_wait_for_each_other(store: ModelStore) -> None:
    lease.acquire(store, "sku_weekly", "R1", "weekly")
    assert lease.acquire(store, "store_dept_weekly", "R2", "weekly").run_id == "R2"


def test_an_expired_lease_is_free(store: ModelStore) -> None:
    held = lease.acquire(store, "sku_weekly", "R1", "weekly")
    content = orjson.loads(store.get(held.name))
    content["expires_at"] = datetime.now(UTC) - timedelta(seconds=1)
    store.put(held.name, orjson.dumps(content))
    assert lease.acquire(store, "sku_weekly", "R2", "weekly").run_id == "R2"


def test_a_lease_that_was_taken_over_is_not_given_back_by_its_old_holder(store: ModelStore) -> None:
    old = lease.acquire(store, "sku_weekly", "R1", "weekly")
    lease.acquire(store, "sku_weekly", "R2", "weekly", take_over=True)
    old.release()
    with pytest.raises(LeaseHeld, match="R2"):
        lease.acquire(store, "sku_weekly", "R3", "weekly")
    with pytest.raises(LeaseHeld, match="was taken over by run R2"):
        old.renew()


def test_publishing_waits_for_its_turn(store: ModelStore) -> None:
    held = lease.acquire(store, "publish", "R1", "publish")
    with pytest.raises(LeaseHeld):
        lease.acquire_waiting(store, "publish", "R2", "publish", patience=timedelta(0))
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(
            lease.acquire_waiting, store, "publish", "R2", "publish", patience=timedelta(seconds=30)
        )
        time.sleep(0.2)
        held.release()
        assert waiting.result().run_id == "R2"


def test_two_commands_started_at_once_make_one_run(make_site: Callable[[], Site]) -> None:
    site = golden.make(make_site().in_bucket())
    train = ("train", "--as-of", f"{golden.FIRST}T22:00")
    both = [children.start(site, *train, "--run-id", name) for name in ("R1", "R2")]
    ended = [child.wait() for child in both]
    assert sorted(one.returncode for one in ended) == [0, 1]
    assert "is held by run" in next(one.stderr for one in ended if one.returncode == 1)
    runs = site.read("select distinct run_id from {model_log}")
    assert len(runs) == 1
