"""Whether the models of a run could be used, but for a few."""

from __future__ import annotations

import pandas as pd

from python_jobs.infra.errors import RunStopped
from python_jobs.infra.run import Run

LOST = ("model_unreadable", "predict_failed")
"""How the reasons of a fallback begin that are the model's own fault."""


def require_usable_models(run: Run, rows: pd.DataFrame) -> None:
    """Check that the champion's models could be read and asked, but for a few.

    A series whose model is lost falls back. Where that happens to more than max_refused_share of
    the series that a model was to forecast, the store or the family is broken, and the run must not
    publish baselines for everybody.

    Args:
        run: whose rows they are.
        rows: of the champion, as `predict.forecast` returns them.

    Raises:
        RunStopped: more models than that could not be used.
    """
    asked = rows[rows["route"] == "model"]
    lost = asked[asked["reason"].astype(str).str.startswith(LOST)]
    n_asked, n_lost = asked["series_id"].nunique(), lost["series_id"].nunique()
    limit = run.use_case.max_refused_share
    if n_lost > limit * n_asked:
        first = lost.iloc[0]
        raise RunStopped(
            f"predict: {n_lost} of {n_asked} models could not be used, more than max_refused_share "
            f"{limit:.0%} (first: {first['series_id']}: {first['reason']}). Nothing is published. "
            "Look at the model store (`shelfcast models verify`), or make the models again "
            "(`shelfcast train`)."
        )
