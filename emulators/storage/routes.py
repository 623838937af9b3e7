"""The emulator's routes, each checked, answered under all circumstances, one at a time."""

import base64
import json
import logging
from collections.abc import Callable
from functools import partial
from http import HTTPStatus
from typing import Any
from urllib.parse import quote, urlsplit

from gcp_storage_emulator import server
from gcp_storage_emulator.handlers import objects

from emulators.storage.files import Storage
from emulators.storage.preconditions import failed_precondition, single_values

Handler = Callable[..., None]

_REASONS = {
    HTTPStatus.PRECONDITION_FAILED: "At least one of the pre-conditions did not hold.",
    HTTPStatus.NOT_MODIFIED: "",
    HTTPStatus.NOT_FOUND: "No such object, or not of this generation.",
}
DEFAULT_PAGE = 1000
"""Objects a page of a list, as in Cloud Storage."""


def guarded(handler: Handler) -> Handler:
    """Check preconditions before a handler runs, and turn its failures into answers."""

    def handle(request: server.Request, response: server.Response, held: Storage) -> None:
        try:
            response.json = partial(_answer_with_own_links, response.json, request.base_url)
            # Before its turn: who sends slowly delays nobody, and no body is left on a connection.
            _ = request.data
            with held.turn:
                status = failed_precondition(request, held)
                if status is None:
                    handler(request, response, held)
                else:
                    _answer(response, status, _REASONS[status])
        except Exception as error:
            # The emulator drops the connection, and clients then retry for minutes.
            logging.getLogger(__name__).exception("%s %s", request.method, request.full_url)
            _answer(response, HTTPStatus.BAD_REQUEST, f"{type(error).__name__}: {error}")

    return handle


def _answer(response: server.Response, status: HTTPStatus, message: str) -> None:
    response.status = status
    if status != HTTPStatus.NOT_MODIFIED:
        errors = [{"domain": "global", "reason": "conditionNotMet", "message": message}]
        response.json({"error": {"code": status.value, "message": message, "errors": errors}})


def _answer_with_own_links(
    answer: Callable[[object], None], base_url: str, content: object
) -> None:
    answer(own_links(content, base_url))


def own_links(content: object, base_url: str) -> object:
    """Let links to content lead to this server; the emulator keeps those of when it was written.

    A server that starts again on another port would send its clients to the old one.
    """
    if not isinstance(content, dict):
        return content
    own = dict(content)
    if isinstance(own.get("mediaLink"), str):
        within = urlsplit(own["mediaLink"])._replace(scheme="", netloc="")
        own["mediaLink"] = base_url + within.geturl()
    if isinstance(own.get("items"), list):
        own["items"] = [own_links(item, base_url) for item in own["items"]]
    return own


def list_page(request: server.Request, response: server.Response, held: Storage) -> None:
    """List objects a page at a time; the emulator ignores `maxResults`."""
    objects.ls(request, response, held)
    if response.status != HTTPStatus.OK:
        return
    query = single_values(request)
    listed = json.loads(response._content)
    size = int(query.get("maxResults") or DEFAULT_PAGE)
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


def with_encoded_link(original: Callable[..., dict[str, Any]]) -> Callable[..., dict[str, Any]]:
    """Percent-encode an object's name in its mediaLink; the emulator leaves `%` as it is."""

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


def guarded_routes() -> tuple[tuple[str, dict[str, Handler]], ...]:
    """Return the emulator's routes, each one guarded, with paged lists."""
    replaced = {objects.ls: list_page}
    return tuple(
        (route, {verb: guarded(replaced.get(handler, handler)) for verb, handler in verbs.items()})
        for route, verbs in server.HANDLERS
    )
