"""The lab's page, and the events that it shows."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request, Response
from fastapi.sse import EventSourceResponse
from starlette.responses import StreamingResponse
from starlette.staticfiles import StaticFiles

from gateway.telemetry.events import Watcher, Watchers
from gateway.web.foreign_pages import refuse_foreign_pages

# Windows may give them other types, which no browser would take.
_MEDIA_TYPES = {".js": "text/javascript; charset=utf-8", ".css": "text/css; charset=utf-8"}
_FOLDER = Path(__file__).parent.parent / "lab_page"
_PAGE_HEADERS = {
    "Content-Security-Policy": "default-src 'self'",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",  # no other page makes its visitor click on this one
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-cache",  # the browser may keep it, but asks whether it has changed
}
# A proxy that collects answers before it passes them on would hold up the events.
_EVENT_HEADERS = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}

router = APIRouter(tags=["lab"])


class PageFiles(StaticFiles):
    """The files of the page, each with the headers that keep a browser from loading others."""

    def file_response(self, full_path: Any, *args: Any, **kwargs: Any) -> Response:
        response = super().file_response(full_path, *args, **kwargs)
        response.headers.update(_PAGE_HEADERS)
        if media_type := _MEDIA_TYPES.get(Path(full_path).suffix):
            response.headers["Content-Type"] = media_type
        return response


_page_files = PageFiles(directory=_FOLDER)


async def _watch(request: Request) -> AsyncIterator[Watcher]:
    watchers: Watchers = request.app.state.watchers
    watcher = watchers.join()
    try:
        yield watcher
    finally:  # also when the caller has gone
        watchers.leave(watcher)


# Not in the OpenAPI document: Swagger UI, and programs made from it, would wait for the end.
@router.get("/lab/events", include_in_schema=False, dependencies=[Depends(refuse_foreign_pages)])
async def read_events(watcher: Annotated[Watcher, Depends(_watch)]) -> StreamingResponse:
    """Send events until the caller leaves or the service stops.

    What happened before is not sent again, whatever `Last-Event-ID` says: the log has every input.
    """
    # Each event is written once for all. If the route declared this class, FastAPI would write it
    # anew for each that watches.
    return EventSourceResponse(watcher.read(), headers=_EVENT_HEADERS)


async def _read_page(request: Request) -> Response:
    name = request.path_params.get("name", "index.html")
    return await _page_files.get_response(name, request.scope)


# These are pages rather than calls: they take any parameter. They come after the events, since the
# second would match the events' path too.
for path in ("/lab", "/lab/{name}"):
    router.add_route(path, _read_page, methods=["GET"], include_in_schema=False)
