"""Swagger UI as a reader uses it."""

from playwright.sync_api import Page


class Operation:
    """A call that is opened, with "Try it out" pressed."""

    def __init__(self, page: Page, method: str, path: str) -> None:
        title = page.locator(f'[data-path="{path}"]')
        self.block = page.locator(f".opblock-{method}", has=title)
        self._title = self.block.locator(".opblock-summary-control")
        self._title.click()
        self.block.get_by_role("button", name="Try it out").click()
        self.live = self.block.locator(".live-responses-table")
        self.status = self.live.locator(".response .response-col_status")
        self.answer = self.live.locator(".response .response-col_description")

    def fill(self, parameter: str, value: str) -> None:
        self.block.locator(f'[data-param-name="{parameter}"] input').fill(value)

    def execute(self) -> None:
        self.block.get_by_role("button", name="Execute", exact=True).click()

    def close(self) -> None:
        self._title.click()


def authorize(page: Page, key: str) -> None:
    """Give the key by the button "Authorize"."""
    page.locator(".btn.authorize").first.click()
    dialog = page.locator(".dialog-ux")
    dialog.locator("input").fill(key)
    dialog.get_by_role("button", name="Apply credentials").click()
    dialog.get_by_role("button", name="Close", exact=True).last.click()
