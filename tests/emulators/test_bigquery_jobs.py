"""Google's BigQuery client against the local BigQuery: loads and queries run once."""

import datetime as dt
import uuid
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal

import pytest
from google.api_core.exceptions import (
    BadRequest,
    Conflict,
    GoogleAPICallError,
    MethodNotImplemented,
    NotFound,
)
from google.cloud import bigquery

from tests.support.clients import rows
from tests.support.forecast_log import frame, new_id


class TestLoads:
    def test_a_frame_is_matched_by_name(self, bigquery_client, log):
        job = bigquery_client.load_table_from_dataframe(frame(), log).result()
        assert job.output_rows == 2
        assert rows(bigquery_client, f"select yhat, yhat_upper, issued_at from {log} limit 1") == [
            (1.5, 2.5, dt.datetime(2026, 1, 7, 10, tzinfo=dt.UTC))
        ]
        assert bigquery_client.get_table(log).num_rows == 2

    def test_json_rows_keep_their_types(self, bigquery_client, log):
        row = {"series_id": "a", "yhat": 1, "regressors_as_known": {"promo_share": [0.5, None]}}
        bigquery_client.load_table_from_json([row], log).result()
        assert rows(bigquery_client, f"select yhat, regressors_as_known from {log}") == [
            (1.0, {"promo_share": [0.5, None]})
        ]
        assert {field.name: field.field_type for field in bigquery_client.get_table(log).schema}[
            "regressors_as_known"
        ] == "JSON"

    @pytest.mark.parametrize("kind", ["frame", "json"])
    def test_an_id_loads_once(self, bigquery_client, log, kind):
        def load(job_id: str) -> bigquery.LoadJob:
            if kind == "frame":
                return bigquery_client.load_table_from_dataframe(frame(3), log, job_id=job_id)
            sent = [{"series_id": str(number)} for number in range(3)]
            return bigquery_client.load_table_from_json(sent, log, job_id=job_id)

        job_id = new_id()
        assert load(job_id).result().job_id == job_id
        with pytest.raises(Conflict, match=f"Already Exists: Job demo:US.{job_id}") as refused:
            load(job_id)
        assert refused.value.errors[0]["reason"] == "duplicate"
        first = bigquery_client.get_job(job_id)
        assert (first.state, first.output_rows, first.error_result) == ("DONE", 3, None)
        assert rows(bigquery_client, f"select count(*) from {log}") == [(3,)]
        assert load(new_id()).result().output_rows == 3
        assert rows(bigquery_client, f"select count(*) from {log}") == [(6,)]

    def test_a_resumable_upload_loads_once_too(self, bigquery_client, log):
        wide = frame(60_000).assign(series_id=[uuid.uuid4().hex * 5 for _ in range(60_000)])
        job_id = new_id()
        bigquery_client.load_table_from_dataframe(wide, log, job_id=job_id).result()
        with pytest.raises(Conflict):
            bigquery_client.load_table_from_dataframe(wide, log, job_id=job_id).result()
        assert rows(bigquery_client, f"select count(*) from {log}") == [(60_000,)]

    def test_of_eight_loads_with_one_id_one_runs(self, bigquery_client, log):
        job_id = new_id()

        def load(_number: int) -> bool:
            try:
                bigquery_client.load_table_from_dataframe(frame(), log, job_id=job_id).result()
            except Conflict:
                return False
            return True

        with ThreadPoolExecutor(8) as pool:
            assert sum(pool.map(load, range(8))) == 1
        assert rows(bigquery_client, f"select count(*) from {log}") == [(2,)]

    def test_bad_data_fails_the_job_and_leaves_nothing(self, bigquery_client, log):
        job_id = new_id()
        sent = [{"series_id": "a"}, {"series_id": "b", "yhat": "many"}]
        with pytest.raises(BadRequest):
            bigquery_client.load_table_from_json(sent, log, job_id=job_id).result()
        assert bigquery_client.get_job(job_id).error_result["reason"] == "invalid"
        assert rows(bigquery_client, f"select count(*) from {log}") == [(0,)]

    def test_a_field_that_the_table_lacks_is_refused(self, bigquery_client, log):
        with pytest.raises(BadRequest, match="No such field: y_hat"):
            bigquery_client.load_table_from_json([{"series_id": "a", "y_hat": 1}], log).result()
        with pytest.raises(BadRequest, match="y_hat"):
            extra = frame().assign(y_hat=1.0)
            schema = [bigquery.SchemaField("y_hat", "FLOAT64")]
            config = bigquery.LoadJobConfig(schema=schema)
            bigquery_client.load_table_from_dataframe(extra, log, job_config=config).result()

    def test_a_null_in_a_required_column_is_refused(self, bigquery_client, log):
        with pytest.raises(BadRequest, match="NOT NULL"):
            bigquery_client.load_table_from_json([{"yhat": 1.0}], log).result()

    def test_a_missing_dataset_is_not_found(self, bigquery_client):
        with pytest.raises(NotFound):
            bigquery_client.load_table_from_json([{"a": 1}], "no_such.table").result()

    def test_truncate_replaces_and_creates(self, bigquery_client, dataset):
        config = bigquery.LoadJobConfig(write_disposition="WRITE_TRUNCATE")
        for n in (2, 3):
            bigquery_client.load_table_from_dataframe(
                frame(n), f"{dataset}.fresh", job_config=config
            ).result()
            assert rows(bigquery_client, f"select count(*) from {dataset}.fresh") == [(n,)]

    def test_parquet_makes_a_table_of_its_own_schema(self, bigquery_client, dataset, tmp_path):
        frame().to_parquet(tmp_path / "frame.parquet")
        config = bigquery.LoadJobConfig(source_format="PARQUET")
        with (tmp_path / "frame.parquet").open("rb") as file:
            table = f"{dataset}.raw"
            bigquery_client.load_table_from_file(file, table, job_config=config).result()
        assert rows(bigquery_client, f"select sum(yhat) from {dataset}.raw") == [(3.0,)]
        assert bigquery_client.get_table(table).num_rows == 2


class TestQueries:
    def test_an_id_runs_once(self, bigquery_client, log):
        job_id = new_id()
        insert = f"insert into {log} (series_id) values ('a')"
        bigquery_client.query(insert, job_id=job_id).result()
        with pytest.raises(Conflict, match="Already Exists: Job"):
            bigquery_client.query(insert, job_id=job_id)
        assert rows(bigquery_client, f"select count(*) from {log}") == [(1,)]
        first = bigquery_client.get_job(job_id)
        assert (first.state, first.num_dml_affected_rows, first.query) == ("DONE", 1, insert)

    def test_changes_show_in_the_table(self, bigquery_client, log):
        before = bigquery_client.get_table(log)
        rows(bigquery_client, f"insert into {log} (series_id) values ('a'), ('b')")
        rows(bigquery_client, f"delete from {log} where series_id = 'a'")
        after = bigquery_client.get_table(log)
        assert (before.num_rows, after.num_rows) == (0, 1)
        assert after.modified > before.modified

    def test_a_copy_runs_once(self, bigquery_client, log):
        bigquery_client.load_table_from_dataframe(frame(), log).result()
        config = bigquery.CopyJobConfig(write_disposition="WRITE_APPEND")
        job_id, copy = new_id(), f"{log}_copy"
        bigquery_client.copy_table(log, copy, job_id=job_id, job_config=config).result()
        with pytest.raises(Conflict):
            bigquery_client.copy_table(log, copy, job_id=job_id, job_config=config)
        assert rows(bigquery_client, f"select count(*) from {copy}") == [(2,)]

    def test_the_query_and_its_labels_are_kept_as_sent(self, bigquery_client):
        config = bigquery.QueryJobConfig(labels={"run": "r1"})
        sent = "select 1 as a -- why"
        job = bigquery_client.query(sent, job_config=config)
        job.result()
        kept = bigquery_client.get_job(job.job_id)
        assert (kept.query, kept.labels) == (sent, {"run": "r1"})

    def test_a_destination_that_would_not_be_written_is_refused(self, bigquery_client, dataset):
        config = bigquery.QueryJobConfig(destination=f"demo.{dataset}.t")
        with pytest.raises(MethodNotImplemented, match="create or replace table"):
            bigquery_client.query("select 1 as a", job_config=config, job_retry=None).result()

    def test_a_transaction_is_all_or_nothing(self, bigquery_client, log):
        insert = f"insert into {log} (series_id) values ('a')"
        rows(bigquery_client, f"begin transaction; {insert}; {insert}; commit transaction;")
        with pytest.raises(BadRequest, match="division by zero"):
            rows(bigquery_client, f"begin transaction; {insert}; select 1/0; commit")
        bigquery_client.load_table_from_dataframe(frame(), log).result()
        assert rows(bigquery_client, f"select count(*) from {log}") == [(4,)]

    @pytest.mark.parametrize(
        ("end", "n"),
        [
            ("commit transaction; select 1", 2),
            ("rollback transaction; select 1", 1),
            ("select 1", 1),  # never committed
        ],
    )
    def test_a_transaction_within_a_script(self, bigquery_client, log, end, n):
        insert = f"insert into {log} (series_id) values ('a')"
        rows(bigquery_client, f"{insert}; begin transaction; {insert}; {end}")
        assert rows(bigquery_client, f"select count(*) from {log}") == [(n,)]
        bigquery_client.load_table_from_dataframe(frame(), log).result()

    def test_a_script_that_handles_its_failed_transaction(self, bigquery_client, log):
        insert = f"insert into {log} (series_id) values ('a')"
        rows(
            bigquery_client,
            f"""
            begin
              begin transaction; {insert}; select 1/0; commit transaction;
            exception when error then
              rollback transaction; {insert};
            end
            """,
        )
        assert rows(bigquery_client, f"select count(*) from {log}") == [(1,)]

    def test_numeric_keeps_nine_decimals(self, bigquery_client, dataset):
        table = f"{dataset}.prices"
        rows(bigquery_client, f"create table {table} (price numeric)")
        rows(bigquery_client, f"insert into {table} values (numeric '1.123456789')")
        assert rows(
            bigquery_client, f"select price, cast(1.123456789 as numeric) from {table}"
        ) == [(Decimal("1.123456789"), Decimal("1.123456789"))]

    def test_the_past_is_refused_not_invented(self, bigquery_client, log):
        past = f"select * from {log} for system_time as of timestamp '2026-01-01 00:00:00+00'"
        with pytest.raises(GoogleAPICallError, match="keeps no history"):
            rows(bigquery_client, past)

    @pytest.mark.parametrize(
        "query",
        [
            "select array_agg(struct(a, b)) from (select 1 as a, 2 as b)",
            "begin raise using message = 'no plan'; end",
        ],
    )
    def test_what_the_emulator_cannot_do_fails_at_once(self, bigquery_client, query):
        """A 500 would be tried again for ten minutes."""
        with pytest.raises(BadRequest, match="The local emulator failed"):
            rows(bigquery_client, query)
