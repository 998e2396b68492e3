"""Service A: logs every input durably and, on request, has Service B predict."""

__version__ = "1.0.0"
