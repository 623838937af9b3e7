"""The events that a retraining writes of a series."""

from datetime import UTC, datetime
from types import SimpleNamespace

import pytest

from python_jobs.selection.retrain_record import Record, _event_rows

AT = datetime(2026, 6, 24, 19, tzinfo=UTC)
RUN = SimpleNamespace(
    run_id="R1",
    use_case=SimpleNamespace(name="sku_weekly"),
    origins=[SimpleNamespace(as_of_at=AT)],
)


@pytest.mark.parametrize(
    ("winner", "loser", "told"),
    [
        ("v2", "v1", [("serving", "v2"), ("candidate", "v1")]),
        ("v2", None, [("serving", "v2")]),
        (None, "v1", [("candidate", "v1")]),
        (None, None, [("no_model", None)]),
    ],
)
def test_a_decision_is_written_down_whatever_could_be_fitted(winner, loser, told):
    numbers = {"decision": "serve_baseline", "why": "both are worse"}
    record = Record(
        "2026-06-24", {"A": {"winner": winner, "loser": loser, "numbers": numbers}}, [], True
    )
    rows = _event_rows(RUN, SimpleNamespace(name="window"), record, "A")
    assert [(row["stage"], row.get("model_version")) for row in rows] == told
    assert {row["reason"] for row in rows} == {"serve_baseline"}
