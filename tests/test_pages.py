"""Swagger UI, ReDoc and the documents' diagrams, seen in a real browser that is cut off.

`.ci/run pages` provides the browser and runs this; with UPDATE_PICTURES=1 it also takes the
pictures in docs/images anew. `test_lab_page.py` is about the lab's own page.
"""

import os
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.documentation import DOCUMENTS
from tests.documentation.document import Block, read_document
from tests.running_lab import ROOT, WAIT_SECONDS, Lab, wait_until

pytest.importorskip("playwright", reason="needs a browser: .ci/run pages")

from playwright.sync_api import Browser, Error, Playwright, expect, sync_playwright

from tests.pages.browser import A_URL, B_URL, Tab, start_chromium
from tests.pages.screenshots import take_all
from tests.pages.swagger_ui import Operation, authorize

# ReDoc asks for its maker's logo, and goes without if it can't have it.
REDOC_LOGO = "https://cdn.redoc.ly/redoc/logo-mini.svg"

# reveal-md asks for what writes formulas, and goes without.
MATHJAX = "https://cdn.jsdelivr.net/npm/mathjax@2/MathJax.js?config=TeX-AMS_HTML-full"

# What a path needs before it can be tried.
PARAMETERS = {"name": "ames", "request_id": "seen-in-a-browser"}
# A 404, unless `models.yaml` names a challenger.
NEEDS_A_CHALLENGER = "/models/{name}/challenger"

DRAW = """async text => {
    const { svg } = await mermaid.render("drawing", text);
    document.body.innerHTML = svg;
    return document.querySelector("svg").viewBox.baseVal.width;
}"""
# What is wider than a page of the documents is shrunk, its words too.
READABLE_WIDTH = 1000


@pytest.fixture(scope="module")
def playwright() -> Iterator[Playwright]:
    with sync_playwright() as playwright:
        yield playwright


@pytest.fixture(scope="module")
def chromium(playwright: Playwright, lab_of_module: Lab) -> Iterator[Browser]:
    lab_of_module.revive()
    with start_chromium(playwright, lab_of_module) as browser:
        yield browser


@pytest.fixture(params=[A_URL, B_URL], ids=["service_a", "service_b"])
def url(request: pytest.FixtureRequest) -> str:
    url: str = request.param
    return url


def read_operations(lab: Lab, url: str) -> dict[tuple[str, str], dict[str, Any]]:
    """Return the operations that a service documents, by method and path."""
    service = lab.a if url == A_URL else lab.b
    paths = requests.get(f"{service.url}/openapi.json", timeout=WAIT_SECONDS).json()["paths"]
    return {
        (method, path): operation
        for path, operations in paths.items()
        for method, operation in operations.items()
    }


def test_nothing_but_the_services_is_in_reach(chromium: Browser) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        elsewhere = f"http://127.0.0.1:{server.getsockname()[1]}/"
        with pytest.raises(Error, match="ERR_NAME_NOT_RESOLVED"):
            chromium.new_page().goto(elsewhere)
        tab = Tab(chromium)
        with pytest.raises(Error, match="ERR_FAILED"):
            tab.page.goto(elsewhere)
    assert tab.asked_elsewhere == [elsewhere]


def test_every_call_in_swagger_ui_succeeds_with_the_example_that_is_filled_in(
    chromium: Browser, shared_lab: Lab, url: str
) -> None:
    requests.post(
        f"{shared_lab.a.url}/process",
        json={"data": "for GET /inputs/{request_id}", "forward_to_model": False},
        headers={"X-Request-ID": PARAMETERS["request_id"]},
        timeout=WAIT_SECONDS,
    ).raise_for_status()
    tab = Tab(chromium)
    tab.page.goto(f"{url}/docs")
    operations = read_operations(shared_lab, url)
    assert len(operations) >= 10
    for (method, path), description in operations.items():
        if path == NEEDS_A_CHALLENGER:
            continue
        operation = Operation(tab.page, method, path)
        for parameter in description.get("parameters", []):
            if parameter["in"] == "path":
                operation.fill(parameter["name"], PARAMETERS[parameter["name"]])
        operation.execute()
        expect(operation.status, f"{method} {path}").to_have_text("200")
        expect(operation.answer).not_to_contain_text('"error"')  # of one input in a batch
        operation.close()
    assert tab.asked_elsewhere == []
    assert tab.errors == []


def test_redoc_shows_every_call(chromium: Browser, shared_lab: Lab, url: str) -> None:
    tab = Tab(chromium)
    tab.page.goto(f"{url}/redoc")
    for description in read_operations(shared_lab, url).values():
        call = tab.page.locator(f'[id$="operation/{description["operationId"]}"]')
        title = call.get_by_role("heading", name=description["summary"])
        expect(title).to_be_visible()
    assert tab.asked_elsewhere == [REDOC_LOGO]
    assert [error for error in tab.errors if REDOC_LOGO not in error] == []


def test_authorize_opens_what_a_key_closes(playwright: Playwright, tmp_path: Path) -> None:
    lab = Lab(
        tmp_path,
        service_a={"GATEWAY_API_KEYS": "key-of-a", "PREDICTOR_API_KEY": "key-of-b"},
        service_b={"PREDICTOR_API_KEY": "key-of-b"},
    )
    with lab.running(), start_chromium(playwright, lab) as browser:
        for url, path, key in (A_URL, "/process", "key-of-a"), (B_URL, "/predict", "key-of-b"):
            page = Tab(browser).page
            page.goto(f"{url}/docs")
            operation = Operation(page, "post", path)
            operation.execute()
            expect(operation.status).to_have_text("401")
            authorize(page, key)
            operation.execute()
            expect(operation.status).to_have_text("200")


def test_pictures_can_be_taken_anew(chromium: Browser, tmp_path: Path) -> None:
    pictures = ROOT / "docs/images"
    folder = pictures if os.environ.get("UPDATE_PICTURES") else tmp_path
    take_all(chromium, folder)
    assert {file.name for file in folder.iterdir()} == {file.name for file in pictures.iterdir()}
    assert all(file.stat().st_size < 150_000 for file in pictures.iterdir())


def test_every_slide_is_shown_whole_with_its_diagram(
    playwright: Playwright, tmp_path: Path
) -> None:
    slides = (ROOT / "docs/slides.md").read_text(encoding="utf-8").split("\n---\n")[1:]
    assert len(slides) >= 5
    lab = Lab(tmp_path)  # in whose place, at Service A's address, the slides are served
    port = lab.a.port
    command = [
        os.environ["REVEAL_MD"],
        "docs/slides.md",
        "--disable-auto-open",
        "--port",
        str(port),
    ]
    server = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL)
    try:
        wait_until(lambda: _answers(port))
        with start_chromium(playwright, lab) as browser:
            tab = Tab(browser, width=1280)
            tab.page.goto(f"{A_URL}/slides.md")
            for slide in slides:
                shown = tab.page.locator("section.present:not(.stack)")
                expect(shown.locator("svg")).to_have_count(slide.count("```mermaid"))
                room = tab.page.evaluate("Reveal.getConfig().height")
                assert shown.evaluate("section => section.scrollHeight") <= room, slide
                tab.page.keyboard.press("ArrowRight")
            assert tab.asked_elsewhere == [MATHJAX]
            assert [error for error in tab.errors if MATHJAX not in error] == []
    finally:
        server.terminate()
        server.wait()


def _answers(port: int) -> bool:
    with socket.socket() as client:
        return client.connect_ex(("127.0.0.1", port)) == 0


def test_every_diagram_in_the_documents_can_be_drawn_and_read(chromium: Browser) -> None:
    page = chromium.new_page()
    page.add_script_tag(path=os.environ["MERMAID_SCRIPT"])
    diagrams = {
        f"{document.name}:{block.line}": block.text
        for document in DOCUMENTS
        for block in read_document(document)
        if isinstance(block, Block) and block.language == "mermaid"
    }
    assert len(diagrams) >= 2
    problems = []
    for place, text in diagrams.items():
        try:
            width = page.evaluate(DRAW, text)
        except Error as error:
            problems.append(f"{place}: {error}")
        else:
            if width > READABLE_WIDTH:
                problems.append(f"{place}: {width} pixels wide")
    assert problems == []
