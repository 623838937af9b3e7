"""Where the warehouse and the model store are, from the environment; read only here."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from python_jobs.infra.errors import SettingsError

MOST_BYTES_BILLED = 10**12
"""Default limit of what one query on BigQuery may bill; profiles.yml has the same one for dbt."""


def _most_bytes_billed(given: dict[str, Any]) -> int | None:
    """The default limit of a query; none on an emulator, which bills nothing."""
    return None if given.get("bigquery_endpoint") else MOST_BYTES_BILLED


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
            SHELFCAST_PROJECT is not set, or SHELFCAST_MAXIMUM_BYTES_BILLED is no whole number
            above 0.
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
