"""How the process's memory is managed: large blocks go back to the system when they are freed."""

import ctypes
import sys

# From malloc.h of the GNU C library. Setting it also keeps the threshold from rising to the size of
# the last block that was freed: mallopt(3).
_M_MMAP_THRESHOLD = -3
# A larger block is a whole large input; what is smaller is reused.
_LARGE_BYTES = 512 * 1024


def return_large_blocks() -> None:
    """Have large blocks returned when they are freed, where the C library can do so.

    Otherwise each thread keeps them for itself: some callers at a time, each with an input of
    nearly the largest size, leave some 30 MiB behind.
    """
    if sys.platform == "linux":
        set_option = getattr(ctypes.CDLL(None), "mallopt", None)  # musl has none
        if set_option is not None:
            set_option(_M_MMAP_THRESHOLD, _LARGE_BYTES)
