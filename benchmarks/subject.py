"""What is measured: a server, and how it is asked for the prices of houses."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from benchmarks.houses import House, to_public
from benchmarks.server import Server

ECHO = "FastAPI echo"
"""Name of the subject that the others are compared with."""


@dataclass(frozen=True)
class Subject:
    """A server, the others that it needs, and one kind of request to it.

    `write_body` takes a house, or the houses of a batch. `read_price` finds the price of the house
    in an answer; it is None where there is none. Of `servers`, the first `copies` are copies of
    one server, which share the load.
    """

    name: str
    servers: tuple[Server, ...]
    path: str
    write_body: Callable[[Any], object]
    read_price: Callable[[Any], float] | None = None
    settings: str = ""
    copies: int = 1

    @property
    def url(self) -> str:
        return self.servers[0].url + self.path

    @property
    def ports(self) -> list[int]:
        """The ports of all copies."""
        return [server.port for server in self.servers[: self.copies]]


def make_process(a: Server, b: Server) -> Subject:
    """`/process` with a forward."""
    return Subject(
        "Service A /process, two hops",
        (a, b),
        "/process",
        wrap_data,
        lambda answer: float(answer["model_prediction"]["prediction"]["price"]),
        "as it comes: input and outcome on disk (synchronous=FULL), request log at INFO",
    )


def make_process_log_only(a: Server) -> Subject:
    """`/process` without a forward."""
    return Subject(
        "Service A /process, log only",
        (a,),
        "/process",
        lambda house: {"data": house, "forward_to_model": False},
        settings="the same, with forward_to_model false",
    )


def make_predict(b: Server) -> Subject:
    """Service B alone."""
    return Subject(
        "Service B /predict, one hop",
        (b,),
        "/predict",
        lambda house: {"input": house},
        lambda answer: float(answer["prediction"]["price"]),
        "as it comes",
    )


def make_predict_batch(b: Server) -> Subject:
    """Service B alone, many houses per request."""
    return Subject(
        "Service B /predict/batch", (b,), "/predict/batch", lambda houses: {"inputs": houses}
    )


def make_public_batch(a: Server, b: Server) -> Subject:
    """The public contract, many houses per request."""
    return Subject(
        "Service A public batch",
        (a, b),
        "/api/v1/price/predict/batch",
        lambda houses: {"data": [to_public(house, id_) for id_, house in enumerate(houses, 1)]},
    )


def wrap_data(house: House) -> object:
    """Write the body of `/process`."""
    return {"data": house, "forward_to_model": True}
