"""How many bytes of requests the process holds, and how many it may hold."""


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
