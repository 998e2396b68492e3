import time
from pathlib import Path

import pytest

from gateway.errors import PredictorUnavailable
from gateway.forwarding.deadline import DeadlineAdapter
from gateway.forwarding.exchanges import Exchanges
from gateway.forwarding.joined_sends import JoinedSendsAdapter
from gateway.forwarding.tls import make_tls_context
from tests.stub_server import CERTIFICATES, PREDICTION, StubServer, answer


@pytest.mark.parametrize("adapter_class", [DeadlineAdapter, JoinedSendsAdapter])
@pytest.mark.parametrize(
    ("ca_file", "host", "reason"),
    [
        (None, "127.0.0.1", "unable to get local issuer certificate"),
        (CERTIFICATES / "ca.pem", "127.1", "Hostname mismatch"),  # an address too
    ],
)
def test_nothing_is_sent_to_a_server_whose_certificate_is_not_trusted(
    adapter_class: type[DeadlineAdapter], ca_file: Path | None, host: str, reason: str
) -> None:
    stub = StubServer("https")
    stub.behave = answer(200, PREDICTION)
    exchanges = Exchanges(
        stub.url.replace("127.0.0.1", host),
        adapter_class(make_tls_context(ca_file)),
        connect_timeout_seconds=1,
    )
    try:
        with pytest.raises(PredictorUnavailable, match=reason):
            exchanges.post("/predict", b"{}", ["r1"], "", time.monotonic() + 20)

        assert stub.received == []
    finally:
        exchanges.close()
        stub.close()
