"""Which run this is, and who runs it: what the mark, the lock's refusal and the journal say."""

import getpass
import os
import secrets
import time
from platform import node
from typing import Any


def new_run_id() -> str:
    """`20261121T094916-9cc808`: sorts by time, and two started in one second differ."""
    return f"{time.strftime('%Y%m%dT%H%M%S', time.gmtime())}-{secrets.token_hex(3)}"


def holder(run_id: str) -> dict[str, Any]:
    """run, user, host, pid and start (UTC) of this process."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError):  # no such user id in a container
        user = str(os.getuid())
    started = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    return {"run": run_id, "user": user, "host": node(), "pid": os.getpid(), "started": started}
