"""Run gcp-storage-emulator with what leases and immutable models rest on.

    python -m python_jobs.local.storage_emulator --port 9023 --data-dir DIR

On top of the emulator: preconditions on generations are enforced (412), lists have pages, each
object name is a file of its own whatever its parts (`..`, `a//b`, `a` beside `a/b`), an upload is
on disk whole or not at all, and a failure is an answer instead of a dropped connection.
"""

import argparse
import base64
import json
import logging
import sys
import time
from collections.abc import Callable
from functools import partial
from hashlib import sha256
from http import HTTPStatus
from http.server import HTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import quote

from gcp_storage_emulator import server, storage
from gcp_storage_emulator.exceptions import NotFound
from gcp_storage_emulator.handlers import objects

from python_jobs.local import lifeline

Handler = Callable[..., None]

_READABLE_LENGTH = 100


class AtomicFileStore(storage._FileStore):  # type: ignore[misc]
    """Files that appear under their name only when they are whole."""

    def write_bytes(self, rel: str, content: bytes) -> None:
        """Write beside the file, then rename."""
        path = self._disk_path(rel)
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_name(f"{path.name}.part")
        part.write_bytes(content)
        part.replace(path)


class Storage(storage.Storage):  # type: ignore[misc]
    """Buckets in a folder: each generation of each object is a file of its own.

    The list of objects names the generation to read, and is replaced whole. So a kill leaves the
    object before the upload or the one after it, never a mixture.
    """

    def __init__(self, data_dir: Path) -> None:
        super().__init__(data_dir=str(data_dir))
        self._store = AtomicFileStore(use_memory=False, root=data_dir / storage.STORAGE_DIR)

    def create_file(
        self,
        bucket_name: str,
        file_name: str,
        content: bytes,
        file_obj: dict[str, Any],
        file_id: str | None = None,
    ) -> None:
        """Write a new generation, name it in the list, then drop the one before it.

        Raises:
            NotFound: no such bucket.
        """
        if bucket_name not in self.buckets:
            raise NotFound
        before = self.objects.setdefault(bucket_name, {}).get(file_name)
        # A resumable upload was given its generation at its start; it counts from its end.
        stamp_generation(file_obj)
        self._store.write_bytes(_path(bucket_name, file_obj), content)
        self.objects[bucket_name][file_name] = file_obj
        if file_id:
            self.delete_resumable_file_obj(file_id)
            self._delete_file(storage.RESUMABLE_DIR, self.safe_id(file_id))
        self._write_config_to_file()
        if before is not None:
            self._store.remove_file(_path(bucket_name, before))

    def get_file(self, bucket_name: str, file_name: str, show_error: bool = True) -> bytes:
        """Read an object's content.

        Raises:
            NotFound: no such object.
        """
        if bucket_name == storage.RESUMABLE_DIR:
            content: bytes = super().get_file(bucket_name, file_name, show_error)
            return content
        path = _path(bucket_name, self.get_file_obj(bucket_name, file_name))
        kept: bytes = self._store.read_bytes(path)
        return kept

    def delete_file(self, bucket_name: str, file_name: str) -> None:
        """Delete an object at once; the emulator would keep it for a week, as buckets may.

        Raises:
            NotFound: no such object.
        """
        found = self.get_file_obj(bucket_name, file_name)
        del self.objects[bucket_name][file_name]
        self._write_config_to_file()
        self._store.remove_file(_path(bucket_name, found))


def stamp_generation(file_obj: dict[str, Any]) -> None:
    """Give an object a generation above all earlier ones, wherever it is written."""
    old, new = str(file_obj["generation"]), str(time.time_ns())
    for key in ("generation", "id", "mediaLink"):
        file_obj[key] = file_obj[key].replace(old, new)
    # The emulator counts an upload's own metadata as a change of it.
    file_obj["metageneration"] = "1"


def _path(bucket_name: str, file_obj: dict[str, Any]) -> str:
    """Name the file of one generation: readable, and distinct for distinct object names."""
    name = file_obj["name"]
    readable = quote(name, safe="").replace(".", "%2E")[:_READABLE_LENGTH]
    digest = sha256(name.encode("utf-8", "surrogatepass")).hexdigest()[:16]
    return f"{bucket_name}/{readable}-{digest}-{file_obj['generation']}"


def failed_precondition(request: server.Request, held: Storage) -> HTTPStatus | None:
    """Check a request against the object that it is about.

    An object that does not exist has generation 0, so `ifGenerationMatch=0` creates. A resumable
    upload carries its preconditions in its address: they are checked at each of its parts, and so
    when it ends.

    Returns:
        The status to answer with, None where all preconditions hold.
    """
    query = {key: values[0] for key, values in request.query.items()}
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


_ABSENT = {"generation": "0", "metageneration": "0"}


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


def guarded(handler: Handler) -> Handler:
    """Check preconditions before a handler, and answer its failures."""

    def handle(request: server.Request, response: server.Response, held: Storage) -> None:
        try:
            status = failed_precondition(request, held)
            if status is None:
                handler(request, response, held)
            else:
                _answer(response, status, _REASONS[status])
        except Exception as error:
            # The emulator drops the connection, and clients then try again for minutes.
            logging.getLogger(__name__).exception("%s %s", request.method, request.full_url)
            _answer(response, HTTPStatus.BAD_REQUEST, f"{type(error).__name__}: {error}")

    return handle


_REASONS = {
    HTTPStatus.PRECONDITION_FAILED: "At least one of the pre-conditions did not hold.",
    HTTPStatus.NOT_MODIFIED: "",
    HTTPStatus.NOT_FOUND: "No such object, or not of this generation.",
}


def _answer(response: server.Response, status: HTTPStatus, message: str) -> None:
    response.status = status
    if status != HTTPStatus.NOT_MODIFIED:
        errors = [{"domain": "global", "reason": "conditionNotMet", "message": message}]
        response.json({"error": {"code": status.value, "message": message, "errors": errors}})


def list_page(request: server.Request, response: server.Response, held: Storage) -> None:
    """List objects a page at a time; the emulator ignores `maxResults`."""
    objects.ls(request, response, held)
    if response.status != HTTPStatus.OK:
        return
    query = {key: values[0] for key, values in request.query.items()}
    listed = json.loads(response._content)
    size = int(query.get("maxResults") or 1000)
    after = base64.urlsafe_b64decode(query.get("pageToken", "")).decode()
    items = [item for item in listed["items"] if _is_within(item["name"], query, after)]
    listed["items"] = items[:size]
    if len(items) > size:
        last = listed["items"][-1]["name"]
        listed["nextPageToken"] = base64.urlsafe_b64encode(last.encode()).decode()
    response.json(listed)


def _is_within(name: str, query: dict[str, str], after: str) -> bool:
    starts_late = name >= query.get("startOffset", "")
    ends_early = "endOffset" not in query or name < query["endOffset"]
    return name > after and starts_late and ends_early


def with_readable_link(original: Callable[..., dict[str, Any]]) -> Callable[..., dict[str, Any]]:
    """Encode an object's name in its mediaLink, where the emulator leaves `%` as it is."""

    def make_object_resource(
        base_url: str, bucket_name: str, object_name: str, *rest: object, **more: object
    ) -> dict[str, Any]:
        made = original(base_url, bucket_name, object_name, *rest, **more)
        made["mediaLink"] = (
            f"{base_url}/download/storage/v1/b/{bucket_name}/o/{quote(object_name, safe='')}"
            f"?generation={made['generation']}&alt=media"
        )
        return made

    return make_object_resource


def handlers() -> tuple[tuple[str, dict[str, Handler]], ...]:
    """Return the emulator's routes, each one guarded."""
    replaced = {objects.ls: list_page}
    return tuple(
        (route, {verb: guarded(replaced.get(handler, handler)) for verb, handler in verbs.items()})
        for route, verbs in server.HANDLERS
    )


class _Server(HTTPServer):
    # Eight uploaders at once overflow the default queue of five, and wait a second each.
    request_queue_size = 128


def main(arguments: list[str]) -> None:
    """Serve until killed. One request at a time: a check and its write are never apart."""
    parser = argparse.ArgumentParser(prog="storage_emulator", description=__doc__)
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on")
    parser.add_argument("--port", type=int, default=9023, help="port to listen on")
    parser.add_argument("--data-dir", type=Path, required=True, help="folder of the objects")
    options = parser.parse_args(lifeline.hold_on(arguments))
    logging.basicConfig(level=logging.ERROR)
    server.HANDLERS = handlers()
    objects._make_object_resource = with_readable_link(objects._make_object_resource)
    held = Storage(options.data_dir.resolve())
    address = (options.host, options.port)
    with _Server(address, partial(server.RequestHandler, held)) as listening:
        listening.serve_forever()


if __name__ == "__main__":
    main(sys.argv[1:])
