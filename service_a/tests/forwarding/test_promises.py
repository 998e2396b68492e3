from collections.abc import Iterator
from typing import Any

import pytest

from gateway.forwarding import promises as module
from gateway.forwarding.deadline import DeadlineAdapter
from gateway.forwarding.promises import PromiseReader, Promises
from gateway.forwarding.side_calls import SideCalls
from tests.stub_server import Exchange, StubServer, answer

CARD = {
    "name": "ames",
    "metrics": {
        "rows": 586,
        "mape_percent": 6.8327,
        "median_ape_percent": 4.8517,
        "within_10_percent_share": 0.7833,
    },
    "interval": {"coverage": 0.9},
}
PROMISE = {"mape": 0.068327, "median_ape": 0.048517, "within_10_percent": 0.7833, "coverage": 0.9}


@pytest.fixture
def calls(stub: StubServer) -> Iterator[SideCalls]:
    calls = SideCalls(stub.url, DeadlineAdapter(), None)
    yield calls
    calls.close()


def describe(name: str, version: str | None, *, default: bool = False) -> dict[str, Any]:
    return {"name": name, "version": version, "default": default}


def answer_with(stub: StubServer, *models: dict[str, Any], **cards: Any) -> None:
    def behave(exchange: Exchange) -> None:
        path = exchange.received.line.split()[1]
        if path == "/models":
            answer(200, {"models": models})(exchange)
        elif (name := path.removeprefix("/models/").replace("%40", "@")) in cards:
            answer(200, {"name": name, "card": cards[name]})(exchange)
        else:
            answer(404, {"detail": "There is no such model"})(exchange)

    stub.behave = behave


def test_promise_of_each_version_is_read_from_its_card_and_holds_by_its_alias_too(
    calls: SideCalls, stub: StubServer
) -> None:
    models = [
        describe("ames", "1", default=True),
        describe("ames@challenger", "2"),
        describe("california", None),
    ]
    challenger = {"metrics": {"mape_percent": 6.5}}
    answer_with(stub, *models, **{"ames": CARD, "ames@challenger": challenger})

    assert PromiseReader(calls).read() == Promises(
        "ames",
        {
            ("ames", "1"): PROMISE,
            ("ames", "2"): {"mape": 0.065},
            ("ames@challenger", "2"): {"mape": 0.065},
        },
    )


@pytest.mark.parametrize(
    "card",
    [
        {},
        {"metrics": {"accuracy": 0.97}},
        {"metrics": "good"},
        {"metrics": {"mape_percent": float("nan")}},
        5,
    ],
)
def test_card_without_such_figures_promises_nothing(
    calls: SideCalls, stub: StubServer, card: Any
) -> None:
    answer_with(stub, describe("iris", "1", default=True), iris=card)

    assert PromiseReader(calls).read() == Promises("iris")


def test_name_of_the_default_model_is_remembered_while_service_b_is_away(
    calls: SideCalls, stub: StubServer
) -> None:
    answer_with(stub, describe("ames", "1", default=True), ames=CARD)
    reader = PromiseReader(calls)
    reader.read()
    stub.behave = answer(500, b"")

    assert reader.read() == Promises("ames")


def test_nothing_is_promised_when_service_b_was_never_there(stub: StubServer) -> None:
    calls = SideCalls(stub.url, DeadlineAdapter(), None)
    stub.close()

    assert PromiseReader(calls).read() == Promises()
    assert PromiseReader(calls, "ames").read() == Promises("ames")
    calls.close()


def test_no_more_cards_are_asked_for_when_the_time_is_over(
    calls: SideCalls, stub: StubServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_MAX_SECONDS", 0)
    answer_with(stub, describe("ames", "1", default=True), ames=CARD)

    assert PromiseReader(calls).read() == Promises("ames")
    assert [each.line.split()[1] for each in stub.received] == ["/models"]
