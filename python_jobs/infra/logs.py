"""The log of a run: text on a terminal, one JSON object a line otherwise.

On Cloud Run the lines go to stdout, elsewhere to stderr. Each carries what its run is, without the
caller's having to say so. Event names are fixed and listed here, because alerts outside are built
on them; docs/events.md says what each means.
"""

from __future__ import annotations

import json
import logging
import os
import sys
import traceback
from collections.abc import Callable, Mapping
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Any, TextIO, TypeVar
from urllib.parse import quote, quote_plus

import orjson

from python_jobs.infra.errors import SettingsError
from python_jobs.infra.foreign import unforeseen

FORMATS = ("auto", "json", "text")
MOST_BYTES = 200_000
"""Of an entry; Cloud Logging takes 256 KB, what it adds itself included."""

LABELS = (
    "run_id",
    "run_kind",
    "use_case",
    "job",
    "execution",
    "task_index",
    "attempt",
    "model_name",
    "model_version",
)
"""Fields that are also labels of the entry, by which Cloud Logging finds it quickly."""

SECRETS = ("SHELFCAST_WEATHER_KEY",)
"""Variables whose value no line may hold, whoever wrote it."""

REPORTED = "type.googleapis.com/google.devtools.clouderrorreporting.v1beta1.ReportedErrorEvent"
"""The type of an entry that Error Reporting takes."""

ResultT = TypeVar("ResultT")
ArgumentT = TypeVar("ArgumentT")

_ABOUT: ContextVar[Mapping[str, Any]] = ContextVar("_ABOUT", default={})  # noqa: B039 - never changed

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
    MODEL_STEP_ENDED = "model_step_ended"
    STALE_ACTUALS = "stale_actuals"
    REPLAYED_AS_RESTATED = "replayed_as_restated"
    SERIES_FELL_BACK = "series_fell_back"
    SERIES_REFUSED = "series_refused"
    MODELS_FAULTY = "models_faulty"
    FIT_FAILED = "fit_failed"
    SIGN_CONTRADICTED = "sign_contradicted"
    PRIORS_IN_FORCE = "priors_in_force"
    FEATURES_UNUSED = "features_unused"
    ACCURACY_ALERT = "accuracy_alert"
    NO_NEW_ALERT = "no_new_alert"
    TUNED = "tuned"
    RETRAINED = "retrained"
    PROMOTED = "promoted"
    HOLIDAYS_MADE = "holidays_made"
    HOLIDAYS_MISSING = "holidays_missing"
    ROWS_LOADED = "rows_loaded"
    LOADED_APART = "loaded_apart"
    OLD_NAME = "old_name"
    OUTSIDE_RANGE = "outside_range"
    ROWS_REJECTED = "rows_rejected"
    UPLOAD_REFUSED = "upload_refused"
    WEATHER_FETCHED = "weather_fetched"
    WEATHER_NOT_FETCHED = "weather_not_fetched"
    WEATHER_NOT_KEPT = "weather_not_kept"
    PLACES_MISSING = "places_missing"
    ALREADY_WRITTEN = "already_written"
    REPORT_WRITTEN = "report_written"
    DBT_NODE_ENDED = "dbt_node_ended"
    DBT_NODE_WARNED = "dbt_node_warned"
    DBT_NODE_FAILED = "dbt_node_failed"
    DBT_WARNED = "dbt_warned"
    DBT_FAILED = "dbt_failed"
    LIBRARY_WARNED = "library_warned"


def about(**fields: Any) -> None:  # noqa: ANN401
    """Let every line from now on say this beside its own fields; without any, nothing more.

    A thread that this one starts does not inherit it: `inherited` hands it on.
    """
    _ABOUT.set(fields)


def inherited(function: Callable[[ArgumentT], ResultT]) -> Callable[[ArgumentT], ResultT]:
    """The function as another thread may call it: what it logs says what this thread's lines do."""
    fields = _ABOUT.get()

    def with_fields(argument: ArgumentT) -> ResultT:
        token = _ABOUT.set(fields)
        try:
            return function(argument)
        finally:
            _ABOUT.reset(token)

    return with_fields


def log(event: Event, message: str, *, level: int = logging.INFO, **fields: Any) -> None:  # noqa: ANN401
    """Log an event: a sentence for people, and fields for machines."""
    LOGGER.log(level, message, extra={"event": event.value, "fields": fields})


def warn(event: Event, message: str, **fields: Any) -> None:  # noqa: ANN401
    """Log an event that somebody should look at."""
    log(event, message, level=logging.WARNING, **fields)


def fail(message: str, error: BaseException | None = None) -> None:
    """Log that a run failed; of an error that nobody expected, with its traceback."""
    LOGGER.error(message, exc_info=error, extra={"event": Event.RUN_FAILED.value})


def fail_unforeseen(error: BaseException) -> None:
    """Log in one line that a run failed of what nobody foresaw; keep the traceback.

    A machine reads it in the entry; a person finds it in the debug log, which the line names.
    """
    message = unforeseen(error)
    if is_json():
        fail(message, error)
        return
    path = debug_log()
    text = "".join(traceback.format_exception(error))
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("a", encoding="utf-8") as file:
            at = datetime.now(UTC).isoformat(timespec="seconds")
            file.write(_without_secrets(f"{at} {message}\n{text}\n", os.environ))
    except OSError:
        fail(f"{message}. This is a fault of Shelfcast; its traceback could not be kept.")
        return
    fail(f"{message}. This is a fault of Shelfcast; its traceback is in {path}.")


def debug_log() -> Path:
    """The file that tracebacks go into: in the folder of dbt's log."""
    return Path(os.environ.get("DBT_LOG_PATH") or "logs") / "shelfcast-debug.log"


class TextFormatter(logging.Formatter):
    """`12:03:55 message`, for a terminal; a warning says so."""

    def format(self, record: logging.LogRecord) -> str:
        """Format one record."""
        at = datetime.fromtimestamp(record.created).astimezone().strftime("%H:%M:%S")
        grave = f"{record.levelname.lower()}: " if record.levelno >= logging.WARNING else ""
        return _without_secrets(f"{at} {grave}{record.getMessage()}", os.environ)


class JsonFormatter(logging.Formatter):
    """One JSON object a line, in the shape that Cloud Logging reads: severity, message, labels."""

    def __init__(self, environment: Mapping[str, str] = os.environ) -> None:
        """Of a process with this environment, which says which task of which job it is."""
        super().__init__()
        self.environment = environment
        self.task = _task(environment)

    def format(self, record: logging.LogRecord) -> str:
        """Format one record."""
        head = {
            "severity": record.levelname,
            "message": record.getMessage(),
            "event": getattr(record, "event", Event.LIBRARY_WARNED.value),
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(),
        }
        fields = {**_ABOUT.get(), **getattr(record, "fields", {}), **self.task}
        if record.name != LOGGER.name:
            fields["logger"] = record.name
        if record.exc_info:
            head |= {"@type": REPORTED, "stack_trace": self.formatException(record.exc_info)}
        labels = {name: str(fields[name]) for name in LABELS if fields.get(name) is not None}
        if labels:
            head["logging.googleapis.com/labels"] = labels
        return _without_secrets(_line({**head, **fields, **head}), self.environment)


def _number_of(environment: Mapping[str, str], name: str) -> int | str:
    """A number of the environment, or its text where it is none: the log says what there is."""
    given = environment.get(name) or "0"
    return int(given) if given.isascii() and given.isdigit() and len(given) < 10 else given[:40]


def _task(environment: Mapping[str, str]) -> dict[str, Any]:
    """Which task of which job this process is, on Cloud Run."""
    if "CLOUD_RUN_JOB" not in environment:
        return {}
    return {
        "job": environment["CLOUD_RUN_JOB"],
        "execution": environment.get("CLOUD_RUN_EXECUTION"),
        "task_index": _number_of(environment, "CLOUD_RUN_TASK_INDEX"),
        "attempt": _number_of(environment, "CLOUD_RUN_TASK_ATTEMPT"),
    }


def _line(entry: dict[str, Any]) -> str:
    """One line of JSON of at most MOST_BYTES; what was cut for it is named in `cut_fields`."""
    line, cut = _dumped(entry), list[str]()
    while len(line) > MOST_BYTES:
        name = max(entry, key=lambda one: len(_dumped(entry[one])))
        text = entry[name] if isinstance(entry[name], str) else _dumped(entry[name]).decode()
        cut = [*cut, name] if name not in cut else cut
        entry = {**entry, name: _middle_cut(text), "cut_fields": cut}
        line = _dumped(entry)
    return line.decode()


def _middle_cut(text: str) -> str:
    """Half of a text, its beginning and its end: a traceback's end says what went wrong."""
    quarter = len(text) // 4
    return f"{text[:quarter]}\n… {len(text) - 2 * quarter} characters cut …\n{text[-quarter:]}"


def _dumped(value: Any) -> bytes:  # noqa: ANN401 - whatever was logged
    try:
        options = orjson.OPT_SERIALIZE_NUMPY | orjson.OPT_NON_STR_KEYS
        return orjson.dumps(value, default=str, option=options)
    except TypeError:  # half a surrogate, of a file's name say, or an integer beyond 64 bits
        text = json.dumps(value, default=str, ensure_ascii=False, skipkeys=True)
        return text.encode("utf-8", "replace")


def _without_secrets(line: str, environment: Mapping[str, str]) -> str:
    for name in SECRETS:
        if secret := environment.get(name):
            escaped = _dumped(secret).decode()[1:-1]
            for form in {secret, escaped, quote(secret, safe=""), quote_plus(secret)}:
                line = line.replace(form, "***")
    return line


class _ToStandard(logging.StreamHandler[TextIO]):
    """Writes to what sys.stdout or sys.stderr is then, so that lines stand above progress bars."""

    def __init__(self, name: str) -> None:
        logging.Handler.__init__(self)
        self.standard = name

    @property
    def stream(self) -> TextIO:  # type: ignore[override]
        stream: TextIO = getattr(sys, self.standard)
        return stream


def set_up(stream: TextIO | None = None, environment: Mapping[str, str] = os.environ) -> None:
    """Send the log where it is read: JSON to stdout on Cloud Run, else to stderr.

    Args:
        stream: where to, unless there.
        environment: SHELFCAST_LOG_FORMAT (auto | json | text) says in which form; auto is text on
            a terminal, JSON elsewhere.

    Raises:
        SettingsError: it names another form. The log is set up nevertheless.
    """
    is_cloud_run = "CLOUD_RUN_JOB" in environment
    if stream is None:
        handler: logging.StreamHandler[TextIO] = _ToStandard("stdout" if is_cloud_run else "stderr")
    else:
        handler = logging.StreamHandler(stream)
    asked = environment.get("SHELFCAST_LOG_FORMAT") or "auto"
    is_text = asked == "text" or (asked != "json" and not is_cloud_run and handler.stream.isatty())
    handler.setFormatter(TextFormatter() if is_text else JsonFormatter(environment))
    LOGGER.handlers = [handler]
    LOGGER.setLevel(logging.DEBUG if is_cloud_run and not is_text else logging.INFO)
    LOGGER.propagate = False
    _route_libraries(None if is_text else handler)
    if asked not in FORMATS:
        raise SettingsError(f"SHELFCAST_LOG_FORMAT is '{asked}', not {', '.join(FORMATS)}.")


def is_json() -> bool:
    """Whether machines read the log."""
    return any(isinstance(one.formatter, JsonFormatter) for one in LOGGER.handlers)


class _OfLibraries(logging.Handler):
    """Hands what libraries log on to the log's own handler."""

    def __init__(self, handler: logging.Handler) -> None:
        super().__init__(logging.WARNING)
        self.handler = handler

    def emit(self, record: logging.LogRecord) -> None:
        self.handler.handle(record)


def _route_libraries(handler: logging.Handler | None) -> None:
    """Let warnings of libraries be entries of the log, or leave them as they come (None)."""
    root = logging.getLogger()
    for one in [one for one in root.handlers if isinstance(one, _OfLibraries)]:
        root.removeHandler(one)
    logging.captureWarnings(False)
    if handler is not None:
        root.addHandler(_OfLibraries(handler))
        logging.captureWarnings(True)
        # Google's clients keep their entries from the root, unless their logger has a handler.
        google = logging.getLogger("google")
        google.handlers = google.handlers or [logging.NullHandler()]
        google.propagate = True


@dataclass(frozen=True)
class InWorkers:
    """Calls a function in another process of this machine, where it logs as this process does.

    Attributes:
        function: picklable.
        pid: of this process.
        fields: those of its lines that `about` set; None where its log is not JSON.
    """

    function: Callable[[Any], Any]
    pid: int
    fields: dict[str, Any] | None

    def __call__(self, argument: Any) -> Any:  # noqa: ANN401 - the function's own
        """Call it."""
        if self.fields is not None and os.getpid() != self.pid:
            if not is_json():
                set_up(environment={**os.environ, "SHELFCAST_LOG_FORMAT": "json"})
            about(**self.fields)
        return self.function(argument)


def in_workers(function: Callable[[ArgumentT], ResultT]) -> Callable[[ArgumentT], ResultT]:
    """The function as a pool's processes may call it."""
    return InWorkers(function, os.getpid(), dict(_ABOUT.get()) if is_json() else None)
