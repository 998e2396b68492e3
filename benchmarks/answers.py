"""Checks that all subjects give the same prices."""

import http.client
import json
from collections.abc import Sequence
from typing import Any

from benchmarks.houses import House
from benchmarks.subject import Subject

# Prices are rounded to the cent.
_TOLERANCE = 0.011


class WrongAnswer(Exception):
    """A subject answered with an error, or with another price than the rest."""


def check_answers(subjects: Sequence[Subject], houses: Sequence[House]) -> list[float]:
    """Ask every subject that predicts for the same houses; return the prices.

    Raises:
        WrongAnswer: two subjects disagree, or one doesn't answer 200.
    """
    expected: list[float] = []
    for subject in subjects:
        if subject.read_price is None:
            continue
        prices = [subject.read_price(ask(subject, subject.write_body(each))) for each in houses]
        expected = expected or prices
        for other, price in zip(expected, prices, strict=True):
            if abs(other - price) > _TOLERANCE:
                raise WrongAnswer(f"{subject.name} says {price} where others say {other}")
    return expected


def ask(subject: Subject, body: object) -> Any:
    """Post one body and return the answer.

    Raises:
        WrongAnswer: the status isn't 200.
    """
    connection = http.client.HTTPConnection("127.0.0.1", subject.servers[0].port, timeout=60)
    try:
        headers = {"Content-Type": "application/json"}
        connection.request("POST", subject.path, json.dumps(body), headers)
        response = connection.getresponse()
        content = response.read()
    finally:
        connection.close()
    if response.status != 200:
        raise WrongAnswer(f"{subject.name}: status {response.status}: {content[:500]!r}")
    return json.loads(content)
