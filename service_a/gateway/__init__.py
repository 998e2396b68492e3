"""Service A: logs every input durably and, on request, has Service B predict."""
