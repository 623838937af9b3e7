"""Fixtures of the checks of `deploy/` that are quick enough for every `make test`."""

from collections.abc import Iterator

import pytest

from deploy.check.terraform import Terraform
from tests.support import terraform as support


@pytest.fixture(scope="session")
def terraform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Terraform]:
    """Terraform over a copy of deploy/terraform: `terraform.done("validate")`."""
    with support.ready(tmp_path_factory.mktemp("deploy")) as lent:
        yield lent
