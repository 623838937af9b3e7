"""Google's BigQuery clients against the local BigQuery."""

import datetime as dt
import uuid
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal

import pandas as pd
import pyarrow as pa
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


@pytest.fixture
def log(bigquery_client, dataset):
    """An append-only table as a dbt macro makes it, as `dataset.table`."""
    rows(
        bigquery_client,
        f"""
        create table {dataset}.forecast_log (
            series_id string not null, target_date date, yhat float64, yhat_upper float64,
            regressors_as_known json, issued_at timestamp
        )
        partition by target_date cluster by series_id
        """,
    )
    return f"{dataset}.forecast_log"


def frame(n: int = 2) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "yhat_upper": [2.5] * n,
            "series_id": [f"N1|retail|A{number}" for number in range(n)],
            "target_date": [dt.date(2026, 1, 5)] * n,
            "yhat": [1.5] * n,
            "issued_at": pd.to_datetime(["2026-01-07T10:00:00Z"] * n),
        }
    )


def new_id() -> str:
    return f"run-{uuid.uuid4().hex}-forecast_log-0"


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

    def test_a_load_from_files_runs_once_too(self, bigquery_client, log, tmp_path):
        frame().to_parquet(tmp_path / "frame.parquet")
        config = bigquery.LoadJobConfig(source_format="PARQUET")
        uri, job_id = f"file://{tmp_path}/frame.parquet", new_id()
        bigquery_client.load_table_from_uri(uri, log, job_id=job_id, job_config=config).result()
        with pytest.raises(Conflict):
            bigquery_client.load_table_from_uri(uri, log, job_id=job_id, job_config=config)
        assert rows(bigquery_client, f"select sum(yhat), sum(yhat_upper) from {log}") == [(3, 5)]

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


class TestDbt:
    def test_contract(self, bigquery_client, dataset):
        rows(
            bigquery_client,
            f"""
            /* {{"app": "dbt"}} */
            create or replace table `demo`.`{dataset}`.`panel`
              (
                ds date not null, n int64, x numeric, s string, l array<struct<a int64, b string>>,
                j json, primary key (ds) not enforced,
                foreign key (n) references `demo`.`{dataset}`.`other` (n) not enforced
              )
            partition by date_trunc(ds, month)
            cluster by s
            OPTIONS(description='''weeks; it is (dense)''')
            as (
              select ds, n, x, s, l, j
              from (
                select
                    date_trunc(date '2026-01-14', week(monday)) as ds, 1 as n, 1.5 as x,
                    'a;b -- c' as s, [struct(1 as a, 'q' as b)] as l, json '{{"k": 1}}' as j
              ) as model_subq
            );
            """,
        )
        assert rows(bigquery_client, f"select * from {dataset}.panel") == [
            (dt.date(2026, 1, 12), 1, Decimal("1.5"), "a;b -- c", [{"a": 1, "b": "q"}], {"k": 1})
        ]
        schema = bigquery_client.get_table(f"{dataset}.panel").schema
        assert [field.field_type for field in schema] == [
            *("DATE", "INTEGER", "NUMERIC", "STRING", "RECORD", "JSON")
        ]

    def test_dynamic_insert_overwrite_replaces_whole_partitions(self, bigquery_client, dataset):
        target = f"`demo`.`{dataset}`.`weeks`"
        rows(
            bigquery_client,
            f"""
            create table {target} (ds date, y int64) partition by date_trunc(ds, month)
            as (
                select ds, y
                from unnest(array<struct<ds date, y int64>>[
                    ('2026-01-05', 1), ('2026-01-12', 2), ('2026-02-02', 3)
                ])
            )
            """,
        )
        rows(
            bigquery_client,
            f"""
              declare dbt_partitions_for_replacement array<date>;
              -- 1. create a temp table with model data
                create or replace table `demo`.`{dataset}`.`weeks__dbt_tmp`
              (ds date, y int64)
            partition by date_trunc(ds, month)
            OPTIONS(expiration_timestamp=TIMESTAMP_ADD(CURRENT_TIMESTAMP(), INTERVAL 12 hour))
            as (
              select ds, y from (select date '2026-01-19' as ds, 5 as y) as model_subq
            );
              -- 2. define partitions to update
              set (dbt_partitions_for_replacement) = (
                  select as struct
                      -- IGNORE NULLS: this needs to be aligned to _dbt_max_partition
                      array_agg(distinct date_trunc(ds, month) IGNORE NULLS)
                  from `demo`.`{dataset}`.`weeks__dbt_tmp`
              );
              -- 3. run the merge statement
              merge into {target} as DBT_INTERNAL_DEST
                  using (select * from `demo`.`{dataset}`.`weeks__dbt_tmp`) as DBT_INTERNAL_SOURCE
                  on FALSE
              when not matched by source
                  and date_trunc(DBT_INTERNAL_DEST.ds, month)
                  in unnest(dbt_partitions_for_replacement)
                  then delete
              when not matched then insert
                  (`ds`, `y`)
              values
                  (`ds`, `y`)
              ;
              -- 4. clean up the temp table
              drop table if exists `demo`.`{dataset}`.`weeks__dbt_tmp`
            """,
        )
        assert rows(bigquery_client, f"select ds, y from {target} order by ds") == [
            (dt.date(2026, 1, 19), 5),
            (dt.date(2026, 2, 2), 3),
        ]
        assert [table.table_id for table in bigquery_client.list_tables(dataset)] == ["weeks"]

    def test_columns_are_added_by_patch_and_by_alter(self, bigquery_client, log):
        table = bigquery_client.get_table(log)
        table.schema = [*table.schema, bigquery.SchemaField("seed", "INT64")]
        bigquery_client.update_table(table, ["schema"])
        rows(bigquery_client, f"alter table {log} add column a float64, add column b json")
        sent = {"series_id": "x", "seed": 7, "a": 0.5, "b": [1]}
        bigquery_client.load_table_from_json([sent], log).result()
        assert rows(bigquery_client, f"select seed, a, b from {log}") == [(7, 0.5, [1])]
        known = {field.name: field for field in bigquery_client.get_table(log).schema}
        assert known["b"].field_type == "JSON"
        assert known["series_id"].mode == "REQUIRED"

    def test_grants_and_tables_view_answer(self, bigquery_client, log):
        dataset, name = log.split(".")
        rows(
            bigquery_client,
            f"grant `roles/bigquery.dataViewer` on table `demo`.`{dataset}`.`{name}` to 'user:a'",
        )
        listed = f"select table_id, type from `demo`.`{dataset}`.__TABLES__"
        assert rows(bigquery_client, listed) == [(name, 1)]

    @pytest.mark.parametrize(
        ("expression", "expected"),
        [
            ("date_trunc(ds, week)", dt.date(2026, 1, 11)),
            ("date_trunc(ds, week(monday))", dt.date(2026, 1, 12)),
            ("date_trunc(date '2026-01-14', week(monday))", dt.date(2026, 1, 12)),
            ("date_trunc(date_sub(ds, interval 3 day), isoweek)", dt.date(2026, 1, 5)),
            ("date_trunc(ds, month)", dt.date(2026, 1, 1)),
            ("date_trunc(ds, quarter)", dt.date(2026, 1, 1)),
        ],
    )
    def test_truncation_is_a_date_in_results_and_tables(
        self, bigquery_client, dataset, expression, expected
    ):
        query = f"select {expression} as d from (select date '2026-01-14' as ds)"
        result = bigquery_client.query(query).result()
        assert [field.field_type for field in result.schema] == ["DATE"]
        assert [row.values() for row in result] == [(expected,)]
        rows(bigquery_client, f"create or replace table {dataset}.t as {query}")
        assert bigquery_client.get_table(f"{dataset}.t").schema[0].field_type == "DATE"


class TestStorageRead:
    def test_a_table(self, bigquery_client, read_client, log):
        bigquery_client.load_table_from_dataframe(frame(), log).result()
        table = bigquery_client.list_rows(log).to_arrow(bqstorage_client=read_client)
        assert table.schema.field("issued_at").type == pa.timestamp("us", tz="UTC")
        assert table.sort_by("series_id").to_pylist()[1]["series_id"] == "N1|retail|A1"

    def test_a_table_with_a_sum_of_integers(self, bigquery_client, read_client, dataset):
        rows(bigquery_client, f"create table {dataset}.sums as select sum(7) as n, 1 as one")
        table = bigquery_client.list_rows(f"{dataset}.sums").to_arrow(bqstorage_client=read_client)
        assert table.schema.types == [pa.int64(), pa.int64()]
        assert table.to_pylist() == [{"n": 7, "one": 1}]

    def test_a_query_result_with_bigquerys_types(self, bigquery_client, read_client, log):
        bigquery_client.load_table_from_dataframe(frame(), log).result()
        query = f"""
            select
                count(*) as n, sum(cast(yhat as int64)) as total, 1 as one, [1, 2] as l,
                struct(1 as a) as st, numeric '1.5' as price, date '2026-01-05' as ds,
                max(issued_at) as at, json '{{"a": 1}}' as j, 0.5 as f
            from {log}
        """
        table = bigquery_client.query(query).to_arrow(bqstorage_client=read_client)
        assert {field.name: field.type for field in table.schema} == {
            "n": pa.int64(),
            "total": pa.int64(),
            "one": pa.int64(),
            "l": pa.list_(pa.int64()),
            "st": pa.struct([("a", pa.int64())]),
            "price": pa.decimal128(38, 9),
            "ds": pa.date32(),
            "at": pa.timestamp("us", tz="UTC"),
            "j": pa.string(),
            "f": pa.float64(),
        }
        assert table.to_pylist()[0] | {"at": None} == {
            **{"n": 2, "total": 4, "one": 1, "l": [1, 2], "st": {"a": 1}, "f": 0.5, "at": None},
            **{"price": Decimal("1.5"), "ds": dt.date(2026, 1, 5), "j": '{"a":1}'},
        }

    def test_an_empty_result_has_its_columns(self, bigquery_client, read_client, log):
        query = bigquery_client.query(f"select series_id, yhat from {log}")
        table = query.to_arrow(bqstorage_client=read_client)
        assert (table.num_rows, table.column_names) == (0, ["series_id", "yhat"])

    def test_wide_rows_beyond_a_message(self, bigquery_client, read_client):
        """40,000 rows of 50 numbers are 16 MB; the server sends no more than 11 MiB at a time."""
        columns = ", ".join(f"i + {number}.5 as x{number}" for number in range(50))
        query = f"select {columns} from unnest(generate_array(1, 40000)) as i"
        table = bigquery_client.query(query).to_arrow(bqstorage_client=read_client)
        assert (table.num_rows, table.num_columns) == (40_000, 50)

    def test_readers_and_writers_at_once_see_their_own_rows(
        self, bigquery_client, read_client, dataset
    ):
        """Each reader's table holds one number: a row of another's would show."""

        def check(number: int) -> bool:
            table = f"{dataset}.own_{number}"
            rows(
                bigquery_client,
                f"create table {table} as select {number} as x from unnest(generate_array(1, 500))",
            )
            read = bigquery_client.list_rows(table).to_arrow(bqstorage_client=read_client)
            rows(bigquery_client, f"insert into {table} select {number}")
            return read["x"].to_pylist() == [number] * 500

        with ThreadPoolExecutor(8) as pool:
            assert all(pool.map(check, range(40)))
