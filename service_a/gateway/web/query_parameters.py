"""Parameters in the query of a call's URL: what the call doesn't have is refused.

So is one that is given twice: the framework would take the last and ignore the others.
"""

from collections import Counter
from typing import Any

from fastapi import Request
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute

from gateway.errors import InvalidInput
from gateway.web.suggestion import suggest_name
from gateway.web.validation import MAX_ECHO_CHARS, MAX_PROBLEMS, cut_text


async def refuse_unknown_parameters(request: Request) -> None:
    """Look at the query of a call, as a dependency of its route.

    A filter with a typing mistake would otherwise give an answer that looks right.

    Raises:
        InvalidInput: the route has no parameter of a name in the query, or a name is there twice.
    """
    if not request.query_params:
        return
    route: APIRoute = request.scope["route"]
    known = _list_names(route.dependant)
    counts = Counter(name for name, _ in request.query_params.multi_items())
    problems: list[dict[str, Any]] = []
    for name, value in request.query_params.items():
        place = ["query", cut_text(name)]
        if name not in known:
            problem = {"type": "extra_forbidden", "loc": place, "msg": _explain(name, known)}
            problems.append(problem | ({"input": value} if len(value) <= MAX_ECHO_CHARS else {}))
        elif counts[name] > 1:
            message = "Parameter is given more than once"
            problems.append({"type": "duplicate_parameter", "loc": place, "msg": message})
    if problems:
        raise InvalidInput(problems[:MAX_PROBLEMS])


def _list_names(dependant: Dependant) -> list[str]:
    """Return the names of a route's parameters, and of those of its dependencies."""
    names = [field.alias for field in dependant.query_params]
    for each in dependant.dependencies:
        names += _list_names(each)
    return names


def _explain(name: str, known: list[str]) -> str:
    likely = suggest_name(name, known)
    if likely:
        return f"Unknown parameter. Did you mean '{likely}'?"
    if known:
        return f"Unknown parameter. The call takes {', '.join(known)}"
    return "Unknown parameter. The call takes none"
