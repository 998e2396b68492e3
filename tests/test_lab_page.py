"""The lab's own page, used in a real browser that is cut off from everything but the lab.

`.ci/run pages` provides the browser and runs this.
"""

import json
import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.running_lab import ROOT, WAIT_SECONDS, Lab

pytest.importorskip("playwright", reason="needs a browser: .ci/run pages")

from playwright.sync_api import Browser, Playwright, Route, expect, sync_playwright

from tests.pages.browser import A_URL, start_chromium
from tests.pages.lab_page import PRICE, LabPage

HOUSES = json.loads(
    (ROOT / "service_a/gateway/web/lab_page/houses.json").read_text(encoding="utf-8")
)
FAULTS = {"LAB_FAULTS": "1"}
MARKUP = "<img src=x onerror=document.title='broken'><script>document.title='broken'</script>"
# What a caller gets while a fault is in force.
EFFECTS = {
    "delay": PRICE,
    "hang": "Service B is unavailable",
    "error": "Service B is unavailable",
    "garbage": "Service B is unavailable",
    "wrong_shape": "Service B is unavailable",
    "not_ready": "Service B is unavailable",
    "drip": "Service B is unavailable",
    "log_full": "Input could not be logged",
    "log_slow": PRICE,
}
SLOW_MS = 700
STATE: dict[str, Any] = {
    "requests_per_second": 0.0,
    "p50_ms": None,
    "p99_ms": None,
    "waiting": {"log": 0, "forward": 0},
    "circuit": "closed",
    "log": {},
    "faults": {"service_a": [], "service_b": []},
}


@pytest.fixture(scope="module")
def playwright() -> Iterator[Playwright]:
    with sync_playwright() as playwright:
        yield playwright


@pytest.fixture(scope="module")
def lab_of_module(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    service_a = {"GATEWAY_FORWARD_TIMEOUT_SECONDS": "1.5", **FAULTS}
    lab = Lab(tmp_path_factory.mktemp("lab"), service_a=service_a, service_b=FAULTS)
    try:
        yield lab
    finally:
        lab.stop()


@pytest.fixture(scope="module")
def chromium(playwright: Playwright, lab_of_module: Lab) -> Iterator[Browser]:
    lab_of_module.revive()
    with start_chromium(playwright, lab_of_module) as browser:
        yield browser


@pytest.fixture
def lab_page(chromium: Browser, shared_lab: Lab) -> Iterator[LabPage]:
    requests.delete(f"{shared_lab.a.url}/faults", timeout=WAIT_SECONDS)
    requests.delete(f"{shared_lab.b.url}/faults", timeout=WAIT_SECONDS)
    lab_page = LabPage(chromium)
    lab_page.expect_watching()
    yield lab_page
    assert lab_page.tab.asked_elsewhere == []
    assert [each for each in lab_page.asked if not each.startswith(f"{A_URL}/")] == []
    lab_page.page.close()


def test_a_house_is_sent_and_its_price_appears(lab_page: LabPage, shared_lab: Lab) -> None:
    lab_page.send()
    logged = shared_lab.read_inputs()[-1]
    assert json.loads(logged["data"]) == HOUSES[0]["facts"]
    price = f"${logged['price']:,.0f}"
    expect(lab_page.result).to_have_text(price)
    expect(lab_page.page.locator("#sent")).to_contain_text(price)
    expect(lab_page.answer).to_contain_text("by model ames, version")
    expect(lab_page.answer).to_contain_text(logged["request_id"])
    for stage in ("written to the log", "waits for its turn", "Service B predicts", "browser"):
        expect(lab_page.answer.locator(".times li", has_text=stage)).to_contain_text("ms")
    expect(lab_page.inputs.first).to_contain_text(price)
    expect(lab_page.dots.first).to_be_attached()
    assert lab_page.tab.errors == []


def test_the_sale_price_is_hidden_until_it_is_asked_for(lab_page: LabPage) -> None:
    lab_page.button("Another house").click()
    lab_page.send()
    sold_for = f"Sold for ${HOUSES[1]['salePrice']:,}"
    expect(lab_page.answer).not_to_contain_text("Sold for")
    lab_page.button("Reveal what").click()
    expect(lab_page.answer).to_contain_text(sold_for)
    # What was made of a house was never sold.
    lab_page.page.get_by_label("yearBuilt").fill("1900")
    lab_page.send()
    expect(lab_page.button("Reveal what")).to_have_count(0)


def test_what_a_house_was_sold_for_is_logged_and_counts_in_the_quality(
    lab_page: LabPage, shared_lab: Lab
) -> None:
    quality = lab_page.page.locator("#quality")
    lab_page.send()
    lab_page.button("Reveal what").click()
    expect(lab_page.answer).to_contain_text("It counts in Quality")
    assert shared_lab.read_inputs()[-1]["actual_price"] == HOUSES[0]["salePrice"]
    expect(quality).to_contain_text(re.compile(r"ames 2, \d+ actual prices: median error \d"))
    expect(quality).to_contain_text("The card promises 5.0%, 90%")
    expect(quality.locator("path.solid")).to_have_count(2)

    lab_page.page.get_by_label("yearBuilt").fill("1900")
    lab_page.send()
    lab_page.page.get_by_label("It sold for").fill("123456")
    lab_page.button("Report it").click()
    expect(lab_page.answer).to_contain_text("Sold for $123,456")
    assert shared_lab.read_inputs()[-1]["actual_price"] == 123456


def test_the_guide_leads_through_all_that_there_is_to_try(lab_page: LabPage) -> None:
    guide = lab_page.page.locator("#next")
    expect(guide).to_be_hidden()
    lab_page.send()
    expect(guide).to_contain_text("Guess what it was sold for")
    guide.get_by_role("button").click()
    expect(lab_page.answer).to_contain_text("Sold for")
    expect(guide).to_contain_text("How sure is the price if you say less?")
    guide.get_by_role("button").click()
    expect(lab_page.answer).to_contain_text("the answer before")
    expect(guide).to_contain_text("queue up, or go together?")
    guide.get_by_role("button").click()
    expect(lab_page.button("Stop the load")).to_be_visible()
    lab_page.button("Stop the load").click()
    expect(guide).to_contain_text("And if Service B gets slow?")
    guide.get_by_role("button").click()
    expect(lab_page.page.locator("#faulty")).to_have_text("In force: delay")
    expect(guide).to_be_hidden()
    several = lab_page.page.locator(".batch:has(b + b)")  # they go in one call
    expect(several.first).to_contain_text(re.compile("[2-9]"))
    lab_page.button("Stop the load").click()
    lab_page.mend("delay")
    expect(lab_page.page.locator("#faulty")).to_have_text("Faults are on")


def test_the_interval_is_wider_when_facts_are_left_out(lab_page: LabPage, shared_lab: Lab) -> None:
    lab_page.send()
    lab_page.open("facts given")
    lab_page.button("Leave them all out").click()
    lab_page.send()
    assert len(json.loads(shared_lab.read_inputs()[-1]["data"])) == 4
    now, before = (each.bounding_box() for each in lab_page.page.locator(".range").all())
    assert now
    assert before
    assert now["width"] > before["width"]


def test_a_fact_is_found_by_search_and_added(lab_page: LabPage, shared_lab: Lab) -> None:
    lab_page.open("facts given")
    lab_page.button("Leave them all out").click()
    lab_page.page.get_by_label("Search the facts").fill("cars that fit")
    lab_page.button("Add garageCars").click()
    fact = lab_page.page.locator("[data-field=garagecars]")
    expect(fact).to_contain_text("Cars that fit into the garage")
    expect(fact).to_contain_text("0 to 6")
    fact.get_by_role("textbox").fill("3")
    lab_page.send()
    assert json.loads(shared_lab.read_inputs()[-1]["data"])["garageCars"] == 3


def test_a_wrong_value_is_told_at_its_field_in_the_servers_words(lab_page: LabPage) -> None:
    lab_page.page.get_by_label("grLivArea").fill("big")
    lab_page.page.get_by_label("yearBuilt").fill("1066")
    lab_page.send()
    for name, message in (
        ("grLivArea", "Input should be a valid number"),
        ("yearBuilt", "Input should be greater than or equal to 1850"),
    ):
        control = lab_page.page.get_by_label(name)
        expect(control).to_have_attribute("aria-invalid", "true")
        expect(control).to_have_accessible_description(re.compile(re.escape(message)))
    expect(lab_page.page.get_by_label("yearBuilt")).to_be_focused()
    expect(lab_page.inputs.first).to_contain_text("rejected")


def test_what_was_typed_as_json_stays_when_the_form_changes(
    lab_page: LabPage, shared_lab: Lab
) -> None:
    lab_page.open("The input as JSON")
    typed = {"grLivArea": 1000, "yearBuilt": 1990, "myOwn": [1, {"a": None}]}
    lab_page.page.locator("#json").fill(json.dumps(typed))
    expect(lab_page.page.get_by_label("grLivArea")).to_have_value("1000")
    lab_page.page.get_by_label("grLivArea").fill("1200")
    lab_page.page.get_by_label("What to do").select_option("log only")
    lab_page.page.locator("#model").select_option("ames")
    lab_page.send()
    assert json.loads(shared_lab.read_inputs()[-1]["data"]) == {**typed, "grLivArea": 1200}

    lab_page.page.locator("#json").fill("[nonsense")  # no form can show this
    expect(lab_page.page.get_by_label("grLivArea")).to_be_hidden()
    lab_page.page.locator("#model").select_option("")
    expect(lab_page.page.locator("#json")).to_have_value("[nonsense")
    lab_page.button("Back to the form").click()
    expect(lab_page.page.get_by_label("grLivArea")).to_have_value("1200")


def test_an_input_is_only_logged_when_that_was_chosen(lab_page: LabPage, shared_lab: Lab) -> None:
    lab_page.page.get_by_label("What to do").select_option("log only")
    lab_page.send()
    expect(lab_page.result).to_have_text("Input logged successfully")
    assert shared_lab.read_inputs()[-1]["outcome"] == "logged"


def test_another_model_takes_its_input_as_json(lab_page: LabPage) -> None:
    lab_page.page.locator("#model").select_option("california")
    lab_page.send()  # an example is filled in
    expect(lab_page.answer).to_contain_text("by model california, version")


def test_the_curl_command_makes_the_same_request(lab_page: LabPage, shared_lab: Lab) -> None:
    lab_page.page.locator("#json").evaluate("() => document.querySelector('#as-json').open = true")
    lab_page.page.locator("#json").fill('{"owner": "O\'Neill \\"Tip\\" \\\\"}')
    lab_page.page.get_by_label("What to do").select_option("log only")
    lab_page.open("The same request")
    command = lab_page.page.locator("#curl").inner_text().replace(A_URL, shared_lab.a.url)
    answer = subprocess.run(["bash", "-c", command], capture_output=True, check=True)
    assert json.loads(answer.stdout) == {"status": "Input logged successfully"}
    assert json.loads(shared_lab.read_inputs()[-1]["data"]) == {"owner": 'O\'Neill "Tip" \\'}
    lab_page.page.locator("#powershell").focus()  # that selects it
    assert "O''Neill" in lab_page.page.evaluate("getSelection().toString()")


def test_forty_requests_a_second_move_and_end(lab_page: LabPage, shared_lab: Lab) -> None:
    logged = len(shared_lab.read_inputs())
    lab_page.load(per_second=40, seconds=5)
    expect(lab_page.dots.nth(20)).to_be_attached()
    assert lab_page.dots.count() <= 100
    expect(lab_page.page.locator("#load-result")).to_contain_text(
        re.compile("200 sent: 200 . 2xx. Half answered within"), timeout=120_000
    )
    expect(lab_page.page.locator("#chart path")).to_have_count(3)  # half, 99% and 2xx
    expect(lab_page.dots).to_have_count(0)
    assert len(shared_lab.read_inputs()) == logged + 200
    expect(lab_page.page.locator("#outcome-all")).to_have_text(f"all {logged + 200:,}")


@pytest.mark.parametrize("kind", EFFECTS)
def test_each_fault_has_its_effect_until_it_is_mended(lab_page: LabPage, kind: str) -> None:
    for setting, value in (("ms", SLOW_MS), ("of the calls", 1)):
        if lab_page.find_fault(kind).get_by_label(setting).count():
            lab_page.find_fault(kind).get_by_label(setting).fill(str(value))
    lab_page.break_it(kind, seconds=60, under_load=False)
    lab_page.send()
    expect(lab_page.result).to_have_text(EFFECTS[kind])
    if EFFECTS[kind] is PRICE:
        seconds = re.search(r"after ([\d.]+) (m?)s", lab_page.page.locator("#sent").inner_text())
        assert seconds
        assert float(seconds[1]) / (1000 if seconds[2] else 1) >= SLOW_MS / 1000
    if kind == "not_ready":
        expect(lab_page.page.locator("#b-status")).to_have_text("unhealthy")
    lab_page.mend(kind)
    lab_page.send()
    expect(lab_page.result).to_have_text(PRICE)


def test_the_circuit_opens_under_a_fault_and_closes_by_itself(lab_page: LabPage) -> None:
    fault = lab_page.find_fault("error")
    fault.get_by_label("of the calls").fill("1")
    lab_page.break_it("error", seconds=3, under_load=True)
    expect(lab_page.page.locator("#to-b")).to_have_attribute("data-circuit", "open")
    expect(lab_page.news).to_contain_text("The circuit is open")
    expect(fault.get_by_role("status")).to_have_text("Ended")
    expect(lab_page.news).to_contain_text("the circuit is closed")
    result = lab_page.page.locator("#load-result")
    expect(result).to_contain_text("5xx", timeout=120_000)
    expect(result).to_contain_text("2xx")


def test_inputs_are_replayed_when_service_b_was_killed_and_is_back(
    lab_page: LabPage, shared_lab: Lab
) -> None:
    shared_lab.b.kill()
    expect(lab_page.page.locator("#b-status")).to_have_text("unreachable")
    lab_page.send()
    expect(lab_page.result).to_have_text("Service B is unavailable")
    expect(lab_page.answer).to_contain_text("The input is in the log all the same")
    shared_lab.b.start()
    expect(lab_page.page.locator("#b-status")).to_have_text("healthy")
    lab_page.page.locator("#outcome-unavailable").click()
    expect(lab_page.inputs.first).to_contain_text("unavailable")
    lab_page.button("Replay").click()
    expect(lab_page.page.locator("#replayed")).to_contain_text("predicted")
    lab_page.page.locator("#outcome-all").click()
    expect(lab_page.inputs.first).to_contain_text("predicted")
    lab_page.inputs.first.get_by_role("button").click()
    expect(lab_page.page.get_by_role("dialog")).to_contain_text('"outcome": "unavailable"')


def test_the_page_reconnects_when_service_a_was_restarted(
    lab_page: LabPage, shared_lab: Lab
) -> None:
    shared_lab.a.stop()
    expect(lab_page.watching).to_contain_text("Service A is away")
    lab_page.button("Send a house").click()
    expect(lab_page.page.locator("#sent")).to_contain_text("Service A can't be reached")
    shared_lab.a.start()
    lab_page.expect_watching()
    lab_page.send()
    expect(lab_page.result).to_have_text(PRICE)


def test_markup_in_what_was_sent_stays_text(lab_page: LabPage, shared_lab: Lab) -> None:
    body = {"data": 1, "forward_to_model": False}
    headers = {"X-Request-ID": MARKUP}
    answer = requests.post(
        f"{shared_lab.a.url}/process", json=body, headers=headers, timeout=WAIT_SECONDS
    )
    request_id = answer.headers["X-Request-ID"]  # another in its place
    assert re.fullmatch("[0-9a-f]{32}", request_id)
    expect(lab_page.inputs.first).to_contain_text(request_id)
    lab_page.page.evaluate("document.querySelector('#as-json').open = true")
    lab_page.page.locator("#json").fill(json.dumps({MARKUP: MARKUP}))
    lab_page.send()
    expect(lab_page.answer).to_contain_text(MARKUP)
    expect(lab_page.inputs.first).to_contain_text("rejected")
    lab_page.inputs.first.get_by_role("button").click()
    expect(lab_page.page.get_by_role("dialog")).to_contain_text(MARKUP.replace('"', '\\"'))
    expect(lab_page.page.locator("img, main script")).to_have_count(0)
    expect(lab_page.page).to_have_title("ML Microservices Lab")


def test_markup_in_events_stays_text_and_a_swap_is_seen(chromium: Browser) -> None:
    """Neither service lets markup get into a name or an id; the page doesn't count on it."""
    lab_page = LabPage(chromium, path="/docs")
    states = [
        {**STATE, "service_b": {"status": "healthy", "models": [{"name": MARKUP, "version": v}]}}
        for v in ("1", "2")
    ]
    events = "".join(f"event: state\ndata: {json.dumps(state)}\n\n" for state in states)

    def answer(route: Route) -> None:
        route.fulfill(content_type="text/event-stream", body=events)

    logged = {"number": 1, "request_id": MARKUP, "received_at": "2026-01-01T00:00:00Z"}
    page = {"inputs": [{**logged, "outcome": MARKUP, "price": None}], "next_cursor": None}
    lab_page.page.route("**/lab/events", answer)
    lab_page.page.route("**/inputs?*", lambda route: route.fulfill(json=page))
    lab_page.page.goto(f"{A_URL}/lab")
    expect(lab_page.page.locator("#versions")).to_have_text(f"{MARKUP} 2")
    expect(lab_page.news).to_have_text(f"Service B now serves {MARKUP} 2.")
    expect(lab_page.inputs.first.get_by_role("button")).to_have_text(MARKUP)
    expect(lab_page.page.locator("img, main script")).to_have_count(0)
    expect(lab_page.page).to_have_title("ML Microservices Lab")
    lab_page.page.close()


def test_the_log_is_read_without_what_was_sent_until_a_record_is_opened(lab_page: LabPage) -> None:
    lab_page.send()
    expect(lab_page.inputs.first).to_contain_text("$")
    assert {each for each in lab_page.asked if "/inputs" in each} == {
        f"{A_URL}/inputs?limit=50&data=false"
    }
    lab_page.inputs.first.get_by_role("button").click()
    expect(lab_page.page.get_by_role("dialog")).to_contain_text('"grLivArea"')


def test_two_pages_see_the_same(lab_page: LabPage, chromium: Browser) -> None:
    other = LabPage(chromium, width=380)
    other.expect_watching()
    lab_page.send()
    request_id = lab_page.answer.locator("dt", has_text="X-Request-ID").locator("+ dd").inner_text()
    expect(other.inputs.first).to_contain_text(request_id)
    expect(lab_page.inputs.first).to_contain_text(request_id)
    expect(other.dots.first).to_be_attached()
    other.page.close()


def test_a_key_is_asked_for_and_kept_in_this_tab(playwright: Playwright, tmp_path: Path) -> None:
    lab = Lab(tmp_path, service_a={"GATEWAY_API_KEYS": "key-of-a"})
    with lab.running(), start_chromium(playwright, lab) as browser:
        lab_page = LabPage(browser)
        key = lab_page.page.get_by_label("API key")
        key.fill("wrong")
        lab_page.button("Use this key").click()
        expect(lab_page.page.get_by_text("Service A refused this key.")).to_be_visible()
        key.fill("key-of-a")
        key.press("Enter")
        lab_page.expect_watching()
        lab_page.send()
        expect(lab_page.result).to_have_text(PRICE)
        expect(lab_page.page.locator("#curl")).to_contain_text("X-API-Key: $LAB_KEY")
        assert "key-of-a" not in lab_page.page.content()
        lab_page.page.reload()
        lab_page.expect_watching()
        other = LabPage(browser)
        expect(other.page.get_by_label("API key")).to_be_visible()


def test_the_page_is_used_by_keyboard_alone(lab_page: LabPage) -> None:
    keyboard = lab_page.page.keyboard
    press_until_focused(lab_page, "Send a house")
    keyboard.press("Enter")
    expect(lab_page.result).to_have_text(PRICE)
    press_until_focused(lab_page, "Reveal what")
    keyboard.press("Enter")
    expect(lab_page.answer).to_contain_text("Sold for")
    press_until_focused(lab_page, "Start the load")
    keyboard.press("Enter")
    expect(lab_page.button("Stop the load")).to_be_focused()
    keyboard.press("Enter")
    press_until_focused(lab_page, "Break it")
    keyboard.press("Enter")
    expect(lab_page.find_fault("delay").get_by_role("status")).to_have_text("In force")


def press_until_focused(lab_page: LabPage, name: str) -> None:
    for _ in range(120):  # the log alone has fifty
        lab_page.page.keyboard.press("Tab")
        focused = lab_page.page.locator(":focus")
        if focused.count() and name in focused.inner_text():
            return
    raise AssertionError(f"{name} can't be reached")


def test_nothing_moves_when_the_system_asks_for_that(chromium: Browser) -> None:
    lab_page = LabPage(chromium, reduced_motion="reduce")
    lab_page.expect_watching()
    before = lab_page.page.locator("#logged").inner_text()
    lab_page.send()
    expect(lab_page.page.locator("#logged")).not_to_have_text(before)
    expect(lab_page.dots).to_have_count(0)
    lab_page.page.get_by_label("Stop the motion").uncheck()
    lab_page.send()
    expect(lab_page.dots.first).to_be_attached()
    lab_page.page.close()


@pytest.mark.parametrize("width", [380, 1280, 1920])
@pytest.mark.parametrize("colour_scheme", ["light", "dark"])
def test_axe_finds_nothing_and_nothing_is_cut_off(
    chromium: Browser, width: int, colour_scheme: str
) -> None:
    lab_page = LabPage(chromium, width=width, color_scheme=colour_scheme)
    lab_page.expect_watching()
    lab_page.page.evaluate(Path(os.environ["AXE_SCRIPT"]).read_text(encoding="utf-8"))
    assert find_violations(lab_page) == []
    lab_page.page.get_by_label("grLivArea").fill("big")
    lab_page.send()
    assert find_violations(lab_page) == []
    lab_page.button("Another house").click()
    lab_page.send()
    lab_page.button("Reveal what").click()
    expect(lab_page.page.locator("#quality path").first).to_be_attached()
    lab_page.load(per_second=10, seconds=1)
    expect(lab_page.page.locator("#load-result")).to_contain_text("sent", timeout=120_000)
    lab_page.page.evaluate("document.querySelectorAll('details').forEach(each => each.open = true)")
    lab_page.break_it("log_slow", seconds=60, under_load=False)
    assert find_violations(lab_page) == []
    assert lab_page.page.evaluate("document.documentElement.scrollWidth") == width
    lab_page.mend("log_slow")
    lab_page.inputs.first.get_by_role("button").click()
    assert find_violations(lab_page) == []
    lab_page.page.close()


def find_violations(lab_page: LabPage) -> list[Any]:
    found = lab_page.page.evaluate("axe.run()")["violations"]
    return [(each["id"], [node["html"] for node in each["nodes"]]) for each in found]
