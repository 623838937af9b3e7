"""Render the model files of a use case from the templates of this package."""

from __future__ import annotations

import functools
import hashlib
import re
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from python_jobs.infra.settings import UseCase

TEMPLATES = Path(__file__).parent / "templates"
IN_NAMES = "USE_CASE"
"""Stands for the use case in the names of templates."""
SAID = "Rendered by shelfcast use-case"
MARKER = re.compile(
    r"(?:\{#|#) Rendered by shelfcast use-case \((?P<digest>[0-9a-f]{12})\)[^\n]*\n"
)


def render(use_case: UseCase) -> dict[str, str]:
    """Render every model file of a use case.

    Args:
        use_case: its settings; they decide which files it needs.

    Returns:
        Text by path within the project. The first line of each holds the digest of the rest.
    """
    folders = {"staging": "models/staging", "features": "models/features"}
    files = {}
    for template in _environment().list_templates():
        folder, name = template.split("/")
        body = _environment().get_template(template).render(_context(use_case))
        if body.strip():
            path = f"{folders[folder]}/{use_case.name}/{name.replace(IN_NAMES, use_case.name)}"
            files[path] = marked(body.rstrip("\n") + "\n", path)
    return files


def _context(use_case: UseCase) -> dict[str, object]:
    sources, features = use_case.sources, use_case.features
    return {
        "use_case": use_case.name,
        "panel_features": bool(features.made),
        "columns": bool(features.columns),
        "attributes": sources.attributes is not None,
        "given_regressors": sources.regressors is not None,
        "context_length": use_case.context_length,
        "has_promotions": sources.promotions is not None,
        "has_weather": sources.weather is not None,
        "has_regressors": bool(use_case.regressors),
    }


@functools.cache
def _environment() -> Environment:
    """Jinja with other brackets, because what it renders is Jinja too."""
    return Environment(
        loader=FileSystemLoader(TEMPLATES),
        variable_start_string="[[",
        variable_end_string="]]",
        block_start_string="[%",
        block_end_string="%]",
        comment_start_string="[#",
        comment_end_string="#]",
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        undefined=StrictUndefined,
        autoescape=False,  # noqa: S701 - SQL and YAML, not HTML
    )


def marked(body: str, path: str) -> str:
    """A rendered text with the line that says so."""
    said = f"{SAID} ({digest(body)}). An edited file is kept."
    line = f"{{# {said} #}}" if path.endswith(".sql") else f"# {said}"
    return f"{line}\n{body}"


def digest(body: str) -> str:
    """Twelve hexadecimal digits that change with the text, but not with its line ends."""
    return hashlib.sha256(body.replace("\r\n", "\n").encode()).hexdigest()[:12]


def split_marker(text: str) -> tuple[str | None, str]:
    """The digest that a file was rendered with (None without the line), and the rest of it."""
    text = text.replace("\r\n", "\n")
    found = MARKER.match(text)
    return (found["digest"], text[found.end() :]) if found else (None, text)
