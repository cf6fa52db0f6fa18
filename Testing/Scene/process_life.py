"""Whether a process of this computer still runs."""

from __future__ import annotations

import os
import subprocess


def isAlive(pid: int) -> bool:
    """Tell whether a process has not ended yet."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    # What has ended but was not collected by its parent yet is dead as well.
    state = subprocess.run(
        ["ps", "-o", "state=", "-p", str(pid)], capture_output=True, text=True, check=False
    ).stdout.strip()
    return bool(state) and not state.startswith("Z")
