"""`shelfcast load`: a file's rows arrive whole, with what did not parse beside them."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable

import pandas as pd
import pytest

from tests.support import golden
from tests.support.commands import done, error_of, shelfcast
from tests.support.site import Site

HEADER = "unit,channel,sku_id,week_start,units_sold,price,is_sold_out\n"
ROWS = (
    "N1,retail,007,2026-01-05,3,2.50,false\n"
    "N1,retail,007,2026-01-12,4,,true\n"
    '"N, ""1""",retail,Крем,2026-01-19,5.5,2.5,false\n'
)


@pytest.fixture
def site(make_site: Callable[[], Site]) -> Site:
    site = make_site()
    golden.sku_settings(site)
    return site


def write(site: Site, text: str, name: str = "sales.csv") -> str:
    path = site.folder / name
    path.write_bytes(gzip.compress(text.encode()) if name.endswith(".gz") else text.encode())
    return str(path)


def rows(site: Site, columns: str = "*") -> list[tuple]:
    return golden.table(site, f"select {columns} from {{sku_weekly_sales.rows}} order by 1, 2")


@pytest.mark.parametrize("name", ["sales.csv", "sales.csv.gz", "sales.parquet"])
def test_a_file_of_any_kind_arrives_with_its_types(site: Site, name):
    path = write(site, HEADER + ROWS, "sales.csv")
    if name == "sales.csv.gz":
        path = write(site, HEADER + ROWS, name)
    if name == "sales.parquet":
        pd.read_csv(path, dtype={"sku_id": str}).to_parquet(site.folder / name)
        path = str(site.folder / name)
    done(site, "load", path, "--as", "sales")
    assert rows(site, "unit, week_start, sku_id, units_sold, price, is_sold_out") == [
        ('N, "1"', "2026-01-19", "Крем", 5.5, 2.5, False),
        ("N1", "2026-01-05", "007", 3.0, 2.5, False),
        ("N1", "2026-01-12", "007", 4.0, None, True),
    ]
    types = site.warehouse.columns(f"shelfcast-local.{site.dataset}_raw.sales")
    assert types["week_start"] == "DATE"
    assert types["units_sold"] == "FLOAT"
    assert types["sku_id"] == "STRING"


def test_cells_that_do_not_parse_are_kept_as_text_and_their_rows_rejected(site: Site):
    good = "".join(f"N1,retail,A,2026-01-{day:02},3,2.5,false\n" for day in range(1, 29))
    bad = "N1,retail,A,29/01/2026,many,2.5,false\n"
    result = done(site, "load", write(site, HEADER + good + bad), "--as", "sales")
    assert "29 rows loaded into" in result.stderr
    assert "cells that did not parse, kept as text: 1 of week_start, 1 of units_sold" in (
        result.stderr
    )
    (unparsed,) = golden.table(
        site, "select unparsed from {sku_weekly_sales.rows} where unparsed is not null"
    )
    assert json.loads(unparsed[0]) == {"week_start": "29/01/2026", "units_sold": "many"}
    site.context().dbt.run("build", "--select", "stg_sku_weekly_sales", "rejected_sales")
    rejected = golden.table(site, "select rejected_because, source_row from {rejected_sales}")
    assert [reason for reason, _ in rejected] == ["bad_date"]
    assert "29/01/2026" in rejected[0][1]


def test_a_file_in_a_bucket(site: Site, bucket, local_stack, monkeypatch):
    bucket.blob("in/sales.csv").upload_from_string(HEADER + ROWS)
    done(site, "load", f"gs://{bucket.name}/in/sales.csv", "--as", "sales")
    assert len(rows(site)) == 3
    result = shelfcast(site, "load", f"gs://{bucket.name}/nothing.csv", "--as", "sales")
    assert result.exit_code == 1
    assert f"gs://{bucket.name}/nothing.csv cannot be read: " in error_of(result)


def test_history_was_known_when_its_week_ended_and_news_are_known_now(site: Site):
    done(site, "load", write(site, HEADER + ROWS), "--as", "sales", "--history")
    done(site, "load", write(site, HEADER + ROWS.replace("3,2.50", "9,2.50")), "--as", "sales")
    known = golden.table(
        site,
        "select loaded_at is null, count(*) from {sku_weekly_sales.rows} group by 1 order by 1",
    )
    assert known == [(False, 3), (True, 3)]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "unit,channel,sku,week_start,qty\nN1,retail,A,2026-01-05,1\n",
            "2 of the columns that sku_weekly reads from sales are not in it "
            "(sku_id <- sku_id, quantity <- units_sold",
        ),
        (HEADER, "holds no rows"),
        ("", "cannot be parsed"),
        (HEADER + "N1,retail\n", "cannot be parsed"),
    ],
)
def test_a_file_that_cannot_be_used_says_why(site: Site, text, message):
    if "2 of" in message:
        columns = site.use_cases["sku_weekly"]["sources"]["sales"]["columns"]
        del columns["price"], columns["is_sold_out"]
    result = shelfcast(site, "load", write(site, text), "--as", "sales")
    assert result.exit_code == 1
    assert message in error_of(result)
    assert "sales.csv" in error_of(result)


def test_a_file_that_is_not_there(site: Site):
    result = shelfcast(site, "load", "nowhere.csv", "--as", "sales")
    assert error_of(result) == "nowhere.csv cannot be read: No such file or directory."


def test_a_column_that_the_table_lacks(site: Site):
    done(site, "load", write(site, HEADER + ROWS), "--as", "sales")
    wider = HEADER.strip() + ",colour\n" + "N1,retail,A,2026-01-26,1,1,false,red\n"
    result = shelfcast(site, "load", write(site, wider), "--as", "sales")
    assert result.exit_code == 1
    assert "has no column colour, which the file has" in error_of(result)
    assert len(rows(site)) == 3


def test_somebody_elses_table_is_never_written(site: Site):
    site.use_cases["sku_weekly"]["sources"]["sales"]["table"] = "erp.sales.weekly"
    result = shelfcast(site, "load", write(site, HEADER + ROWS), "--as", "sales")
    assert result.exit_code == 2
    assert "erp.sales.weekly, which is not Shelfcast's to write" in error_of(result)


def test_a_source_that_the_use_case_does_not_have(site: Site):
    result = shelfcast(site, "load", write(site, HEADER + ROWS), "--as", "weather")
    assert result.exit_code == 2
    assert "sku_weekly has no source 'weather'. Add it under vars: use_cases: sku_weekly" in (
        error_of(result)
    )


def test_a_plan_says_which_days_it_speaks_for(site: Site):
    plan = "unit,channel,sku_id,start_date,end_date,price,discount\n"
    plan += "N1,*,A,2026-02-02,2026-02-08,,0.2\n"
    covers = ("--covers-from", "2026-02-02", "--covers-to", "2026-03-08")
    done(site, "load", write(site, plan, "plan.csv"), "--as", "promotions", *covers)
    covered = golden.table(site, "select covers_from, covers_to from {sku_weekly_promotions.rows}")
    assert covered == [("2026-02-02", "2026-03-08")]


def test_one_empty_plan_cancels_each_window_that_it_is_loaded_for(site: Site):
    """The file is the same; what it speaks for is not."""
    path = write(site, "unit,channel,sku_id,start_date,end_date,price,discount\n", "none.csv")
    for first, last in (("2026-02-02", "2026-02-08"), ("2026-03-02", "2026-03-08")) * 2:
        window = ("--covers-from", first, "--covers-to", last)
        done(site, "load", path, "--as", "promotions", *window)
    statement = "select covers_from, covers_to from {sku_weekly_promotions.rows} order by 1"
    assert golden.table(site, statement) == [
        ("2026-02-02", "2026-02-08"),
        ("2026-03-02", "2026-03-08"),
    ]
