"""The lab's own page as a reader uses it."""

import re
from typing import Any

from playwright.sync_api import Browser, Locator, expect

from tests.pages.browser import A_URL, Tab

PRICE = re.compile(r"^\$[\d,]+$")


class LabPage:
    """The page in a tab of its own, watching Service A."""

    def __init__(self, browser: Browser, *, path: str = "/lab", **options: Any) -> None:
        self.tab = Tab(browser, **options)
        self.page = self.tab.page
        self.asked: list[str] = []
        self.page.on("request", lambda request: self.asked.append(request.url))
        self.page.goto(A_URL + path)
        self.watching = self.page.locator("#watching")
        self.result = self.page.locator(".result")
        self.answer = self.page.locator("#answer")
        self.dots = self.page.locator(".dot")
        self.news = self.page.locator("#news")
        self.inputs = self.page.locator("#inputs tr")

    def expect_watching(self) -> None:
        expect(self.watching).to_have_text("Watching live")
        expect(self.page.locator("#b-status")).to_have_text("healthy", timeout=120_000)

    def send(self) -> None:
        """Press the button, and wait for whatever answer comes."""
        self.button("Send a house").click()
        expect(self.page.locator("#sent")).to_contain_text("after", timeout=120_000)

    def button(self, name: str) -> Locator:
        return self.page.get_by_role("button", name=name)

    def open(self, summary: str) -> None:
        self.page.locator("summary", has_text=summary).click()

    def load(self, *, per_second: int, seconds: int) -> None:
        """Start a load; it ends by itself."""
        load = self.page.locator("#load-form")
        load.get_by_label("requests/s").fill(str(per_second))
        load.get_by_label("for").fill(str(seconds))
        self.button("Start the load").click()

    def find_fault(self, kind: str) -> Locator:
        return self.page.locator(f"#fault-{kind}")

    def break_it(self, kind: str, *, seconds: int, under_load: bool) -> None:
        self.page.locator("#fault-seconds").fill(str(seconds))
        self.page.get_by_label("and send 10 requests/s").set_checked(under_load)
        fault = self.find_fault(kind)
        fault.get_by_role("button", name="Break it").click()
        expect(fault.get_by_role("status")).to_have_text("In force")

    def mend(self, kind: str) -> None:
        fault = self.find_fault(kind)
        fault.get_by_role("button", name="Mend it").click()
        expect(fault.get_by_role("status")).to_have_text("Ended")
