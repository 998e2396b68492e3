"""An input log as a reader has it who has used the lab before."""

from pathlib import Path

import requests

from tests.running_lab import WAIT_SECONDS, Service
from tests.stub_predictor import Reply, StubPredictor

HOUSE = {"overall_qual": 5, "gr_liv_area": 1040, "year_built": 1961, "neighborhood": "NAmes"}
REJECTED = Reply(
    422, b'{"detail": [{"type": "missing", "loc": ["body", "input"], "msg": "Field required"}]}'
)


def write_used_log(folder: Path) -> Path:
    """Return a database with an input of each outcome, one of them with an actual price."""
    database = folder / "inputs.db"
    stub = StubPredictor()
    service = Service(
        "service_a",
        folder / "service_a.log",
        {"SERVICE_B_URL": f"{stub.url}/predict", "INPUT_LOG_URL": f"sqlite:///{database}"},
    )

    def post(path: str, body: object, request_id: str, status: int) -> None:
        headers = {"X-Request-ID": request_id}
        answer = requests.post(
            f"{service.url}{path}", json=body, headers=headers, timeout=WAIT_SECONDS
        )
        assert answer.status_code == status, answer.text

    try:
        service.start()
        post("/process", {"data": HOUSE}, "earlier-house", 200)
        post("/process", {"data": "a note", "forward_to_model": False}, "earlier-note", 200)
        price = {"request_id": "earlier-house", "price": 250000}
        post("/actuals", {"actuals": [price]}, "earlier-price", 200)
        stub.reply = REJECTED
        post("/process", {"data": HOUSE}, "earlier-mistake", 422)
        stub.reply = Reply(500)
        post("/process", {"data": HOUSE}, "earlier-failure", 503)
    finally:
        service.stop()
        stub.close()
    return database
