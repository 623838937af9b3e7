"""The guard of the REST API: requests of web pages are refused."""

from collections.abc import Awaitable, Callable
from typing import Any

from bqemulator.api.dependencies import AppContext
from fastapi import FastAPI, Request, Response
from fastapi.responses import JSONResponse

from emulators.foreign_requests import why_refused


def refuse_foreign_requests(
    original: Callable[[AppContext], FastAPI],
) -> Callable[[AppContext], FastAPI]:
    """Refuse requests with an Origin or a foreign Host before anything reads them."""

    def create_app(context: AppContext) -> FastAPI:
        app = original(context)

        async def guard(request: Request, call_next: Callable[[Any], Awaitable[Response]]) -> Any:
            why = why_refused(request.headers)
            if why is None:
                return await call_next(request)
            error = {"code": 403, "message": why, "errors": [{"reason": "accessDenied"}]}
            return JSONResponse({"error": error}, status_code=403)

        app.middleware("http")(guard)
        return app

    return create_app
