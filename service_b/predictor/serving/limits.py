"""The limits that all protocols of a process share."""

import sys

from predictor.serving.byte_budget import ByteBudget
from predictor.serving.waits import Waits

MAX_HEAD_BYTES = 64 * 1024
MAX_HEAD_FIELDS = 100

# Open files of the process besides callers: the log, connections to other services, models.
_LEAST_OTHER_FILES, _MOST_OTHER_FILES = 100, 300
MIN_OPEN_FILES = 128
_NO_LIMIT = 100_000


class Limits:
    """What callers may take together, and how long each may be waited for."""

    def __init__(
        self, *, max_connections: int, head_seconds: float, body_seconds: float, max_bytes: int
    ) -> None:
        self.max_connections = min(max_connections, _count_free_files())
        self.waits = Waits(head_seconds, body_seconds)
        self.budget = ByteBudget(max_bytes)


def count_open_files() -> int:
    """Return how many files, connections among them, the system lets the process have open."""
    if sys.platform == "win32":
        return _NO_LIMIT
    import resource

    most, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return _NO_LIMIT if most == resource.RLIM_INFINITY else most


def _count_free_files() -> int:
    most = count_open_files()
    other_files = min(max(most // 3, _LEAST_OTHER_FILES), _MOST_OTHER_FILES)
    return max(most - other_files, 1)
