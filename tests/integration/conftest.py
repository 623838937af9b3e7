"""A deployment that several modules read."""

from __future__ import annotations

import pytest

from python_jobs.local.ports import Endpoints
from tests.support.played import Played, play
from tests.support.site import Site


@pytest.fixture(scope="session")
def played(local_stack: Endpoints, tmp_path_factory: pytest.TempPathFactory) -> Played:
    """The golden fortnight, played once for all modules."""
    return play(Site(tmp_path_factory.mktemp("played"), local_stack))
