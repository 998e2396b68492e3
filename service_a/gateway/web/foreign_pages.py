"""Calls made by a web page that belongs neither to this service nor to those that may call."""

from collections.abc import Collection

from fastapi import Request

from gateway.errors import ForeignPage


async def refuse_foreign_pages(request: Request) -> None:
    """Look at where a call is from, as a dependency of a route that needs no body.

    Before it sends JSON for a page, a browser asks whether the page may call this host. Before a
    simple call, such as one without a body, it doesn't ask; but it says where the page is from,
    in headers that no page can change. Other clients don't send them.

    Raises:
        ForeignPage: the page is from another site.
    """
    listed: Collection[str] = request.app.state.listed_pages
    page = request.headers.get("origin")
    if page in listed:
        return
    site = request.headers.get("sec-fetch-site")
    if site is None:
        # An older browser, or one that has the page without HTTPS, says only this.
        foreign = page is not None and page.partition("://")[2] != request.headers.get("host")
    else:
        foreign = site not in ("same-origin", "none")
    if foreign:
        raise ForeignPage
