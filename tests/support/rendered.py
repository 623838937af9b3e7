"""SQL macros as dbt renders them, in a project that holds the macros and no model.

What a macro refers to is given as literal rows: `ref` by an ephemeral model, `source` by its rows
in place of the table. So the SQL reads no table, and any engine can run it.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from typing import Any

import yaml

from tests.support import compiled
from tests.support.site import ROOT, Site


def macro_project(site: Site, templates: Mapping[str, str], refs: Mapping[str, str]) -> Site:
    """Give a site a project of macros only.

    Args:
        site: its settings are what the macros read.
        templates: {name: SQL with macros}, to be rendered by `render`.
        refs: {model: its rows as SQL}.
    """
    project = site.folder / "project"
    shutil.copytree(ROOT / "macros", project / "macros")
    for name in ("dbt_project.yml", "profiles.example.yml"):
        shutil.copy(ROOT / name, project / name)
    for folder, files in (("models", refs), ("analyses", templates)):
        (project / folder).mkdir()
        for name, text in files.items():
            start = "{{ config(materialized='ephemeral') }}\n" if folder == "models" else ""
            (project / folder / f"{name}.sql").write_text(start + text)
    (project / "models" / "sources.yml").write_text(yaml.safe_dump({"sources": sources()}))
    site.project = project
    return site


def sources() -> list[dict[str, Any]]:
    """The log tables by name; every other source is a table `rows`, which is never read."""
    files = ("sources.yml", "features/sku_weekly/_sku_weekly.yml")
    contents = [yaml.safe_load((ROOT / "models" / file).read_text()) for file in files]
    ours = [source for content in contents for source in content["sources"]]
    logs = [source for source in ours if source["name"] == "logs"]
    others = [
        {"name": source["name"], "schema": source["name"], "tables": [{"name": "rows"}]}
        for source in ours
        if source["name"] != "logs"
    ]
    return logs + others


def render(site: Site, tables: Mapping[str, str]) -> dict[str, str]:
    """Render the templates.

    Args:
        site: with a project of macros.
        tables: {source.table: rows as SQL, which take its place}.
    """
    manifest = compiled.compile_project(site)
    rendered = {}
    for node in manifest["nodes"].values():
        if node["resource_type"] == "analysis":
            rendered[node["name"]] = _without_sources(node["compiled_code"], manifest, tables)
    return rendered


def _without_sources(sql: str, manifest: dict[str, Any], tables: Mapping[str, str]) -> str:
    for source in manifest["sources"].values():
        name = f"{source['source_name']}.{source['name']}"
        if name in tables:
            sql = sql.replace(source["relation_name"], f"({tables[name]})")
    return sql
