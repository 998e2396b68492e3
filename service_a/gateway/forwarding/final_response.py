"""Responses without the interim ones, such as `103 Early Hints`, that may come before the answer.

RFC 9110 has a client pass over every 1xx. `http.client` does that with `100 Continue` alone, and
would take any other for the answer itself.
"""

from http.client import HTTPException, HTTPResponse, parse_headers

_MAX_INTERIM = 100
_SWITCHING_PROTOCOLS = 101  # no HTTP follows it; nobody has asked for that


class FinalResponse(HTTPResponse):
    def _read_status(self) -> tuple[str, int, str]:
        """Read status lines, and the headers of interim responses, up to the answer's own line."""
        for _ in range(_MAX_INTERIM):
            version, status, reason = super()._read_status()  # type: ignore[misc]
            if not 100 <= status < 200 or status == _SWITCHING_PROTOCOLS:
                return version, status, reason
            parse_headers(self.fp)
        raise HTTPException("too many interim responses")
