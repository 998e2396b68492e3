"""The protocol with the faster of the two parsers that is installed."""

try:
    from gateway.serving.httptools_protocol import BoundedHttpToolsProtocol as HTTPProtocol
except ImportError:
    from gateway.serving.h11_protocol import (  # type: ignore[assignment]
        BoundedH11Protocol as HTTPProtocol,
    )

__all__ = ["HTTPProtocol"]
