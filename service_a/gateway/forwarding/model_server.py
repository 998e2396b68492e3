"""What the gateway finds of MLflow's model server when it starts: each problem is a warning."""

import logging
import time

from gateway.errors import PredictorUnavailable
from gateway.forwarding.exchanges import Exchanges
from gateway.forwarding.mlflow_protocol import PING

_logger = logging.getLogger(__name__)


def compare_models(instances_model: str, served: str) -> None:
    """Warn if the server, which has one model, can't price instances."""
    if instances_model != served:
        fields = {"GATEWAY_INSTANCES_MODEL": instances_model, "served": served}
        _logger.warning("/api/v1/predict answers only 503", extra={"fields": fields})


def ping(exchanges: Exchanges, seconds: float) -> None:
    """Warn if the server doesn't answer. It may come later."""
    try:
        status, _ = exchanges.get(PING, time.monotonic() + seconds)
    except PredictorUnavailable as error:
        reason = str(error)
    else:
        if status == 200:
            return
        reason = f"status {status}"
    _logger.warning("the model server doesn't answer", extra={"fields": {"reason": reason}})
