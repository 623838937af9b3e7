"""What the launcher keeps in memory, and the types that the Storage Read API answers with."""

import asyncio
import sys
from concurrent.futures import ThreadPoolExecutor

import duckdb
import pyarrow as pa
import pytest
from bqemulator.config import Settings
from bqemulator.storage.engine import DuckDBEngine

from emulators.bigquery.engine import connection_of_thread, set_session, skip_extension
from emulators.bigquery.jobs import roll_back, transaction
from emulators.bigquery.memory import MEBIBYTE, BoundedCache
from emulators.bigquery.read_api import READ_BATCH_BYTES, in_small_batches, with_bigquery_types


def megabyte() -> pa.Table:
    return pa.table({"x": pa.array(range(MEBIBYTE // 8), pa.int64())})


@pytest.fixture
def threads_switch_often():
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(interval)


class TestBoundedCache:
    def test_the_oldest_go_beyond_the_number_of_entries(self):
        kept = BoundedCache(entries=3, megabytes=1, spared=1)
        for number in range(5):
            kept[number] = []
        assert list(kept) == [2, 3, 4]

    def test_the_oldest_go_beyond_the_bytes(self):
        kept = BoundedCache(entries=100, megabytes=3, spared=1)
        for number in range(6):
            kept[number] = megabyte()
        assert list(kept) == [3, 4, 5]

    def test_the_newest_stay_whatever_their_size(self):
        kept = BoundedCache(entries=100, megabytes=1, spared=2)
        for number in range(4):
            kept[number] = megabyte()
        assert list(kept) == [2, 3]

    def test_an_entry_written_again_is_new(self):
        kept = BoundedCache(entries=2, megabytes=1, spared=1)
        for number in (0, 1, 0, 2):
            kept[number] = []
        assert list(kept) == [0, 2]

    def test_many_threads_fill_it(self, threads_switch_often):
        kept = BoundedCache(entries=50, megabytes=1, spared=1)

        def fill(worker: int) -> None:
            for number in range(500):
                kept[worker, number] = []

        with ThreadPoolExecutor(8) as pool:
            list(pool.map(fill, range(8)))
        assert len(kept) == 50


class TestTypes:
    @pytest.mark.parametrize(
        ("given", "wanted"),
        [
            (pa.int32(), pa.int64()),
            (pa.float32(), pa.float64()),
            (pa.list_(pa.int8()), pa.list_(pa.int64())),
            (pa.struct([("a", pa.list_(pa.int32()))]), pa.struct([("a", pa.list_(pa.int64()))])),
            (pa.decimal128(18, 3), pa.decimal128(38, 9)),
            (pa.decimal128(38, 20), pa.decimal256(76, 38)),
            (pa.timestamp("ns", "UTC"), pa.timestamp("us", "UTC")),
            (pa.timestamp("s"), pa.timestamp("us")),
            (pa.date32(), pa.date32()),
            (pa.bool_(), pa.bool_()),
        ],
    )
    def test_are_bigquerys(self, given, wanted):
        assert with_bigquery_types(pa.table({"x": pa.array([], given)})).schema.types == [wanted]

    def test_a_sum_of_integers_is_an_integer(self):
        field = pa.field("x", pa.decimal128(38, 0), metadata={"bqemu.duckdb_type": "HUGEINT"})
        table = pa.table([pa.array([7], pa.decimal128(38, 0))], schema=pa.schema([field]))
        assert with_bigquery_types(table)["x"].to_pylist() == [7]
        assert with_bigquery_types(table).schema.types == [pa.int64()]

    def test_batches_fit_a_message(self):
        table = pa.concat_tables([megabyte()] * 20).combine_chunks()
        batches = in_small_batches(table).to_batches()
        assert max(batch.nbytes for batch in batches) <= READ_BATCH_BYTES
        assert in_small_batches(table).equals(table)

    def test_a_row_above_the_limit_is_a_batch_of_its_own(self):
        table = pa.table({"x": ["a" * READ_BATCH_BYTES * 2] * 3})
        assert [batch.num_rows for batch in in_small_batches(table).to_batches()] == [1, 1, 1]

    def test_no_row_is_no_batch(self):
        assert in_small_batches(pa.table({"x": pa.array([], pa.int64())})).num_rows == 0


class TestTransaction:
    @pytest.fixture
    def connection(self):
        with duckdb.connect() as connection:
            connection.execute("create table t (a int)")
            yield connection

    def test_all_is_committed(self, connection):
        with transaction(connection):
            connection.execute("insert into t values (1)")
            connection.execute("insert into t values (2)")
        assert connection.execute("select count(*) from t").fetchall() == [(2,)]

    @pytest.mark.parametrize("failure", ["select error('no')", "insert into gone values (1)"])
    def test_or_nothing(self, connection, failure):
        with pytest.raises(duckdb.Error), transaction(connection):
            connection.execute("insert into t values (1)")
            connection.execute(failure)
        assert connection.execute("select count(*) from t").fetchall() == [(0,)]

    def test_an_interruption_leaves_nothing(self, connection):
        with pytest.raises(KeyboardInterrupt), transaction(connection):
            connection.execute("insert into t values (1)")
            raise KeyboardInterrupt
        assert connection.execute("select count(*) from t").fetchall() == [(0,)]

    def test_roll_back_without_a_transaction_does_nothing(self, connection):
        roll_back(connection)
        assert connection.execute("select count(*) from t").fetchall() == [(0,)]


class TestConnections:
    """DuckDB's connection holds one result: of two threads, one would fetch the other's."""

    class Engine(DuckDBEngine):
        connection = connection_of_thread(DuckDBEngine.connection)
        _apply_session_pragmas = set_session(DuckDBEngine._apply_session_pragmas)
        _load_spatial = _load_format_extensions = skip_extension(DuckDBEngine._load_spatial)

    @pytest.fixture
    def engine(self):
        engine = self.Engine(Settings())
        asyncio.run(engine.start())
        yield engine
        asyncio.run(engine.stop())

    def test_each_thread_fetches_its_own_result(self, engine):
        def fetch(number: int) -> bool:
            table = engine.fetch_arrow(f"select {number} as x from range(200000)")
            return table["x"].unique().to_pylist() == [number]

        with ThreadPoolExecutor(8) as pool:
            assert all(pool.map(fetch, range(200)))

    def test_each_thread_counts_in_utc(self, engine):
        with ThreadPoolExecutor(1) as pool:
            zone = pool.submit(engine.execute, "select current_setting('TimeZone')").result()
        assert zone.fetchall() == [("UTC",)]

    def test_a_transaction_is_the_servers_own(self, engine):
        engine.execute("create table t (a int)")
        with transaction(engine), ThreadPoolExecutor(1) as pool:
            engine.execute("insert into t values (1)")
            other = pool.submit(lambda: engine.execute("select count(*) from t").fetchall())
            assert other.result() == [(0,)]
            assert engine.execute("select count(*) from t").fetchall() == [(1,)]

    def test_no_extension_is_downloaded_or_loaded(self, engine):
        settings = engine.execute(
            "select value from duckdb_settings() where name like 'auto%known_extensions'"
        )
        assert settings.fetchall() == [("false",), ("false",)]
        loaded = engine.execute(
            "select extension_name from duckdb_extensions() "
            "where loaded and install_mode != 'STATICALLY_LINKED'"
        )
        assert loaded.fetchall() == []
