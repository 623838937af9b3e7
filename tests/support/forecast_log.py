"""What the emulators' tests load into a log of forecasts."""

import datetime as dt
import uuid

import pandas as pd


def frame(n: int = 2) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "yhat_upper": [2.5] * n,
            "series_id": [f"N1|retail|A{number}" for number in range(n)],
            "target_date": [dt.date(2026, 1, 5)] * n,
            "yhat": [1.5] * n,
            "issued_at": pd.to_datetime(["2026-01-07T10:00:00Z"] * n),
        }
    )


def new_id() -> str:
    return f"run-{uuid.uuid4().hex}-forecast_log-0"
