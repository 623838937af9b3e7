"""What a run says while it works: text on a terminal, one JSON object a line otherwise.

Event names are fixed and listed here, because alerts outside are built on them.
"""

from __future__ import annotations

import logging
import sys
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, TextIO

import orjson

LOGGER = logging.getLogger("shelfcast")


class Event(StrEnum):
    """Every event that a job may log."""

    RUN_STARTED = "run_started"
    RUN_ENDED = "run_ended"
    RUN_FAILED = "run_failed"
    RUN_OVERDUE = "run_overdue"
    RUNS_ON_TIME = "runs_on_time"
    LEASE_LOST = "lease_lost"
    STEP_STARTED = "step_started"
    STEP_ENDED = "step_ended"
    TASK_ENDED = "task_ended"
    STALE_ACTUALS = "stale_actuals"
    REPLAYED_AS_RESTATED = "replayed_as_restated"
    SERIES_FELL_BACK = "series_fell_back"
    SERIES_REFUSED = "series_refused"
    MODELS_FAULTY = "models_faulty"
    FIT_FAILED = "fit_failed"
    SIGN_CONTRADICTED = "sign_contradicted"
    PRIORS_IN_FORCE = "priors_in_force"
    ACCURACY_ALERT = "accuracy_alert"
    NO_NEW_ALERT = "no_new_alert"
    TUNED = "tuned"
    RETRAINED = "retrained"
    PROMOTED = "promoted"
    HOLIDAYS_MADE = "holidays_made"
    HOLIDAYS_MISSING = "holidays_missing"
    ROWS_LOADED = "rows_loaded"
    LOADED_APART = "loaded_apart"
    OUTSIDE_RANGE = "outside_range"
    ROWS_REJECTED = "rows_rejected"
    UPLOAD_REFUSED = "upload_refused"
    WEATHER_FETCHED = "weather_fetched"
    WEATHER_NOT_FETCHED = "weather_not_fetched"
    WEATHER_NOT_KEPT = "weather_not_kept"
    PLACES_MISSING = "places_missing"
    ALREADY_WRITTEN = "already_written"
    REPORT_WRITTEN = "report_written"


def log(event: Event, message: str, *, level: int = logging.INFO, **fields: Any) -> None:  # noqa: ANN401
    """Log an event: a sentence for people, and fields for machines (run_id among them)."""
    LOGGER.log(level, message, extra={"event": event.value, "fields": fields})


def warn(event: Event, message: str, **fields: Any) -> None:  # noqa: ANN401
    """Log an event that somebody should look at."""
    log(event, message, level=logging.WARNING, **fields)


class TextFormatter(logging.Formatter):
    """`12:03:55 message`, for a terminal; a warning says so."""

    def format(self, record: logging.LogRecord) -> str:
        """Format one record."""
        at = datetime.fromtimestamp(record.created).astimezone().strftime("%H:%M:%S")
        grave = f"{record.levelname.lower()}: " if record.levelno >= logging.WARNING else ""
        return f"{at} {grave}{record.getMessage()}"


class JsonFormatter(logging.Formatter):
    """One JSON object a line, in the shape that Cloud Logging reads: severity, message, event."""

    def format(self, record: logging.LogRecord) -> str:
        """Format one record."""
        entry = {
            "severity": record.levelname,
            "message": record.getMessage(),
            "event": getattr(record, "event", None),
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(),
            **getattr(record, "fields", {}),
        }
        return orjson.dumps(entry, default=str, option=orjson.OPT_SERIALIZE_NUMPY).decode()


class _ToStderr(logging.StreamHandler[TextIO]):
    """Writes to what sys.stderr is at that moment, so that lines stand above progress bars."""

    def __init__(self) -> None:
        logging.Handler.__init__(self)

    @property
    def stream(self) -> TextIO:  # type: ignore[override]
        return sys.stderr


def set_up(stream: TextIO | None = None, *, as_json: bool | None = None) -> None:
    """Send the log to a stream (stderr): text on a terminal, JSON elsewhere, unless told."""
    handler = _ToStderr() if stream is None else logging.StreamHandler(stream)
    is_json = not handler.stream.isatty() if as_json is None else as_json
    handler.setFormatter(JsonFormatter() if is_json else TextFormatter())
    LOGGER.handlers = [handler]
    LOGGER.setLevel(logging.INFO)
    LOGGER.propagate = False
