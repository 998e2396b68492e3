"""The pictures in docs/images."""

from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any

from PIL import Image
from playwright.sync_api import Browser, Page, expect

from tests.pages.browser import A_URL, B_URL, Tab
from tests.pages.lab_page import LabPage
from tests.pages.swagger_ui import Operation

COLOURS = 64  # enough for pages; the files get a third of their size

Take = Callable[[Browser], bytes]


def take_all(browser: Browser, folder: Path) -> None:
    for name, take in PICTURES.items():
        # The default method would lose a colour that is rare, such as the one for failures.
        picture = Image.open(BytesIO(take(browser))).convert("RGB")
        picture.quantize(COLOURS, Image.Quantize.MAXCOVERAGE).save(folder / name, optimize=True)


def take_docs(browser: Browser, url: str) -> bytes:
    page = Tab(browser).page
    page.goto(f"{url}/docs")
    expect(page.locator(".opblock").first).to_be_visible()
    return finish(page, full_page=True)


def take_try(browser: Browser, url: str, path: str) -> bytes:
    """From the call's title to the end of the answer."""
    page = Tab(browser, width=1000).page
    page.goto(f"{url}/docs")
    operation = Operation(page, "post", path)
    operation.execute()
    expect(operation.status).to_have_text("200")
    page.mouse.move(0, 0)
    page.evaluate("scrollTo(0, 0)")
    block, live = operation.block.bounding_box(), operation.live.bounding_box()
    assert block
    assert live
    left, top = block["x"] - 10, block["y"] - 10
    size = {"width": block["width"] + 20, "height": live["y"] + live["height"] - top}
    return finish(page, full_page=True, clip={"x": left, "y": top, **size})


def take_redoc(browser: Browser, url: str, anchor: str) -> bytes:
    # Its three columns need more width than a picture in the docs has.
    page = Tab(browser, width=1440, scale=1200 / 1440).page
    page.goto(f"{url}/redoc#{anchor}")
    expect(page.get_by_text("Request samples").first).to_be_visible()
    return finish(page)


def take_lab(browser: Browser) -> bytes:
    """The first minute: what a house was sold for is revealed, and many houses go together."""
    lab_page = LabPage(browser, width=1280, scale=1200 / 1280)
    lab_page.page.set_viewport_size({"width": 1280, "height": 840})
    lab_page.expect_watching()
    lab_page.send()
    lab_page.button("Reveal what").click()
    lab_page.load(per_second=200, seconds=5)
    lab_page.page.evaluate("document.activeElement.blur(); scrollTo(0, 0)")
    return take_moving(lab_page.page)


def take_moving(page: Page) -> bytes:
    """Take the picture when a call with several houses is seen between the services."""
    page.wait_for_function(
        """() => {
            const [a, b] = ["service-a", "service-b"].map(id =>
                document.getElementById(id).getBoundingClientRect());
            return [...document.querySelectorAll(".batch:has(b + b + b)")].some(each => {
                const { left, right } = each.getBoundingClientRect();
                return left > a.right && right < b.left;
            });
        }""",
        polling=20,
    )
    picture: bytes = page.screenshot()  # `finish` would end the motion
    page.close()
    return picture


def take_lab_under_load(browser: Browser) -> bytes:
    """On a projector, in the dark, while many houses go together."""
    lab_page = LabPage(browser, width=1920, scale=1200 / 1920, color_scheme="dark")
    lab_page.page.set_viewport_size({"width": 1920, "height": 1440})
    lab_page.expect_watching()
    lab_page.send()
    lab_page.load(per_second=200, seconds=5)
    lab_page.page.wait_for_timeout(3000)  # the chart grows
    return take_moving(lab_page.page)


def take_lab_on_a_phone(browser: Browser) -> bytes:
    lab_page = LabPage(browser, width=380, scale=1)
    lab_page.expect_watching()
    lab_page.send()
    lab_page.page.evaluate("document.activeElement.blur(); scrollTo(0, 0)")
    return finish(lab_page.page)


def finish(page: Page, **options: Any) -> bytes:
    picture: bytes = page.screenshot(animations="disabled", **options)
    page.close()
    return picture


PICTURES: dict[str, Take] = {
    "lab.png": take_lab,
    "lab-load.png": take_lab_under_load,
    "lab-phone.png": take_lab_on_a_phone,
    "a-docs.png": lambda browser: take_docs(browser, A_URL),
    "a-try-process.png": lambda browser: take_try(browser, A_URL, "/process"),
    "a-redoc.png": lambda browser: take_redoc(browser, A_URL, "tag/process"),
    "b-docs.png": lambda browser: take_docs(browser, B_URL),
    "b-try-predict.png": lambda browser: take_try(browser, B_URL, "/predict"),
    "b-redoc.png": lambda browser: take_redoc(browser, B_URL, "tag/predict"),
}
