import asyncio

import pytest
from fastapi import FastAPI, Request

from gateway.errors import ForeignPage
from gateway.web.foreign_pages import refuse_foreign_pages

LISTED = "https://a.example"
FOREIGN = "https://evil.example"


def call(**headers: str) -> None:
    app = FastAPI()
    app.state.listed_pages = {LISTED}
    given = {"host": "lab.example:8000", **headers}
    raw = [(name.replace("_", "-").encode(), value.encode()) for name, value in given.items()]
    asyncio.run(refuse_foreign_pages(Request({"type": "http", "app": app, "headers": raw})))


@pytest.mark.parametrize(
    "headers",
    [
        {},  # curl, or a program
        {"origin": "http://lab.example:8000"},
        {"origin": "https://lab.example:8000"},  # a proxy speaks HTTPS for the service
        {"origin": LISTED},
        {"origin": LISTED, "sec_fetch_site": "cross-site"},
        {"sec_fetch_site": "same-origin"},
        {"sec_fetch_site": "none"},
        {"origin": "https://public.example", "sec_fetch_site": "same-origin"},  # by a proxy
    ],
)
def test_call_is_taken_of_no_page_of_an_own_and_of_a_listed_one(headers: dict[str, str]) -> None:
    call(**headers)


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": FOREIGN},
        {"origin": "null"},  # a page in a sandbox, or a file
        {"origin": ""},
        {"origin": "http://lab.example"},  # another port
        {"origin": "http://lab.example:8000.evil.example"},
        {"origin": f"{LISTED}.evil.example"},
        {"sec_fetch_site": "cross-site"},
        {"sec_fetch_site": "same-site"},
        {"origin": "http://lab.example:8000", "sec_fetch_site": "cross-site"},
        {"origin": FOREIGN, "content_type": "text/plain"},
    ],
)
def test_call_is_refused_of_a_page_of_another_site(headers: dict[str, str]) -> None:
    with pytest.raises(ForeignPage):
        call(**headers)
