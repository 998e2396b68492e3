"""The protocol with the faster of the two parsers that is installed."""

try:
    from predictor.serving.httptools_protocol import BoundedHttpToolsProtocol as HTTPProtocol
except ImportError:
    from predictor.serving.h11_protocol import (  # type: ignore[assignment]
        BoundedH11Protocol as HTTPProtocol,
    )

__all__ = ["HTTPProtocol"]
