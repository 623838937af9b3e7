"""A deployment filled with what another one holds: a run is played once, and asked by many."""

from __future__ import annotations

from google.cloud import bigquery

from python_jobs.infra.store import open_store
from tests.support.site import Site


def copied(source: Site, into: Site) -> Site:
    """Fill an unused deployment with another's tables, views and models, and return it.

    What the warehouse remembers of load jobs stays with the source: a run id of the source's is a
    new one in the copy.

    Raises:
        DbtFailed: a view of the source reads what the source does not hold.
    """
    client = source.context().warehouse.client
    views: list[str] = []
    for listed in client.list_datasets():
        if listed.dataset_id.startswith(f"{source.dataset}_"):
            client.create_dataset(_renamed(listed.dataset_id, source, into))
            views += _copy_tables(client, listed.dataset_id, source, into)
    _copy_models(source, into)
    into.context().dbt.run("run", "--select", *views)
    return into


def _copy_tables(client: bigquery.Client, dataset: str, source: Site, into: Site) -> list[str]:
    """Copy a dataset's tables, and name its views, which dbt makes of their SQL alone."""
    views = []
    for item in client.list_tables(dataset):
        original = client.get_table(item.reference)
        if original.table_type == "VIEW":
            views.append(item.table_id)
            continue
        name = _renamed(str(original.reference), source, into)
        client.copy_table(original.reference, name).result()
        _describe(client, name, original)
    return views


def _describe(client: bigquery.Client, name: str, original: bigquery.Table) -> None:
    """Give a copy the description of the original and of its columns."""
    copy = client.get_table(name)
    copy.description, copy.schema = original.description, original.schema
    client.update_table(copy, ["description", "schema"])


def _renamed(name: str, source: Site, into: Site) -> str:
    return name.replace(source.dataset, into.dataset)


def _copy_models(source: Site, into: Site) -> None:
    """Copy what the model store holds; leases are between runs of one deployment."""
    store = open_store(source.models_uri)
    names = [stored.name for stored in store.list("") if not stored.name.startswith("leases/")]
    open_store(into.models_uri).put_many({name: store.get(name) for name in names})
