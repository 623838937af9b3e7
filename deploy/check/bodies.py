"""Parse request bodies as Google's own messages: a field that is none, or of another type, fails.

    python -m deploy.check.bodies deploy/cloudbuild.yaml deploy/requests/retrain.RunJobRequest.json

A file says by its name which message it is: `<what>.<Message>.json`; cloudbuild*.yaml is a Build.
Runs in the environment of `make deploy-tools`.
"""

from __future__ import annotations

import importlib
import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

MODULES = {
    "AlertPolicy": "google.cloud.monitoring_v3",
    "Build": "google.cloud.devtools.cloudbuild_v1",
    "Dashboard": "google.cloud.monitoring_dashboard_v1",
    "LogMetric": "google.cloud.logging_v2.types",
    "RunJobRequest": "google.cloud.run_v2",
}
"""The module of each message that a body may be; a job of Scheduler and one of Cloud Run share a
name, so neither is here."""


def parse(message: str, body: Mapping[str, Any]) -> None:
    """Parse a body as a message.

    Args:
        message: a name of `MODULES`.
        body: as JSON has it.

    Raises:
        google.protobuf.json_format.ParseError: a field is unknown or of another type.
    """
    from google.protobuf import json_format  # type: ignore[import-untyped]

    kind = getattr(importlib.import_module(MODULES[message]), message)
    json_format.ParseDict(body, kind.pb(kind()))


def message_of(path: Path) -> str:
    """Return which message a file holds.

    Raises:
        ValueError: its name does not say.
    """
    if path.name.startswith("cloudbuild") and path.suffix == ".yaml":
        return "Build"
    parts = path.name.split(".")
    if len(parts) < 3 or parts[-2] not in MODULES:
        raise ValueError(f"{path.name}: name it <what>.<Message>.json, of {', '.join(MODULES)}")
    return parts[-2]


def read(path: Path) -> Mapping[str, Any]:
    """Read a body from JSON or YAML."""
    import yaml

    text = path.read_text(encoding="utf-8")
    body: Mapping[str, Any] = json.loads(text) if path.suffix == ".json" else yaml.safe_load(text)
    return body


def main(*paths: str) -> int:
    """Parse files; say which, or what is wrong with them. Return 1 where something is."""
    from google.protobuf import json_format

    wrong = 0
    for path in map(Path, paths):
        try:
            message = message_of(path)
            parse(message, read(path))
            sys.stdout.write(f"{path.name} is a {message}\n")
        except (ValueError, json_format.ParseError) as error:
            wrong += 1
            sys.stderr.write(f"{path}: {error}\n")
    return int(wrong > 0)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
