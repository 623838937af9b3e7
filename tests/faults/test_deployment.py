"""A deployment that was set up wrongly: another clock, no project, no bucket, no right to it."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from python_jobs.infra import lease
from python_jobs.infra.errors import LeaseHeld
from python_jobs.infra.store import open_store
from tests.support.commands import error_of, shelfcast
from tests.support.site import ROOT, Site

WHEN = """
import time
from datetime import UTC, date, datetime, timedelta
from python_jobs.infra.schedule import issue_deadline, origin_at, scheduled_origins
from python_jobs.infra.settings import load_settings, project_dir

use_case = load_settings(project_dir(), {}).use_case(None)
for hour in range(0, 24 * 8, 3):
    origin = origin_at(use_case, datetime(2026, 11, 16, 1, tzinfo=UTC) + timedelta(hours=hour))
    deadline = issue_deadline(use_case, origin.origin_date)
    print(origin.origin_date, origin.as_of_at.astimezone(UTC), deadline)
for origin in scheduled_origins(use_case, date(2026, 3, 1), date(2026, 4, 12)):
    print(origin.origin_date, origin.as_of_at.astimezone(UTC))
print("here:", time.tzname[0])
"""


def test_the_container_s_time_zone_plays_no_part() -> None:
    """The use case is in Moscow, wherever the container is."""

    def told(zone: str) -> tuple[str, str]:
        ended = subprocess.run(
            [sys.executable, "-c", WHEN],
            cwd=ROOT,
            env={**os.environ, "TZ": zone, "PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
            check=True,
        )
        what, _, here = ended.stdout.partition("here:")
        return what, here.strip()

    zones = ("UTC", "Asia/Kolkata", "America/Los_Angeles")
    found = [told(zone) for zone in zones]
    assert [here for _, here in found] == ["UTC", "IST", "PST"]
    assert len({what for what, _ in found}) == 1
    assert "2026-11-15 2026-11-17 22:00:00+00:00" in found[0][0]
    assert "2026-03-01 2026-03-04 19:00:00+00:00" in found[0][0], "Wednesday 22:00 in Moscow"


def test_the_target_prod_needs_a_project(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("SHELFCAST_PROJECT", "SHELFCAST_SETTINGS"):
        monkeypatch.delenv(name, raising=False)
    refused = shelfcast(None, "--target", "prod", "run", SHELFCAST_PROJECT=None)
    assert refused.exit_code == 2
    assert "SHELFCAST_PROJECT is not set, and target prod needs it." in error_of(refused)


@pytest.fixture
def site(make_site: Callable[[], Site]) -> Site:
    return make_site()


def test_a_bucket_that_does_not_exist_says_what_to_do(site: Site) -> None:
    site.models_uri = "gs://nobody-made-this/store"
    refused = shelfcast(site, "train")
    assert refused.exit_code == 1
    message = error_of(refused)
    assert (
        "or its bucket. Create the bucket (`gcloud storage buckets create gs://nobody-made-this`"
        in (message)
    )
    assert "SHELFCAST_MODELS_URI" in message


@pytest.fixture
def forbidding() -> Iterator[str]:
    """A storage server that lets nobody in; its address."""

    class Handler(BaseHTTPRequestHandler):
        def refuse(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length") or 0))
            body = b'{"error": {"code": 403, "message": "no storage.objects.get access"}}'
            self.send_response(403)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_GET = do_POST = do_PUT = do_DELETE = refuse  # noqa: N815

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()
    thread.join()


def test_a_bucket_that_is_forbidden_says_which_role_is_missing(site: Site, forbidding: str) -> None:
    site.models_uri = "gs://somebody-elses/store"
    site.endpoints = replace(site.endpoints, storage=forbidding)
    refused = shelfcast(site, "train")
    assert refused.exit_code == 1
    assert "roles/storage.objectUser) on gs://somebody-elses" in error_of(refused)
    assert "(403)" in error_of(refused)


def test_a_long_run_keeps_its_lease(tmp_path: Path) -> None:
    store = open_store(str(tmp_path))
    held = lease.acquire(store, "a", "R1", "issued", hold=timedelta(seconds=0.4))
    with lease.renewed(held):
        time.sleep(1.2)
        with pytest.raises(LeaseHeld, match=f"run R1 .issued. since {held.taken_at[:19]}Z"):
            lease.acquire(store, "a", "R2", "issued")
    time.sleep(0.5)
    assert lease.acquire(store, "a", "R2", "issued").run_id == "R2"


def test_tasks_of_one_run_renew_and_give_back_the_same_lease(tmp_path: Path) -> None:
    store = open_store(str(tmp_path))
    first = lease.acquire(store, "a", "R1", "issued")
    second = lease.acquire(store, "a", "R1", "issued")
    for _ in range(3):
        first.renew()
        second.renew()
    lease.require_not_lost(store, "a", "R1")
    lease.give_back(store, "a", "R2")  # not theirs
    assert lease.holder(store, "a") == "R1"
    lease.give_back(store, "a", "R1")
    assert lease.holder(store, "a") is None
    with pytest.raises(LeaseHeld):
        first.renew()
    lease.acquire(store, "a", "R2", "issued")
    with pytest.raises(LeaseHeld, match="is held by run R2"):
        lease.require_not_lost(store, "a", "R1")


def test_a_lease_that_is_lost_at_work_is_told(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("python_jobs.infra.logs.LOGGER.propagate", True)
    store = open_store(str(tmp_path))
    held = lease.acquire(store, "a", "R1", "issued", hold=timedelta(seconds=0.2))
    with lease.renewed(held):
        lease.acquire(store, "a", "R2", "issued", take_over=True)
        time.sleep(0.3)
    assert "was taken over by run R2" in caplog.text
    held.release()
    assert lease.holder(store, "a") == "R2"
