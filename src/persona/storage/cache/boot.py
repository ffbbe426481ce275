"""Which start of the machine this is: what was written last before another one may not have reached the disk.

Sleep is no start, nor is a clock that is set: so the system's own mark of a start is taken where there is one.
"""

from __future__ import annotations

import sys
import time
from contextlib import suppress
from pathlib import Path

_LINUX = Path("/proc/sys/kernel/random/boot_id")
_CLOCK = "started at "
TOLERANCE_SECONDS = 30.0
"""By how much a time of start, which is reckoned by two clocks, may differ and be the same."""


def this_start() -> str:
    """Return the mark of this start of the machine.

    Linux has ``boot_id`` (random(4)), macOS ``kern.bootsessionuuid`` (XNU, ``bsd/kern/kern_sysctl.c``). Elsewhere it is
    the time of the start: on Windows `time.monotonic` goes on in sleep.
    """
    with suppress(OSError):
        return _LINUX.read_text().strip()
    if sys.platform == "darwin" and (session := _sysctl("kern.bootsessionuuid")):
        return session
    return f"{_CLOCK}{time.time() - time.monotonic():.0f}"


def is_same(before: str | None, now: str) -> bool:
    """Say whether two marks are of one start of the machine."""
    if before is None or not (before.startswith(_CLOCK) and now.startswith(_CLOCK)):
        return before == now
    try:
        return abs(float(before.removeprefix(_CLOCK)) - float(now.removeprefix(_CLOCK))) <= TOLERANCE_SECONDS
    except ValueError:  # damaged
        return False


def _sysctl(name: str) -> str:
    """Return a text of the system, or "" if it has none of this name."""
    import ctypes

    with suppress(OSError, AttributeError):
        call = ctypes.CDLL(None).sysctlbyname
        value, size = ctypes.create_string_buffer(128), ctypes.c_size_t(128)
        if call(name.encode(), value, ctypes.byref(size), None, ctypes.c_size_t(0)) == 0:
            return value.value.decode("ascii", "replace")
    return ""
