"""Files that nobody means to load: each is refused in one sentence, and no digit is lost."""

from __future__ import annotations

import gzip
import io
import time
from datetime import UTC, datetime, timedelta

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from python_jobs.data.files import column_type, convert, parse, read_bytes
from python_jobs.data.load import _check_columns, _check_own_columns, _typed
from python_jobs.infra.connection import Connection
from python_jobs.infra.errors import ShelfcastError
from python_jobs.infra.settings import load_settings
from tests.support.site import ROOT


def parquet(column: pa.Array) -> bytes:
    buffer = io.BytesIO()
    pq.write_table(pa.table({"a": column}), buffer)
    return buffer.getvalue()


def fault_of(name: str, content: bytes) -> str:
    with pytest.raises(ShelfcastError) as error:
        parse(name, content)
    assert str(error.value).startswith(name)
    return str(error.value)


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        ("магазин,штук\nN1,3\n".encode("cp1251"), "is not UTF-8"),
        ("a,b\nN1,штук\n".encode("cp1251"), "cannot be parsed: In CSV column #1"),
        (gzip.compress(b"a,b\n1,2\n", mtime=0), "compressed with gzip: its name must end in .gz"),
        (b"PK\x03\x04" + b"\0" * 50, "a zip archive or an Excel workbook"),
        (parquet(pa.array([1])), "a Parquet file: its name must end in .parquet"),
        ("a,b\n1,2\n".encode("utf-16"), "UTF-16: save it as UTF-8"),
        (b"a b,a_b\n1,2\n", "two columns are called a_b in BigQuery"),
        (b"a,A\n1,2\n", "two columns are called a in BigQuery"),
        (b"x,x\n1,2\n", "two columns are called x in BigQuery"),
        (b"a,,c\n1,2,3\n", "column 2 has no name"),
        (b"a" * 400 + b",b\n1,2\n", "has more than 300 characters"),
        (b"", "cannot be parsed"),
    ],
)
def test_a_csv_that_cannot_be_a_table_says_why(content, fault):
    assert fault in fault_of("f.csv", content)


@pytest.mark.parametrize(
    ("column", "fault"),
    [
        (pa.array([[1], [2]]), "a holds lists or records"),
        (pa.array([[1], [2]], pa.large_list(pa.int64())), "a holds lists or records"),
        (pa.array([{"b": 1}]), "a holds lists or records"),
        (pa.array([[("k", 1)]], pa.map_(pa.string(), pa.int64())), "a holds lists or records"),
        (pa.array([b"\xff\xfe"]), "cannot be parsed: Invalid UTF8"),
    ],
)
def test_so_does_a_parquet_file(column, fault):
    assert fault in fault_of("f.parquet", parquet(column))


def test_thousands_of_columns_are_refused_at_once():
    start = time.perf_counter()
    header = ",".join(f"c{n}" for n in range(6000))
    assert "has 6000 columns; at most 1000 are loaded" in (
        fault_of("f.csv", f"{header}\n{header}\n".encode())
    )
    assert time.perf_counter() - start < 5


def test_a_row_of_somebodys_file_is_not_quoted():
    fault = fault_of("f.csv", b"a,b\nroot:x:0:0:root:/root:/bin/bash\n1,2,s3cr3t\n")
    assert "Expected 2 columns, got 1" in fault
    assert "root:" not in fault


@pytest.mark.parametrize("uri", ["a\0b.csv", "/dev/zero", "/"])
def test_a_uri_that_names_no_file_is_refused(uri):
    with pytest.raises(ShelfcastError, match=r"is no path|is a device|cannot be read"):
        read_bytes(uri, Connection())


@pytest.mark.parametrize("name", ["unparsed", "loaded_from", "Unparsed"])
def test_a_column_that_shelfcast_writes_is_not_taken_from_a_file(name):
    with pytest.raises(ShelfcastError, match=f"Shelfcast writes {name} itself"):
        _check_own_columns("f.csv", pd.DataFrame({name: ["x"]}))


@pytest.mark.parametrize("given", ["yesterday", "2099-01-01", "2026-13-01"])
def test_an_instant_of_loading_that_is_none_of_the_past_is_refused(given):
    with pytest.raises(ShelfcastError, match=r"1 of 2 cells of loaded_at are no instant"):
        _check_own_columns("f.csv", pd.DataFrame({"loaded_at": [given, None]}))
    past = f"{datetime.now(UTC) - timedelta(days=1):%Y-%m-%dT%H:%M:%SZ}"
    _check_own_columns("f.csv", pd.DataFrame({"loaded_at": [past, None]}))


def test_the_columns_of_somebodys_file_are_named_in_short():
    use_case = load_settings(ROOT, {}).use_case(None)
    names = ["c" * 5000, *(f"c{n}" for n in range(900))]
    with pytest.raises(ShelfcastError) as error:
        _check_columns(use_case, "f.csv", "sales", names)
    assert len(str(error.value)) < 2000
    assert "and 871 more" in str(error.value)


LONG = [f"{90071992547409930 + 2 * n}" for n in range(19)]


def test_a_whole_number_keeps_its_digits_beside_an_empty_cell():
    texts = pd.Series([*LONG, None, "9007199254740993"])
    assert column_type(texts) == "INTEGER"
    numbers = convert(texts, "INTEGER")
    assert [str(one) for one in numbers.dropna()] == [*LONG, "9007199254740993"]
    assert pd.isna(numbers[19])


def test_a_whole_number_beyond_64_bits_is_kept_as_text():
    frame, n_unparsed = _typed(
        pd.DataFrame({"a": ["1", "-9223372036854775808", "9223372036854775808", "9" * 40]}),
        {"a": "INTEGER"},
    )
    assert frame["a"].tolist()[:2] == [1, -(2**63)]
    assert n_unparsed == {"a": 2}
    assert frame["unparsed"].tolist()[2] == '{"a":"9223372036854775808"}'


@pytest.mark.parametrize(
    "texts", [["9" * 25, "8" * 25], ["12345678901234567", "1.5", "2.5", "3.5", "4.5"]]
)
def test_a_column_of_longer_numbers_is_text(texts):
    assert column_type(pd.Series(texts)) == "STRING"


def test_a_number_without_end_is_none():
    numbers = convert(
        pd.Series(["1e400", "inf", "1e300", "-2.5", "99999999999999999999999"]), "FLOAT"
    )
    assert numbers.isna().tolist() == [True, True, False, False, False]
    assert numbers.dtype == np.float64


def test_an_instant_of_nanoseconds_is_cut_to_what_bigquery_keeps():
    instants = convert(pd.Series(["2026-01-01T00:00:00.123456789Z", None]), "TIMESTAMP")
    column = pa.array(instants, type=pa.timestamp("us", tz="UTC"), from_pandas=True)
    assert column.to_pylist()[0].microsecond == 123456
