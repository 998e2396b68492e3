"""Predicting what was answered once more, with a challenger."""

import logging
from collections.abc import Sequence
from typing import NamedTuple

from pydantic import BaseModel

from predictor.inference.served_model import Outcome, ServedModel
from predictor.shadow.difference import Difference, find_difference
from predictor.shadow.findings import Findings

_MOST_REASON_CHARS = 300

_logger = logging.getLogger(__name__)


class Sample(NamedTuple):
    """An input, what was answered, and where it counts: with the versions of that time."""

    request_id: str
    values: BaseModel
    answered: Outcome
    findings: Findings


class ChallengerHangs(SystemExit):
    """Raised in the thread of a challenger that hangs; where nobody catches it, it is silent."""


def compare(challenger: ServedModel, samples: Sequence[Sample]) -> Sequence[Difference | str]:
    """Give a difference for each sample, or the reason why the challenger gave no price."""
    try:
        inputs = [_convert(each.values, challenger.input_type) for each in samples]
        outcomes = challenger.predict(inputs)
        return [
            find_difference(sample.request_id, sample.answered, outcome)
            for sample, outcome in zip(samples, outcomes, strict=True)
        ]
    # It may raise anything, SystemExit too, which would end the thread.
    except BaseException as error:
        if len(samples) == 1 or isinstance(error, ChallengerHangs):
            return [repr(error)[:_MOST_REASON_CHARS]] * len(samples)
    # One by one, so that only those fail which make it fail.
    return [result for each in samples for result in compare(challenger, [each])]


def _convert(values: BaseModel, input_type: type[BaseModel]) -> BaseModel:
    """Check an input as the challenger's own card says; what was left out stays so."""
    if isinstance(values, input_type):
        return values
    known = {name: getattr(values, name) for name in values.model_fields_set}
    return input_type.model_validate(known)


def log_comparison(model: str, sample: Sample, result: Difference | str) -> None:
    """Write a line for one input."""
    version, challenger = sample.findings.pair
    fields: dict[str, object] = {
        "request_id": sample.request_id,
        "model": model,
        "version": version,
        "challenger": challenger,
    }
    if isinstance(result, str):
        fields["reason"] = result
        _logger.warning("challenger failed", extra={"fields": fields})
        return
    fields["price"] = round(result.price, 2)
    fields["challenger_price"] = round(result.challenger_price, 2)
    fields["difference"] = round(result.difference, 6)
    _logger.info("challenger compared", extra={"fields": fields})
