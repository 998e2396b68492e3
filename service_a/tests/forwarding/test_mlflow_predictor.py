import json
import time
from collections.abc import Iterator
from functools import partial
from typing import Any

import pytest

from gateway.errors import GatewayError, InputRejected, ModelUnknown, PredictorUnavailable
from gateway.forwarding.calls import Calls
from gateway.forwarding.circuit_breaker import CircuitBreaker, CircuitState
from gateway.forwarding.client import PredictorClient
from gateway.forwarding.exchanges import Exchanges
from gateway.forwarding.frame_columns import FrameColumns
from gateway.forwarding.joined_sends import JoinedSendsAdapter
from gateway.forwarding.mlflow_predictor import MlflowPredictor
from gateway.forwarding.retries import Retries, RetryBudget
from gateway.intake.entries import Answer, Forward
from gateway.settings import Settings
from gateway.telemetry.events import Watchers
from gateway.web.schemas import EXAMPLE_HOUSE
from gateway.web.validation import check
from tests.fake_mlflow import FakeMlflow
from tests.stub_server import StubServer, reset

COLUMNS = FrameColumns.model_validate_json(Settings().mlflow_columns.read_bytes())


@pytest.fixture
def server(stub: StubServer) -> FakeMlflow:
    stub.behave = server = FakeMlflow()
    return server


@pytest.fixture
def breaker() -> CircuitBreaker:
    return CircuitBreaker(failures_to_open=1, window_seconds=60)


@pytest.fixture
def predictor(stub: StubServer, breaker: CircuitBreaker) -> Iterator[MlflowPredictor]:
    exchanges = Exchanges(stub.url, JoinedSendsAdapter(), connect_timeout_seconds=1)
    retries = Retries(breaker, RetryBudget(share=0, window_seconds=30))
    make_client = partial(PredictorClient, exchanges, breaker, retries, Calls(Watchers()))
    yield MlflowPredictor(COLUMNS, check, make_client)
    exchanges.close()


def make_house(area: float = 1000, **fields: object) -> Forward:
    house = {**EXAMPLE_HOUSE, "grLivArea": area, **fields}
    return Forward(json.dumps(house).encode(), f"r{area}")


def predict(predictor: MlflowPredictor, *forwards: Forward) -> list[Answer | GatewayError]:
    return predictor.predict(forwards, time.monotonic() + 20)


def read_prices(results: list[Answer | GatewayError]) -> list[Any]:
    return [each.price if isinstance(each, Answer) else type(each) for each in results]


def count_rows(server: FakeMlflow) -> list[int]:
    return [len(rows) for rows in server.frames]


def test_inputs_that_come_together_are_rows_of_one_frame(
    predictor: MlflowPredictor, server: FakeMlflow
) -> None:
    results = predict(predictor, make_house(1000), make_house(2000, lotArea=9000))

    assert read_prices(results) == [1005, 2010]
    ((first, second),) = server.frames
    assert (first["LotArea"], second["LotArea"]) == (8450, 9000)


def test_rows_with_other_columns_are_in_another_frame_and_each_input_gets_its_own_result(
    predictor: MlflowPredictor, server: FakeMlflow
) -> None:
    results = predict(
        predictor,
        make_house(1000),
        make_house(2000, alley=None),
        make_house(3000),
        make_house(4000),
    )

    assert read_prices(results) == [1005, 2010, 3015, 4020]
    assert count_rows(server) == [3, 1]
    assert server.frames[1][0]["Alley"] == "NA"


def test_wrong_input_is_rejected_and_only_its_neighbours_are_sent(
    predictor: MlflowPredictor, server: FakeMlflow
) -> None:
    wrong = [make_house(overallQual=99), make_house(lotFrontge=2), Forward(b"[1]", "r")]

    results = predict(predictor, make_house(1000), *wrong, make_house(2000))

    assert read_prices(results) == [1005, *[InputRejected] * 3, 2010]
    assert [each.problems[0] for each in results if isinstance(each, InputRejected)] == [
        {
            "type": "less_than_equal",
            "loc": ["overallQual"],
            "msg": "Input should be less than or equal to 10",
            "input": 99,
        },
        {
            "type": "extra_forbidden",
            "loc": ["lotFrontge"],
            "msg": "Unknown field. Did you mean 'lotFrontage'?",
            "input": 2,
        },
        {"type": "model_type", "loc": [], "msg": "Input should be a JSON object"},
    ]
    assert count_rows(server) == [2]


def test_nothing_is_sent_and_the_circuit_is_none_the_wiser_when_every_input_is_wrong(
    predictor: MlflowPredictor, server: FakeMlflow, breaker: CircuitBreaker
) -> None:
    breaker.record_failure()

    assert read_prices(predict(predictor, make_house(-5))) == [InputRejected]

    assert server.frames == []
    assert breaker.state is CircuitState.OPEN


def test_every_other_row_is_priced_when_the_model_fails_at_one(
    predictor: MlflowPredictor, server: FakeMlflow, breaker: CircuitBreaker
) -> None:
    areas = [500, 666, *range(1000, 1014)]

    results = predict(predictor, *map(make_house, areas))

    assert read_prices(results) == [
        InputRejected if area == 666 else round(area * 1.005, 2) for area in areas
    ]
    assert len(server.frames) < len(areas)
    assert breaker.state is CircuitState.CLOSED


def test_each_call_has_a_connection_of_its_own(
    predictor: MlflowPredictor, server: FakeMlflow, stub: StubServer
) -> None:
    """MLflow sends no id by which an answer could be known as that to this call."""
    for _ in range(3):
        predict(predictor, make_house())
        stub.wait_until_closed()

    assert len({request.connection for request in stub.received}) == len(server.frames) == 3


@pytest.mark.usefixtures("server")
def test_model_may_be_named_and_any_other_is_unknown(predictor: MlflowPredictor) -> None:
    house = make_house()

    results = predict(predictor, house._replace(model="ames"), house._replace(model="california"))

    assert read_prices(results) == [1005, ModelUnknown]
    assert str(results[1]) == "There is no model 'california'; there is ames"


def test_every_input_is_told_when_the_server_is_away(
    predictor: MlflowPredictor, stub: StubServer
) -> None:
    stub.behave = reset

    results = predict(predictor, make_house(1), make_house(1000), make_house(2000, alley=None))

    assert read_prices(results) == [InputRejected, PredictorUnavailable, PredictorUnavailable]
