"""The guard of the REST API: requests of web pages are refused."""

from collections.abc import Callable
from typing import Any

from bqemulator.api.dependencies import AppContext
from fastapi import FastAPI
from fastapi.responses import JSONResponse

from emulators.foreign_requests import why_refused


class Guard:
    """An ASGI application that answers foreign requests itself and hands on the others."""

    def __init__(self, app: Any) -> None:
        self.app = app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Answer a foreign request, or hand it on."""
        why = self._why(scope) if scope["type"] == "http" else None
        if why is None:
            await self.app(scope, receive, send)
            return
        error = {"code": 403, "message": why, "errors": [{"reason": "accessDenied"}]}
        await JSONResponse({"error": error}, status_code=403)(scope, receive, send)

    @staticmethod
    def _why(scope: Any) -> str | None:
        return why_refused({name.decode(): value.decode() for name, value in scope["headers"]})


def refuse_foreign_requests(
    original: Callable[[AppContext], FastAPI],
) -> Callable[[AppContext], FastAPI]:
    """Refuse requests with an Origin or a foreign Host before anything reads them."""

    def create_app(context: AppContext) -> FastAPI:
        app = original(context)
        app.add_middleware(Guard)
        return app

    return create_app
