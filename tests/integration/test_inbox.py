"""Plans dropped into a bucket: a file is an upload, loaded once or refused with a reason."""

from __future__ import annotations

import io
import os
from collections.abc import Callable
from datetime import UTC, datetime

import pandas as pd
import pytest
from google.cloud import storage

from python_jobs.data.inbox import read_inbox
from python_jobs.infra.errors import RunStopped
from python_jobs.runs import issue
from python_jobs.runs.intake import receive_plans
from python_jobs.runs.tables import ensure_tables
from tests.support import golden
from tests.support.commands import done, error_of, heard, shelfcast
from tests.support.site import Site

HEADER = "unit,channel,sku_id,start_date,end_date,discount,price,covers_from,covers_to\n"
PLAN = HEADER + "N1,retail,*,2026-01-05,2026-01-07,0.2,,2026-01-05,2026-02-01\n"
CANCELLED = HEADER + ",,,,,,,2026-01-05,2026-02-01\n"
UPLOAD_LOG = {
    "use_case": "STRING",
    "uri": "STRING",
    "generation": "INTEGER",
    "outcome": "STRING",
    "reason": "STRING",
    "n_rows": "INTEGER",
    "logged_at": "TIMESTAMP",
}
ROWS = "select * from {sku_weekly_promotions.rows} order by loaded_at, start_date"


@pytest.fixture(scope="module")
def opened(make_site: Callable[[], Site]) -> Site:
    site = make_site().in_bucket()
    golden.sku_settings(site)
    site.use_cases["sku_weekly"]["sources"]["promotions"]["inbox"] = f"{bucket_uri(site)}/plans/"
    ensure_tables(site.context())
    return site


@pytest.fixture
def site(opened: Site) -> Site:
    """The site with an empty inbox, and no plan loaded."""
    for blob in list(inbox(opened).list_blobs()):
        blob.delete()
    warehouse = opened.warehouse
    for name in ("sku_weekly_promotions.rows", "upload_log"):
        warehouse.client.delete_table(warehouse.table(name), not_found_ok=True)
    warehouse.create_table(warehouse.table("upload_log"), UPLOAD_LOG)
    return opened


def bucket_uri(site: Site) -> str:
    return site.models_uri.removesuffix("/store")


def inbox(site: Site) -> storage.Bucket:
    os.environ["STORAGE_EMULATOR_HOST"] = site.endpoints.storage
    client = storage.Client(project="shelfcast-local")
    return client.bucket(bucket_uri(site).removeprefix("gs://"))


def drop(site: Site, name: str, content: str | bytes) -> None:
    inbox(site).blob(f"plans/{name}").upload_from_string(content)


def read(site: Site):
    context = site.context()
    return read_inbox(context.warehouse, context.connection, context.use_case)


def test_each_file_is_one_upload_and_is_loaded_once(site: Site) -> None:
    parquet = io.BytesIO()
    pd.read_csv(io.StringIO(PLAN)).assign(unit="N2").to_parquet(parquet)
    drop(site, "w2/plan.csv", PLAN)
    drop(site, "n2.parquet", parquet.getvalue())
    first, again = read(site), read(site)
    assert [first.loaded[uri].n_rows for uri in first.loaded] == [1, 1]
    assert (again.loaded, again.refused, again.n_known) == ({}, {}, 2)
    assert site.read(ROWS)["unit"].tolist() == ["N1", "N2"]
    assert site.read(ROWS)["loaded_from"].tolist() == list(first.loaded)


def test_a_file_that_is_replaced_is_an_upload_of_its_own_even_with_earlier_content(site: Site):
    for content in (PLAN, CANCELLED, PLAN):
        drop(site, "plan.csv", content)
        assert len(read(site).loaded) == 1
    rows = site.read(ROWS)
    assert rows["unit"].fillna("").tolist() == ["N1", "", "N1"]
    assert rows["loaded_at"].is_unique


def test_a_file_that_cannot_be_loaded_is_refused_with_a_reason_and_the_others_go_on(
    site: Site, caplog: pytest.LogCaptureFixture
) -> None:
    drop(site, "notes.docx", b"\x00\x01")
    drop(site, "other.csv", "shop,week\nN1,2026-01-05\n")
    drop(site, "plan.csv", PLAN)
    with heard(caplog):
        report = read(site)
    reasons = {uri.rsplit("/", 1)[1]: reason for uri, reason in report.refused.items()}
    assert set(reasons) == {"notes.docx", "other.csv"}
    assert "neither CSV nor Parquet" in reasons["notes.docx"]
    assert "7 of the columns" in reasons["other.csv"]
    assert [uri.rsplit("/", 1)[1] for uri in report.loaded] == ["plan.csv"]
    assert len({line for line in caplog.messages if "The run goes on without it" in line}) == 2
    log = site.read("select uri, outcome, reason from {upload_log} order by uri")
    assert log["outcome"].tolist() == ["refused", "refused", "loaded"]
    assert log["reason"].notna().tolist() == [True, True, False]


def test_a_file_in_another_encoding_costs_itself_and_the_run_goes_on(
    site: Site, caplog: pytest.LogCaptureFixture
) -> None:
    drop(site, "excel.csv", HEADER.replace("unit", "магазин").encode("cp1251") + b"N1,,,,,,,,\n")
    drop(site, "plan.csv", PLAN)
    with heard(caplog):
        receive_plans(site.context())
    log = site.read("select uri, outcome, reason from {upload_log} order by uri")
    assert log["outcome"].tolist() == ["refused", "loaded"]
    assert "excel.csv is not UTF-8 (byte 0 of the header)" in log["reason"].iloc[0]
    assert "excel.csv is not UTF-8" in caplog.text
    assert site.read(ROWS)["unit"].tolist() == ["N1"]


def test_a_week_s_run_reads_the_inbox_before_it_says_as_of_when_it_is(site: Site) -> None:
    drop(site, "plan.csv", PLAN)
    saturday = datetime(2026, 11, 21, 12, tzinfo=UTC)
    with pytest.raises(RunStopped, match="may be issued before 2026-11-21"):
        issue.issue(site.context(), now=saturday)
    assert len(site.read(ROWS)) == 1


def test_an_inbox_that_cannot_be_read_is_told_and_the_run_goes_on(
    site: Site, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = site.use_cases["sku_weekly"]["sources"]["promotions"]
    monkeypatch.setitem(plan, "inbox", "gs://no-such-bucket/plans")
    with heard(caplog):
        receive_plans(site.context())
    assert [line for line in caplog.messages if "The run goes on with the plans" in line]
    assert "promotions: inbox:" in caplog.text


def test_the_command_says_what_was_loaded_and_fails_where_a_file_was_refused(site: Site) -> None:
    drop(site, "plan.csv", PLAN)
    assert "1 new uploads (1 rows), 0 refused" in done(site, "load-inbox").stderr
    drop(site, "bad.csv", "unit\nN1\n")
    again = shelfcast(site, "load-inbox")
    assert again.exit_code == 1
    assert "1 refused, 1 loaded before" in again.stderr


def test_without_an_inbox_the_command_says_where_to_name_one(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delitem(site.use_cases["sku_weekly"]["sources"]["promotions"], "inbox")
    result = shelfcast(site, "load-inbox")
    assert result.exit_code == 2
    assert "has no inbox" in error_of(result)
