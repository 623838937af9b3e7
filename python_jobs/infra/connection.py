"""Where the warehouse and the model store are, from the environment; read only here."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

import orjson
from pydantic import (
    Field,
    SecretStr,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)
from pydantic_settings import BaseSettings, SettingsConfigDict

from python_jobs.infra.errors import SettingsError

MOST_BYTES_BILLED = 10**12
"""Default limit of what one query on BigQuery may bill; profiles.yml has the same one for dbt."""

LONGEST_KEYFILE = 1_000_000


def _most_bytes_billed(given: dict[str, Any]) -> int | None:
    """The default limit of a query; none on an emulator, which bills nothing."""
    return None if given.get("bigquery_endpoint") else MOST_BYTES_BILLED


def _is_address(url: str) -> bool:
    try:
        parts = urlsplit(url)
        is_sound = bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False
    return is_sound and parts.scheme in ("http", "https") and not re.search(r"\s", url)


def _is_other_json(keyfile: str) -> bool:
    """Whether a file is JSON of another form than a key; a file that is no JSON says so itself."""
    try:
        with Path(keyfile).open("rb") as file:
            content = orjson.loads(file.read(LONGEST_KEYFILE))
    except (OSError, ValueError):
        return False
    if not isinstance(content, dict):
        return True
    parts = (content.get(name, "") for name in ("client_email", "private_key", "token_uri"))
    return not all(isinstance(part, str) for part in parts)


class Connection(BaseSettings):
    """Each field is the variable SHELFCAST_<FIELD> (README, "Environment"); empty means unset."""

    model_config = SettingsConfigDict(
        env_prefix="SHELFCAST_", env_ignore_empty=True, extra="forbid", frozen=True
    )

    target: str = "local"
    dataset: str = "shelfcast"
    project: str | None = None
    location: str | None = None
    keyfile: str | None = None
    bigquery_endpoint: str | None = None
    bigquery_grpc_endpoint: str | None = None
    models_uri: str | None = None
    weather_key: SecretStr | None = None
    loading: Literal["with_run", "apart"] = "with_run"
    maximum_bytes_billed: int | None = Field(default_factory=_most_bytes_billed)

    @field_validator("loading", mode="before")
    @classmethod
    def _is_a_way_of_loading(cls, given: object) -> object:
        if given not in ("with_run", "apart"):
            raise ValueError(
                f"SHELFCAST_LOADING is '{given}'. with_run (the default): runs and training "
                "load the inbox and fetch the weather themselves; apart: jobs of their own do."
            )
        return given

    @field_validator("maximum_bytes_billed", mode="before")
    @classmethod
    def _is_a_number_of_bytes(cls, given: object) -> object:
        if isinstance(given, str) and not (given.isascii() and given.isdigit() and int(given) > 0):
            raise ValueError(
                f"SHELFCAST_MAXIMUM_BYTES_BILLED is '{given}', not a whole number of bytes above 0 "
                f"(such as {MOST_BYTES_BILLED})."
            )
        return given

    @field_validator("bigquery_endpoint", "bigquery_grpc_endpoint")
    @classmethod
    def _is_an_address(cls, given: str | None, info: ValidationInfo) -> str | None:
        if given is not None:
            name = f"SHELFCAST_{(info.field_name or '').upper()}"
            is_url = info.field_name == "bigquery_endpoint"
            shown = "http://127.0.0.1:9050" if is_url else "127.0.0.1:9060"
            if not _is_address(given if is_url else f"http://{given}"):
                raise ValueError(f"{name} is '{given[:80]}', not an address such as {shown}.")
        return given

    @field_validator("keyfile")
    @classmethod
    def _is_no_other_json(cls, given: str | None) -> str | None:
        if given is not None and _is_other_json(given):
            raise ValueError(
                f"SHELFCAST_KEYFILE names {given}, whose JSON is no key of a service account: an "
                "object with client_email, private_key and token_uri is."
            )
        return given

    @model_validator(mode="after")
    def _production_names_its_project(self) -> Connection:
        if self.target == "prod" and not self.project:
            raise ValueError(
                "SHELFCAST_PROJECT is not set, and target prod needs it. Name the Google Cloud "
                "project that the datasets are in: export SHELFCAST_PROJECT=my-project."
            )
        return self


def connection() -> Connection:
    """Read the connection from environment variables.

    Raises:
        SettingsError: SHELFCAST_LOADING is neither with_run nor apart, the target is prod and
            SHELFCAST_PROJECT is not set, SHELFCAST_MAXIMUM_BYTES_BILLED is no whole number above
            0, an endpoint is no address, or the key file is JSON of another form.
    """
    try:
        return Connection()
    except ValidationError as error:
        faults = (
            fault["msg"].removeprefix("Value error, ")
            for fault in error.errors()
            if fault["type"] != "default_factory_not_called"  # follows from another fault
        )
        raise SettingsError(" ".join(faults)) from None
