"""Preconditions on generations, which the emulator ignores."""

from http import HTTPStatus
from typing import Any

from gcp_storage_emulator import server

from emulators.storage.files import Storage

_ABSENT = {"generation": "0", "metageneration": "0"}


def single_values(request: server.Request) -> dict[str, str]:
    """Return a request's query parameters, the first value of each."""
    return {key: values[0] for key, values in request.query.items()}


def failed_precondition(request: server.Request, held: Storage) -> HTTPStatus | None:
    """Check a request against the object that it addresses.

    An object that does not exist has generation 0, so `ifGenerationMatch=0` creates. A resumable
    upload carries its preconditions in its address, so they are checked at each of its parts,
    the last one included.

    Returns:
        The status to answer with; None if all preconditions hold.
    """
    query = single_values(request)
    bucket = request.params.get("bucket_name")
    name = _object_name(request, query, held) if bucket else None
    if name is None:
        return None
    is_copy = "dest_object_id" in request.params
    source = _find(held, bucket, name)
    target = source
    if is_copy:
        target = _find(held, request.params["dest_bucket_name"], request.params["dest_object_id"])
    if _fails(query, "if", target) or (is_copy and _fails(query, "ifSource", source)):
        is_read = request.method == "GET"
        unchanged = is_read and not _fails(query, "if", target, negative=False)
        return HTTPStatus.NOT_MODIFIED if unchanged else HTTPStatus.PRECONDITION_FAILED
    wanted = query.get("generation")
    if wanted and "softDeleted" not in query and wanted != source["generation"]:
        return HTTPStatus.NOT_FOUND
    return None


def _object_name(request: server.Request, query: dict[str, str], held: Storage) -> str | None:
    if "upload_id" in query:
        started: dict[str, str] = held.resumable.get(query["upload_id"], {})
        return started.get("name")
    name: str | None = request.params.get("object_id") or query.get("name")
    if name is None and isinstance(request.data, dict):
        name = (request.data.get("meta") or request.data).get("name")
    return name


def _find(held: Storage, bucket: str, name: str) -> dict[str, Any]:
    found: dict[str, Any] = held.objects.get(bucket, {}).get(name, _ABSENT)
    return found


def _fails(
    query: dict[str, str], prefix: str, found: dict[str, Any], *, negative: bool = True
) -> bool:
    for what in ("Generation", "Metageneration"):
        actual = str(found[what.lower()])
        if query.get(f"{prefix}{what}Match", actual) != actual:
            return True
        if negative and query.get(f"{prefix}{what}NotMatch") == actual:
            return True
    return False
