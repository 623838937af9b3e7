"""Google's analyzer and executor, as tests use them."""

import datetime as dt
import subprocess
import sys
from decimal import Decimal

import pytest
import wasmtime

from tests.support import googlesql

TABLES = {
    ("p", "d-1", "sales"): {
        "ds": "date",
        "y": "float64",
        "price": "numeric(10, 2)",
        "tags": "array<string>",
        "plan": "struct<promo float64, weeks array<struct<ds date, share float64>>>",
        "raw": "json",
        "known_at": "timestamp",
    }
}


class TestAnalyse:
    @pytest.mark.parametrize("path", ["p.`d-1`.sales", "`p.d-1.sales`", "`p`.`d-1`.`sales`"])
    def test_a_table_is_found_however_it_is_quoted(self, path):
        assert googlesql.analyse(f"select ds, y from {path}", TABLES) == {
            "ds": "DATE",
            "y": "FLOAT64",
        }

    def test_types(self):
        query = "select *, count(*) over () as n, max(known_at) over () as last from `p.d-1.sales`"
        assert googlesql.analyse(query, TABLES) == {
            "ds": "DATE",
            "y": "FLOAT64",
            "price": "NUMERIC",
            "tags": "ARRAY<STRING>",
            "plan": "STRUCT<promo FLOAT64, weeks ARRAY<STRUCT<ds DATE, share FLOAT64>>>",
            "raw": "JSON",
            "known_at": "TIMESTAMP",
            "n": "INT64",
            "last": "TIMESTAMP",
        }

    def test_a_create_table_as_has_its_querys_types(self):
        create = "create or replace table x.t partition by ds as select ds from `p.d-1.sales`"
        assert googlesql.analyse(create, TABLES) == {"ds": "DATE"}

    @pytest.mark.parametrize(
        ("query", "reason"),
        [
            ("select nothing from `p.d-1.sales`", "Unrecognized name: nothing"),
            ("select 1 = '1'", "No matching signature"),
            ("select * from p.d.gone", "Table not found"),
            ("select y from `p.d-1.sales` group by ds", "neither grouped nor aggregated"),
            ("select max_by(y, ds) from `p.d-1.sales`", r"any_value\(x having max y\)"),
        ],
    )
    def test_an_error_says_what_and_where(self, query, reason):
        with pytest.raises(googlesql.GoogleSqlError, match=reason) as told:
            googlesql.analyse(query, TABLES)
        assert query in str(told.value)

    def test_an_unknown_type_is_named(self):
        with pytest.raises(googlesql.GoogleSqlError, match="no such type: floatt"):
            googlesql.analyse("select 1", {("p", "d", "t"): {"a": "floatt"}})


class TestExecute:
    def test_values(self):
        columns, (row,) = googlesql.execute("""
            select 1 as i, 1.5 as f, 'ы' as s, b'ab' as b, true as t, cast(null as string) as n,
                date '1969-12-31' as d, datetime '2026-01-05 10:11:12.123456' as dt,
                time '10:11:12.5' as tm, timestamp '2026-01-05 03:00:00.5+03' as ts,
                timestamp '9999-12-31 00:00:00+00' as eot, numeric '-1.5' as nu,
                bignumeric '1.25' as bn, json '{"a": [1, null]}' as j, [1, 2] as l,
                cast(null as array<int64>) as nl, struct(1 as x, [struct('q' as y)] as z) as st
        """)
        assert dict(zip(columns, row, strict=True)) == {
            "i": 1,
            "f": 1.5,
            "s": "ы",
            "b": b"ab",
            "t": True,
            "n": None,
            "d": dt.date(1969, 12, 31),
            "dt": dt.datetime(2026, 1, 5, 10, 11, 12, 123456),
            "tm": dt.time(10, 11, 12, 500000),
            "ts": dt.datetime(2026, 1, 5, microsecond=500000, tzinfo=dt.UTC),
            "eot": dt.datetime(9999, 12, 31, tzinfo=dt.UTC),
            "nu": Decimal("-1.5"),
            "bn": Decimal("1.25"),
            "j": {"a": [1, None]},
            "l": [1, 2],
            "nl": [],
            "st": {"x": 1, "z": [{"y": "q"}]},
        }

    @pytest.mark.parametrize(
        ("query", "reason"),
        [
            ("select 1/0", "division by zero"),
            ("select approx_quantiles(x, 2) from unnest([1]) as x", "executor lacks this"),
            ("select interval 1 day", "cast to STRING"),
        ],
    )
    def test_an_error_says_why(self, query, reason):
        with pytest.raises(googlesql.GoogleSqlError, match=reason):
            googlesql.execute(query)


class TestCache:
    @pytest.fixture
    def source(self, tmp_path):
        (tmp_path / "tiny.wasm").write_bytes(wasmtime.wat2wasm('(module (func (export "f")))'))
        return tmp_path / "tiny.wasm"

    def test_the_second_process_reads_what_the_first_compiled(self, source, tmp_path, monkeypatch):
        engine, cache = wasmtime.Engine(), tmp_path / "cache"
        googlesql.compiled_module(engine, source, cache)
        (kept,) = cache.iterdir()
        monkeypatch.setattr(wasmtime.Module, "from_file", None)
        module = googlesql.compiled_module(engine, source, cache)
        assert [export.name for export in module.exports] == ["f"]
        assert list(cache.iterdir()) == [kept]

    def test_a_damaged_file_is_compiled_again(self, source, tmp_path):
        engine, cache = wasmtime.Engine(), tmp_path / "cache"
        googlesql.compiled_module(engine, source, cache)
        (kept,) = cache.iterdir()
        kept.write_bytes(b"half a module")
        module = googlesql.compiled_module(engine, source, cache)
        assert [export.name for export in module.exports] == ["f"]

    def test_many_processes_at_once(self, source, tmp_path):
        code = (
            "import sys; from pathlib import Path; import wasmtime\n"
            "from tests.support.googlesql import compiled_module\n"
            "compiled_module(wasmtime.Engine(), Path(sys.argv[1]), Path(sys.argv[2]))"
        )
        command = [sys.executable, "-c", code, str(source), str(tmp_path / "cache")]
        assert [process.wait() for process in [subprocess.Popen(command) for _ in range(3)]] == [
            0
        ] * 3
        assert len(list((tmp_path / "cache").iterdir())) == 1

    def test_the_folder_can_be_named(self, tmp_path, monkeypatch):
        monkeypatch.setenv("SHELFCAST_GOOGLESQL_CACHE", str(tmp_path))
        assert googlesql.cache_folder() == tmp_path
        monkeypatch.delenv("SHELFCAST_GOOGLESQL_CACHE")
        assert googlesql.cache_folder().parts[-3:] == (".local", "cache", "googlesql")
