"""Memory of large tensors kept by the process for the next ones: what a training allocates, it allocates every step."""

import ctypes
import sys

MMAP_THRESHOLD, TRIM_THRESHOLD = -3, -1
"""Parameters of mallopt in glibc."""
LARGEST_THRESHOLD = 32 << 20
"""Blocks above this always come from the system; glibc takes no more."""


def keep_freed_memory() -> None:
    """Let glibc keep freed blocks instead of giving them back to the system and asking for zeroed ones again."""
    if not sys.platform.startswith("linux"):
        return
    library = ctypes.CDLL(None)
    if hasattr(library, "mallopt"):
        library.mallopt(MMAP_THRESHOLD, LARGEST_THRESHOLD)
        library.mallopt(TRIM_THRESHOLD, (1 << 31) - 1)
