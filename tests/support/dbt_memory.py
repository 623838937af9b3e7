"""What dbt works out again for each site, kept for the session: it depends on texts alone.

Sites differ in their settings, and each settings has dbt parse the project anew. Most templates and
most entries of its YAML files are those of the site before.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from typing import Any

import pytest
from dbt_common.dataclass_schema import dbtClassMixin
from jinja2 import Environment


@contextmanager
def remembering() -> Iterator[None]:
    """Compile each Jinja template once within, and check each entry once against dbt's schemas."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Environment, "compile", _compiled_once(Environment.compile))
        patch.setattr(dbtClassMixin, "validate", classmethod(_validated_once()))
        yield


def _compiled_once(original: Any) -> Any:
    """Code by its source and by the class of the environment, which holds what decides it."""
    codes: dict[tuple[Any, ...], Any] = {}

    def compile_once(self: Environment, source: Any, *arguments: Any, **options: Any) -> Any:
        if not isinstance(source, str):
            return original(self, source, *arguments, **options)
        key = (type(self), source, arguments, *sorted(options.items()))
        if key not in codes:
            codes[key] = original(self, source, *arguments, **options)
        return codes[key]

    return compile_once


def _validated_once() -> Any:
    """Entries that were found valid, by their class and a digest of what they hold."""
    original = dbtClassMixin.validate.__func__
    valid: set[tuple[type, bytes]] = set()

    def validate_once(cls: type[dbtClassMixin], data: Any) -> None:
        key = (cls, sha256(repr(data).encode()).digest())
        if key not in valid:
            original(cls, data)
            valid.add(key)

    return validate_once
