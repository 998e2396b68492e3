"""The fields of an answer's head, without the parser of e-mails that `http.client` has for them.

Gain: `joined_sends` names the gain of both; one switch turns both off.

That parser takes longer than all else that is done with the head of an answer. The plain twin is
`final_response.FinalResponse`.
"""

import re
from http.client import HTTPMessage, HTTPResponse, parse_headers
from io import BufferedReader
from types import FunctionType
from typing import Any

from gateway.forwarding.final_response import FinalResponse

_FIELD_NAME = rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
# As many fields as `http.client` takes, each in one line, and the end of the head.
_HEAD = re.compile(rb"(?:%b:[^\r\n]*\r\n){1,99}\r\n" % _FIELD_NAME)


def read_fields(file: BufferedReader, **options: Any) -> HTTPMessage:
    """Read what `http.client.parse_headers` reads, which gets any head that isn't a usual one."""
    head = _HEAD.match(file.peek())
    if head is None:
        parsed: HTTPMessage = parse_headers(file, **options)
        return parsed
    message = HTTPMessage()
    for line in file.read(head.end()).decode("iso-8859-1").split("\r\n")[:-2]:
        name, _, value = line.partition(":")
        message.set_raw(name, value.lstrip(" \t"))
    return message


class QuickHeadResponse(FinalResponse):
    # What `http.client` does, with another function in the place of one of its own.
    begin = FunctionType(
        HTTPResponse.begin.__code__,
        {**HTTPResponse.begin.__globals__, "parse_headers": read_fields},
        argdefs=HTTPResponse.begin.__defaults__,
    )
    begin.__kwdefaults__ = HTTPResponse.begin.__kwdefaults__
