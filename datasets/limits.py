"""What a process that reads clips holds on to: open files, and memory that it will need again at once."""

import numpy as np

MOST_OPEN = 2000  # files
_LEARNT = 31 << 20  # bytes: glibc learns from blocks of up to 32 MiB


def most_open():
    """Files that a dataset may keep open: three datasets of a process must stay well below the system's limit together."""
    try:
        from resource import RLIM_INFINITY, RLIMIT_NOFILE, getrlimit
    except ImportError:  # Windows counts them otherwise
        return MOST_OPEN
    limit = getrlimit(RLIMIT_NOFILE)[0]
    return MOST_OPEN if limit == RLIM_INFINITY else max(1, min(MOST_OPEN, limit // 5))


def keep_freed_memory():
    """Let the process keep what it frees, up to some 60 MiB, for what it asks for next.

    Batches are made and freed over and over; where each goes back to the system, half of the time of loading goes into getting
    its pages anew. glibc adapts to the largest block that was ever freed (mallopt(3), M_MMAP_THRESHOLD), so it is shown one,
    whose pages are never touched. Other systems' allocators do not mind.
    """
    np.empty(_LEARNT, np.uint8)  # freed at once
