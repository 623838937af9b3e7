"""Forecast the series of a run and account for each."""

from __future__ import annotations

from python_jobs.infra.errors import RunStopped
from python_jobs.infra.run import Run, step
from python_jobs.prediction.gate import check_gate
from python_jobs.prediction.predict import PredictReport, predict
from python_jobs.runs.context import RunContext
from python_jobs.runs.leases import require_lease
from python_jobs.runs.steps import Step


def forecast(context: RunContext, run: Run) -> PredictReport:
    """Check the gate, predict, and account for every series."""
    gate = check_gate(context.warehouse, run)
    with step(context.warehouse, run, "predict") as counts:
        report = PredictReport()
        if len(gate):
            report = predict(
                context.warehouse, context.store, run, context.n_jobs, context.show("predict")
            )
        counts.n_in, counts.n_out = len(gate), report.n_forecast
        counts.message = str(report)
        check_account("predict", len(gate), report)
        require_lease(context, run)
    return report


def check_account(job: str, n_in: int, report: PredictReport) -> None:
    """Compare what went into a job with what came out of it.

    Raises:
        RunStopped: a series-origin is neither forecast, nor fallen back, nor refused.
    """
    if n_in != report.n_forecast + report.n_fallback + report.n_refused:
        raise RunStopped(
            f"{job}: {n_in} series-origins went in and {report}. Nothing is published; "
            "start the run again."
        )


FORECAST = Step("predict", forecast, "predicted", is_sharded=True, reads_panels=True)
