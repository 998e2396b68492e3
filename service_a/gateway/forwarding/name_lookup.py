"""The addresses of a name, within a time.

The system's resolver takes as long as it likes, and a look-up can't be ended. So each is in a
thread of its own, and there is one at a time for a name: all that need it wait for the same one.
"""

import random
import socket
import threading
from concurrent.futures import Future
from itertools import count

from urllib3.util.connection import allowed_gai_family

_lock = threading.Lock()
_under_way: dict[str, Future[list[str]]] = {}
# Gateways that start together don't all begin with the same address.
_turns = count(random.randrange(1000))  # noqa: S311


def look_up(host: str, seconds: float) -> list[str]:
    """Return the addresses of a host, those to be tried first in front.

    The addresses of one family take turns, so that each copy of a service gets connections.

    Raises:
        TimeoutError: there is no answer in time.
        socket.gaierror: there is no such host.
    """
    host = host.strip("[]")
    try:
        return _ask(host, socket.AI_NUMERICHOST)
    except (socket.gaierror, UnicodeError):
        pass  # it isn't an address
    with _lock:
        answer = _under_way.get(host)
        if answer is None:
            answer = _under_way[host] = Future()
            threading.Thread(target=_answer, args=(host, answer), daemon=True).start()
    return _take_turns(answer.result(seconds))


def _answer(host: str, answer: Future[list[str]]) -> None:
    found: list[str] | OSError
    try:
        found = _ask(host)
    except (OSError, UnicodeError) as error:
        found = error if isinstance(error, OSError) else socket.gaierror(str(error))
    with _lock:
        del _under_way[host]
    if isinstance(found, OSError):
        answer.set_exception(found)
    else:
        answer.set_result(found)


def _take_turns(addresses: list[str]) -> list[str]:
    """Begin each family with the next of its addresses. Which family is first is the system's."""
    turn = next(_turns)
    families: dict[bool, set[str]] = {}
    for address in addresses:
        families.setdefault(":" in address, set()).add(address)
    ordered = []
    for family in families.values():
        start = turn % len(family)
        in_order = sorted(family)
        ordered += in_order[start:] + in_order[:start]
    return ordered


def _ask(host: str, flags: int = 0) -> list[str]:
    found = socket.getaddrinfo(host, None, allowed_gai_family(), socket.SOCK_STREAM, flags=flags)
    return [str(address[0]) for *_, address in found]
