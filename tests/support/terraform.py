"""Terraform for tests; where it cannot run, they skip and say why."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from deploy.check import terraform, tools
from deploy.check.terraform import Terraform

MODULE = tools.ROOT / "deploy" / "terraform"


@contextmanager
def ready(folder: Path, module: Path = MODULE) -> Iterator[Terraform]:
    """Lend Terraform over a copy of a module that `init` has made ready."""
    with ExitStack() as stack:
        try:
            lent = stack.enter_context(terraform.ready(module, folder / "terraform"))
        except tools.Missing as missing:
            pytest.skip(str(missing))
        yield lent
