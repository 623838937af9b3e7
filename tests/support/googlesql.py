"""Google's own SQL analyzer and reference executor, for tests.

The `zetasql` wheel holds both as WebAssembly. `analyse` types a query against given tables;
`execute` runs a query over its own literals. They are the check that keeps the emulator honest.

Compiling the module takes many seconds, so the compiled module is kept in a cache folder:
SHELFCAST_GOOGLESQL_CACHE, else `.local/cache/googlesql` in the repository.
"""

import ctypes
import datetime as dt
import decimal
import functools
import hashlib
import json
import os
import re
import tempfile
from collections.abc import Callable, Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

import wasmtime
from zetasql.api import TableBuilder, TypeFactory
from zetasql.core import ZetaSqlLocalService
from zetasql.core.exceptions import ServerError
from zetasql.core.wasm_client import WasmClient, get_tzinfo_dir
from zetasql.types import (
    AnalyzerOptions,
    EvaluateQueryRequest,
    LanguageOptions,
    ProductMode,
    SimpleCatalog,
    TypeKind,
    ZetaSQLBuiltinFunctionOptions,
)
from zetasql.wasi import get_wasm_path
from zetasql.wasi._pb2.zetasql.local_service import local_service_pb2

from emulators.bigquery.sql.text import split_top_level

TableName = tuple[str, str, str]
Columns = Mapping[str, str]

_DEFAULT_CACHE = Path(__file__).parents[2] / ".local" / "cache" / "googlesql"
_EPOCH = dt.date(1970, 1, 1)

_BIGQUERY_ONLY = {
    "max_by": "any_value(x having max y)",
    "min_by": "any_value(x having min y)",
    "contains_substr": "strpos or regexp_contains",
    "information_schema": "a table given to `analyse`",
    "_partitiontime": "the column that the table is partitioned by",
    "_partitiondate": "the column that the table is partitioned by",
}


class GoogleSqlError(Exception):
    """The query is wrong, or asks for something that the wheel lacks; the text says which."""


def analyse(sql: str, tables: Mapping[TableName, Columns]) -> dict[str, str]:
    """Type a query.

    Args:
        sql: one query, or one CREATE TABLE, with AS or with columns. A path may be back-ticked
            whole or in parts.
        tables: {(project, dataset, table): {column: type}} of every table that it reads.

    Returns:
        {column: type}, types as GoogleSQL writes them: `INT64`, `ARRAY<STRUCT<a DATE>>`.

    Raises:
        GoogleSqlError: the query does not analyse.
    """
    response = _call(
        sql,
        _service().analyze,
        sql_statement=_split_paths(sql),
        options=_options(),
        simple_catalog=_catalog(tables),
    )
    resolved = response.resolved_statement
    if defined := getattr(resolved, "column_definition_list", None):
        return {column.name: type_name(column.type) for column in defined}
    return {column.name: type_name(column.column.type) for column in resolved.output_column_list}


def parse(script: str) -> None:
    """Parse a script: statements, loops and DDL of any kind; nothing is resolved.

    Raises:
        GoogleSqlError: a syntax error, with its line and column.
    """
    _call(script, _service().parse, sql_statement=script, allow_script=True, options=_language())


def execute(sql: str) -> tuple[list[str], list[tuple[Any, ...]]]:
    """Run a query over its own literals in Google's reference executor.

    Returns:
        (column names, rows). Values are Python's: a STRUCT is a dict, JSON is parsed, NUMERIC is
        a Decimal, TIMESTAMP an aware datetime, and a null ARRAY is [], as BigQuery returns it.

    Raises:
        GoogleSqlError: the query is wrong, fails, or uses what the executor lacks.
    """
    service = _service()
    prepared = _call(
        sql,
        service.prepare_query,
        sql=_split_paths(sql),
        options=_options(),
        simple_catalog=_catalog({}),
    ).prepared
    try:
        content = _call(sql, _evaluate, query_id=prepared.prepared_query_id)
    finally:
        service.unprepare_query(prepared_query_id=prepared.prepared_query_id)
    types = [column.type for column in prepared.columns]
    rows = [
        tuple(_python(value, kind) for value, kind in zip(row.cell, types, strict=True))
        for row in content.table_data.row
    ]
    return [column.name for column in prepared.columns], rows


def type_name(kind: Any) -> str:
    """Write an analyzer's type as GoogleSQL does."""
    if kind.array_type:
        return f"ARRAY<{type_name(kind.array_type.element_type)}>"
    if kind.struct_type:
        fields = (f"{f.field_name} {type_name(f.field_type)}" for f in kind.struct_type.field)
        return f"STRUCT<{', '.join(fields)}>"
    name = TypeKind(kind.type_kind).name.removeprefix("TYPE_")
    return {"DOUBLE": "FLOAT64", "FLOAT": "FLOAT32"}.get(name, name)


def _evaluate(query_id: int) -> Any:
    """Run a prepared query; the wheel's own reading of the answer loses timestamps."""
    return (
        _service()
        .wasm_client.call_grpc_func(
            "ZetaSqlLocalService_EvaluateQuery",
            EvaluateQueryRequest(prepared_query_id=query_id).to_proto(),
            local_service_pb2.EvaluateQueryResponse,
        )
        .content
    )


def _call(query: str, function: Callable[..., Any], /, **request: Any) -> Any:
    try:
        return function(**request)
    except ServerError as error:
        raise GoogleSqlError(_explain(error, query)) from error


def _explain(error: ServerError, sql: str) -> str:
    text = f"{error}\n{sql.strip()[:2000]}"
    for name, instead in _BIGQUERY_ONLY.items():
        if re.search(rf"\b{name}\b", sql, re.IGNORECASE):
            return f"{text}\nBigQuery has {name}, the zetasql wheel does not: use {instead}."
    if getattr(error.code, "name", "") == "UNIMPLEMENTED":
        return f"{text}\nThe wheel's executor lacks this; `analyse` may still type it."
    return text


def _split_paths(sql: str) -> str:
    """Write `p.d.t`, back-ticked whole, as `p`.`d`.`t`; the analyzer knows only the parts."""
    return re.sub(r"`([\w-]+)\.([\w-]+)\.(\w+)`", r"`\1`.`\2`.`\3`", sql)


@functools.cache
def _language() -> LanguageOptions:
    _service()
    language = LanguageOptions.maximum_features()
    language.reserved_keywords = [*(language.reserved_keywords or []), "QUALIFY"]
    language.product_mode = ProductMode.PRODUCT_EXTERNAL
    return language


def _options() -> AnalyzerOptions:
    options = AnalyzerOptions(language_options=_language())
    options.default_timezone = "UTC"
    return options


def _catalog(tables: Mapping[TableName, Columns]) -> SimpleCatalog:
    root = SimpleCatalog(name="root", table=[], catalog=[])
    root.builtin_function_options = ZetaSQLBuiltinFunctionOptions(language_options=_language())
    folders: dict[tuple[str, ...], SimpleCatalog] = {(): root}
    for (project, dataset, table), columns in tables.items():
        for path in ((project,), (project, dataset)):
            if path not in folders:
                folders[path] = SimpleCatalog(name=path[-1], table=[], catalog=[])
                folders[path[:-1]].catalog.append(folders[path])
        builder = TableBuilder(table)
        for column, kind in columns.items():
            builder.add_column(column, _analyzer_type(kind))
        folders[project, dataset].table.append(builder.build())
    return root


_ALIASES = {
    "INTEGER": "INT64",
    "INT": "INT64",
    "FLOAT": "DOUBLE",
    "FLOAT64": "DOUBLE",
    "BOOLEAN": "BOOL",
    "DECIMAL": "NUMERIC",
}


def _analyzer_type(kind: str) -> Any:
    """Read a type such as `array<struct<a int64, b string>>`.

    Raises:
        GoogleSqlError: no such type.
    """
    name, _, inner = kind.strip().partition("<")
    inner = inner.strip().removesuffix(">")
    if name.strip().upper() == "ARRAY":
        return TypeFactory.create_array_type(_analyzer_type(inner))
    if name.strip().upper() == "STRUCT":
        fields = (field.split(None, 1) for field in split_top_level(inner, ","))
        return TypeFactory.create_struct_type(
            [(field.strip("`"), _analyzer_type(of)) for field, of in fields]
        )
    simple = name.split("(")[0].strip().upper()
    try:
        return TypeFactory.create_simple_type(TypeKind[f"TYPE_{_ALIASES.get(simple, simple)}"])
    except KeyError:
        raise GoogleSqlError(f"no such type: {kind}") from None


def _python(value: Any, kind: Any) -> Any:
    """Read a protobuf value; `kind` names the fields of a STRUCT."""
    if kind.array_type:
        return [_python(part, kind.array_type.element_type) for part in value.array_value.element]
    field = value.WhichOneof("value")
    if field is None:
        return None
    if kind.struct_type:
        fields = zip(kind.struct_type.field, value.struct_value.field, strict=True)
        return {part.field_name: _python(of, part.field_type) for part, of in fields}
    return _decode(field, getattr(value, field))


def _decode(field: str, raw: Any) -> Any:
    decoders: dict[str, Callable[[Any], Any]] = {
        "date_value": lambda days: _EPOCH + dt.timedelta(days=days),
        "datetime_value": _datetime,
        "timestamp_value": lambda stamp: stamp.ToDatetime(tzinfo=dt.UTC),
        "time_value": _time,
        "numeric_value": lambda number: _decimal(number, 9),
        "bignumeric_value": lambda number: _decimal(number, 38),
        "json_value": json.loads,
    }
    plain = ("bool", "int64", "int32", "double", "float", "string", "bytes")
    if field in decoders:
        return decoders[field](raw)
    if field.removesuffix("_value") in plain:
        return raw
    raise GoogleSqlError(f"{field.removesuffix('_value')} values are not read: cast to STRING.")


def _bits(packed: int, *widths: int) -> list[int]:
    """Unpack fields of given widths, the last one lowest."""
    fields = []
    for width in reversed(widths):
        fields.append(packed & ((1 << width) - 1))
        packed >>= width
    return fields[::-1]


def _datetime(value: Any) -> dt.datetime:
    seconds = _bits(value.bit_field_datetime_seconds, 14, 4, 5, 5, 6, 6)
    return dt.datetime(*seconds, value.nanos // 1000)


def _time(packed: int) -> dt.time:
    hour, minute, second, nanos = _bits(packed, 5, 6, 6, 30)
    return dt.time(hour, minute, second, nanos // 1000)


def _decimal(raw: bytes, scale: int) -> decimal.Decimal:
    with decimal.localcontext(prec=80):
        return decimal.Decimal(int.from_bytes(raw, "little", signed=True)).scaleb(-scale)


@functools.cache
def _service() -> ZetaSqlLocalService:
    service = ZetaSqlLocalService.__new__(ZetaSqlLocalService)
    service.wasm_client = _FastClient(get_wasm_path())
    # Parts of the wheel ask for this instance; without it they would compile a second module.
    ZetaSqlLocalService._instance = service
    return service


class _FastClient(WasmClient):
    """The wheel's client with a cached module, and memory copied at once instead of by byte."""

    def __init__(self, wasm_path: str) -> None:
        wasi = wasmtime.WasiConfig()
        wasi.inherit_stdout()
        wasi.inherit_stderr()
        if zone_folder := get_tzinfo_dir():
            wasi.preopen_dir(zone_folder, "/usr/share/zoneinfo")
        config = wasmtime.Config()
        config.shared_memory = True
        engine = wasmtime.Engine(config)
        self.store = wasmtime.Store(engine)
        self.store.set_wasi(wasi)
        self.module = compiled_module(engine, Path(wasm_path), cache_folder())
        linker = wasmtime.Linker(engine)
        linker.define_wasi()
        self.instance = linker.instantiate(self.store, self.module)
        self.exports = self.instance.exports(self.store)
        self.exports["_initialize"](self.store)
        self.memory = self.exports["memory"]

    def _address(self, pointer: int) -> int:
        return ctypes.addressof(self.memory.data_ptr().contents) + pointer

    def write_bytes(self, ptr: int, data: bytes) -> None:
        ctypes.memmove(self._address(ptr), data, len(data))

    def read_bytes(self, ptr: int, size: int) -> bytes:
        return ctypes.string_at(self._address(ptr), size)


def cache_folder() -> Path:
    """Return the folder that the compiled module is kept in."""
    return Path(os.environ.get("SHELFCAST_GOOGLESQL_CACHE") or _DEFAULT_CACHE)


def compiled_module(engine: wasmtime.Engine, source: Path, cache: Path) -> wasmtime.Module:
    """Compile a module, or take it from the cache.

    Many processes may do so at once: a file appears under its name only when it is whole.
    """
    key = f"{version('wasmtime')}|{version('zetasql')}|{source.stat().st_size}"
    cached = cache / f"zetasql-{hashlib.sha256(key.encode()).hexdigest()[:16]}.cwasm"
    if cached.exists():
        try:
            return wasmtime.Module.deserialize_file(engine, str(cached))
        except wasmtime.WasmtimeError:
            cached.unlink(missing_ok=True)  # compiled for another processor, or damaged
    module = wasmtime.Module.from_file(engine, str(source))
    cache.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=cache, suffix=".part", delete=False) as part:
        part.write(module.serialize())
    Path(part.name).replace(cached)
    return module
