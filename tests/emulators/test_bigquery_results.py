"""dbt's statements and Google's BigQuery clients against the local BigQuery: what comes back."""

import datetime as dt
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal

import pyarrow as pa
import pytest
from google.cloud import bigquery

from tests.support.clients import rows
from tests.support.forecast_log import frame


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
