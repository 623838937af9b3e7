"""Let the emulator translate, qualify and classify each text once.

Most of the emulator's time went to translating GoogleSQL that it had translated before. The
template of a text (see `templates`) is translated, and kept in a file of the user's cache folder
that all emulators of the user share.
"""

import re
from collections.abc import Awaitable, Callable, Iterable
from typing import Any

from bqemulator.domain.result import Ok, Result
from bqemulator.jobs import executor

from emulators.bigquery import cache, sql
from emulators.bigquery.templates import Template, template_of

_DROP = re.compile(r"\s*drop\b", re.IGNORECASE)
_CHANGES_NO_ROW = re.compile("SELECT|(CREATE|DROP|ALTER)_.+")


def _once(kind: str, template: Template, *rest: str, make: Callable[[str], str]) -> str:
    """Make something of a template's text, once for each, and put the values into it.

    Args:
        kind: what is made.
        template: of the text that it is made of.
        rest: everything else that the result depends on.
        make: makes it.
    """
    key = (kind, template.text, *rest)
    known = cache.translations().get(*key)
    if known is None:
        known = make(template.text)
        cache.translations().put(known, *key)
    return template.fill(known)


def rewrite_once(bq_sql: str) -> str:
    """Return `sql.rewrite` of a text."""
    return _once("rewritten", template_of(bq_sql), make=sql.rewrite)


def translate_once(original: Callable[..., Result[str, Any]]) -> Callable[..., Result[str, Any]]:
    """Keep the translation of each text for the types of its columns; errors are not kept."""

    def translate(
        translator: Any, bq_sql: str, *, schema: Any = None, caller: Any = None, **rest: Any
    ) -> Result[str, Any]:
        template = template_of(bq_sql)
        key = ("translation", template.text, repr(schema), repr(caller))
        known = cache.translations().get(*key)
        if known is None:
            result = original(translator, template.text, schema=schema, caller=caller, **rest)
            if not isinstance(result, Ok):
                # The error of the text itself, which names no placeholder.
                return original(translator, bq_sql, schema=schema, caller=caller, **rest)
            known = result.value
            cache.translations().put(known, *key)
        return Ok(template.fill(known))

    return translate


def qualify_once(original: Callable[[str, str], str]) -> Callable[[str, str], str]:
    """Keep the text in which each table is named as DuckDB names it."""

    def rewrite_table_refs(duckdb_sql: str, project_id: str) -> str:
        def make(text: str) -> str:
            return original(text, project_id)

        return _once("qualified", template_of(duckdb_sql), project_id, make=make)

    return rewrite_table_refs


class _RecordingCatalog:
    """A catalog that knows no table and records which ones it was asked for."""

    def __init__(self) -> None:
        self.paths: list[tuple[str, str, str]] = []

    def get_table(self, project_id: str, dataset_id: str, table_id: str) -> None:
        self.paths.append((project_id, dataset_id, table_id))

    def list_row_access_policies(self, *_path: str) -> tuple[()]:
        return ()


def _quoted(paths: Iterable[tuple[str, ...]]) -> list[str]:
    """Write paths such that `template_of` finds their datasets."""
    return [".".join(f"`{part}`" for part in path) for path in paths]


def read_tables_once(original: Callable[..., dict[str, Any]]) -> Callable[..., dict[str, Any]]:
    """Keep which tables a text names; their present columns are looked up in the catalog."""

    def build_catalog_schema(bq_sql: str, *, project_id: str, catalog: Any) -> dict[str, Any]:
        def make(text: str) -> str:
            recorded = _RecordingCatalog()
            original(text, project_id=project_id, catalog=recorded)
            tables = _quoted(recorded.paths)
            return f"select * from {', '.join(tables)}" if tables else "select 1"

        short = _once("read tables", template_of(bq_sql), project_id, make=make)
        return original(short, project_id=project_id, catalog=catalog)

    return build_catalog_schema


def expand_once(original: Callable[..., str]) -> Callable[..., str]:
    """Rewrite only what reads a view or a table with policies, and each text with its views once.

    A view that is read becomes a subquery, which depends on its text and on those of the views that
    it reads in turn. What policies make of a text depends on the caller, and is not kept.
    """

    def rewrite_for_row_access(bq_sql: str, *, project_id: str, catalog: Any, **rest: Any) -> str:
        def rewrite(text: str, known_tables: Any) -> str:
            return original(text, project_id=project_id, catalog=known_tables, **rest)

        views = _views_read(bq_sql, project_id, catalog, rewrite)
        if views is None:
            return rewrite(bq_sql, catalog)
        if not views:
            return bq_sql
        template = template_of("\n".join([bq_sql, *views]))
        key = ("expanded", template.text, project_id)
        known = cache.translations().get(*key)
        if known is None:
            expanded = rewrite(bq_sql, catalog)
            known = template.generalise(expanded)
            if template.fill(known) != expanded:
                return expanded
            cache.translations().put(known, *key)
        return template.fill(known)

    return rewrite_for_row_access


def _views_read(
    bq_sql: str, project_id: str, catalog: Any, rewrite: Callable[[str, Any], str]
) -> list[str] | None:
    """Return `path: text` of each view that a text reads, also through views.

    None if one of the tables has row access policies.
    """
    texts, views = [bq_sql], dict[str, str]()
    for text in texts:
        for name in _tables_read(text, project_id, rewrite):
            path = name[1:-1].split("`.`")
            if catalog.list_row_access_policies(*path):
                return None
            table = catalog.get_table(*path)
            body = table.view_query if table and table.table_type == "VIEW" else None
            if body and name not in views:
                views[name] = body
                texts.append(body)
    return [f"{name}: {body}" for name, body in views.items()]


def _tables_read(bq_sql: str, project_id: str, rewrite: Callable[[str, Any], str]) -> list[str]:
    """Return the tables that the emulator looks up before it rewrites a text, as quoted paths."""

    def make(text: str) -> str:
        recorded = _RecordingCatalog()
        rewrite(text, recorded)
        return "\n".join(_quoted(recorded.paths))

    template = template_of(bq_sql)
    return _once("tables of policies", template, project_id, make=make).splitlines()


def classify_once(original: Callable[[str], str]) -> Callable[[str], str]:
    """Keep the kind of statement that each text is."""

    def classify_statement_type(bq_sql: str) -> str:
        return _once("statement type", template_of(bq_sql), make=original)

    return classify_statement_type


def only_drops(original: Callable[[str, str], Any]) -> Callable[[str, str], Any]:
    """Look for a routine's name only in statements that drop something."""

    def detect_drop_routine(bq_sql: str, default_project: str) -> Any:
        return original(bq_sql, default_project) if _DROP.match(bq_sql) else None

    return detect_drop_routine


def only_dropped_relations(original: Callable[[str], Any]) -> Callable[[str], Any]:
    """Look for a table, a view or a schema only in statements that drop something."""

    def detect_catalog_drop(bq_sql: str) -> Any:
        return original(bq_sql) if _DROP.match(bq_sql) else None

    return detect_catalog_drop


def only_where_rows_change(original: Callable[..., Any]) -> Callable[..., Any]:
    """Examine only statements that may change rows."""

    def examine(project_id: str, bq_sql: str, ctx: Any) -> Any:
        if _CHANGES_NO_ROW.fullmatch(executor.classify_statement_type(bq_sql)):
            return None
        return original(project_id, bq_sql, ctx)

    return examine


def only_where_rows_change_async(
    original: Callable[..., Awaitable[None]],
) -> Callable[..., Awaitable[None]]:
    """Do as `only_where_rows_change`, for a coroutine."""
    examine = only_where_rows_change(original)

    async def examine_and_wait(project_id: str, bq_sql: str, ctx: Any) -> None:
        examined = examine(project_id, bq_sql, ctx)
        if examined is not None:
            await examined

    return examine_and_wait
