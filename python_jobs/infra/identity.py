"""Which account this process is to BigQuery, and which part of a deployment that account plays."""

from __future__ import annotations

import re

from python_jobs.infra.warehouse import Warehouse

ACCOUNT = re.compile(r"[a-z0-9-]+-(predict|monitor|train|load)@[a-z0-9.-]+\.gserviceaccount\.com")
"""A job's service account, as deploy/terraform/accounts.tf names it."""


def account_of(warehouse: Warehouse) -> str:
    """The e-mail address that BigQuery knows this process by.

    Raises:
        ShelfcastError: BigQuery cannot be asked.
    """
    return str(warehouse.read("select session_user() as account")["account"].iloc[0])


def part_of(account: str) -> str | None:
    """predict | monitor | train | load; None for anybody else's account."""
    match = ACCOUNT.fullmatch(account)
    return match[1] if match else None
