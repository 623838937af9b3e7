"""A table of the emulators' tests."""

import pytest

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
