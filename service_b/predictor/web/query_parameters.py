"""Parameters in the query of a call's URL: one that the call doesn't have is refused."""

from fastapi import Request
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute

from predictor.errors import InvalidInput
from predictor.web.suggestion import suggest_name
from predictor.web.validation import MAX_ECHO_CHARS, MAX_PROBLEMS


async def refuse_unknown_parameters(request: Request) -> None:
    """Look at the query of a call, as a dependency of its route.

    A filter with a typing mistake would otherwise give an answer that looks right.

    Raises:
        InvalidInput: the route has no parameter of a name in the query.
    """
    if not request.query_params:
        return
    route: APIRoute = request.scope["route"]
    known = _list_names(route.dependant)
    problems = [
        {"type": "extra_forbidden", "loc": ["query", name], "msg": _explain(name, known)}
        | ({"input": value} if len(value) <= MAX_ECHO_CHARS else {})
        for name, value in request.query_params.items()
        if name not in known
    ]
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
