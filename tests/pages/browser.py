"""Chromium that reaches nothing but the lab's two services, at the addresses that the docs name."""

import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from playwright.sync_api import Browser, ConsoleMessage, Playwright, Route, expect

from tests.running_lab import Lab

A_URL = "http://localhost:8000"
B_URL = "http://localhost:8001"


@contextmanager
def start_chromium(playwright: Playwright, lab: Lab) -> Iterator[Browser]:
    """The lab is at its usual addresses, whichever ports it really has; all else is nowhere."""
    program = shutil.which("chromium") or shutil.which("google-chrome")
    assert program, "neither chromium nor google-chrome was found"
    rules = (
        f"MAP localhost:8000 127.0.0.1:{lab.a.port}",
        f"MAP localhost:8001 127.0.0.1:{lab.b.port}",
        "MAP * ~NOTFOUND",
    )
    browser = playwright.chromium.launch(
        executable_path=program, args=[f"--host-resolver-rules={','.join(rules)}"]
    )
    expect.set_options(timeout=60_000)  # of milliseconds, however busy the machine is
    yield browser
    browser.close()


class Tab:
    """A page, what it asked for elsewhere (in vain), and the errors in its console."""

    def __init__(
        self, browser: Browser, *, width: int = 1200, scale: float = 1, **options: Any
    ) -> None:
        self.page = browser.new_page(
            viewport={"width": width, "height": 800},
            device_scale_factor=scale,
            service_workers="block",
            **options,
        )
        self.asked_elsewhere: list[str] = []
        self.errors: list[str] = []
        # A function would be asked here, and slow every request; the driver matches a pattern.
        self.page.route(re.compile(rf"^(?!{A_URL}/|{B_URL}/)"), self._refuse)
        self.page.on("console", self._note)
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))

    def _refuse(self, route: Route) -> None:
        self.asked_elsewhere.append(route.request.url)
        route.abort()

    def _note(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            self.errors.append(f"{message.text} ({message.location['url']})")
