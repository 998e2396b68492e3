"""How many bytes of requests the process holds, and how many it may hold."""

from starlette.types import ASGIApp, Receive, Scope, Send

# Names in the state of a request's scope.
BODY_BYTES = "body_bytes"
OVER_BUDGET = "over_budget"


class ByteBudget:
    """Counts the bytes that were received and are still needed, of all callers together."""

    def __init__(self, max_bytes: int) -> None:
        self._bytes_left = max_bytes

    def take(self, size: int) -> bool:
        """Take some of the budget, if that much is left."""
        if size > self._bytes_left:
            return False
        self._bytes_left -= size
        return True

    def give_back(self, size: int) -> None:
        self._bytes_left += size

    def take_for_body(self, scope: Scope, size: int) -> bool:
        """Take what a piece of a request's body needs; once that failed, it fails for the rest.

        The application finds in the request's state that its body is not whole.
        """
        state = scope["state"]
        if OVER_BUDGET in state or not self.take(size):
            state[OVER_BUDGET] = True
            return False
        state[BODY_BYTES] = state.get(BODY_BYTES, 0) + size
        return True

    def give_back_body(self, scope: Scope) -> None:
        self._bytes_left += scope.get("state", {}).pop(BODY_BYTES, 0)


class Budgeted:
    """ASGI middleware: what a body took is given back when the application has ended.

    Until then the application holds the body, or what it has made of it, even if the caller
    has gone.
    """

    def __init__(self, app: ASGIApp, budget: ByteBudget) -> None:
        self._app = app
        self._budget = budget

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await self._app(scope, receive, send)
        finally:
            self._budget.give_back_body(scope)
