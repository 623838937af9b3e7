"""Statements that dbt sends, in the form that the emulator runs, or runs in time."""

import re

from emulators.bigquery.sql.text import PATH, mask, replace_matches

_OVERWRITE = re.compile(
    rf"\s*merge\s+into\s+(?P<table>{PATH})\s+as\s+(?P<alias>\w+)\s+using\s*(?P<source>\(.*\))\s*"
    r"as\s+\w+\s+on\s+false\s+when\s+not\s+matched\s+by\s+source\s+and\s+(?P<replaced>.*?)\s+"
    r"then\s+delete\s+when\s+not\s+matched\s+then\s+insert\s*(?P<columns>\(.*?\))\s*values\s*"
    r"(?P<values>\(.*\))\s*$",
    re.IGNORECASE | re.DOTALL,
)
_PARTITION_LIST = re.compile(
    r"select\s+as\s+struct\s+array_agg\s*\(\s*distinct\s+(?P<value>.+?)\s+ignore\s+nulls\s*\)"
    rf"\s*from\s+(?P<table>{PATH})",
    re.IGNORECASE | re.DOTALL,
)
_TABLES_VIEW = re.compile(r"`?(?P<path>[\w-]+`?\.`?\w+)`?\.`?__TABLES__`?", re.IGNORECASE)
_GRANT = re.compile(r"\s*(?:grant|revoke)\b", re.IGNORECASE)


def split_overwrite(sql: str) -> str:
    """Turn dbt's `merge … on false` of replaced partitions into a DELETE and an INSERT.

    DuckDB compares each row of the source with each of the table, which takes minutes. The two are
    one transaction, as the MERGE is.
    """
    merge = _OVERWRITE.match(sql)
    if not merge:
        return sql
    replaced = re.sub(rf"\b{merge['alias']}\.", "", merge["replaced"])
    return (
        f"begin transaction;\ndelete from {merge['table']} where {replaced};\n"
        f"insert into {merge['table']} {merge['columns']} "
        f"select {merge['values'].strip()[1:-1]} from {merge['source']};\ncommit transaction"
    )


def collect_partitions(sql: str) -> str:
    """Rewrite how dbt's dynamic insert_overwrite lists the partitions to replace.

    The emulator takes neither SELECT AS STRUCT nor IGNORE NULLS in it.
    """

    def replacement(match: re.Match[str]) -> str:
        value = sql[match.start("value") : match.end("value")]
        return f"select array_agg(distinct {value}) from {match['table']} where {value} is not null"

    return replace_matches(_PARTITION_LIST, sql, replacement)


def answer_tables_view(sql: str) -> str:
    """Answer `dataset.__TABLES__` from INFORMATION_SCHEMA; sizes and times are zero."""

    def replacement(match: re.Match[str]) -> str:
        project, dataset = match["path"].replace("`", "").split(".")
        return _tables_of(project, dataset)

    return replace_matches(_TABLES_VIEW, sql, replacement)


def _tables_of(project: str, dataset: str) -> str:
    return (
        f"(select '{project}' as project_id, '{dataset}' as dataset_id, table_name as table_id, "
        "case when table_type = 'VIEW' then 2 else 1 end as type, 0 as row_count, "
        "0 as size_bytes, 0 as creation_time, 0 as last_modified_time "
        f"from `{project}`.`{dataset}`.INFORMATION_SCHEMA.TABLES)"
    )


def skip_grants(sql: str) -> str:
    """Answer GRANT and REVOKE with nothing: a laptop has no users."""
    return "select 1" if _GRANT.match(mask(sql)) else sql
