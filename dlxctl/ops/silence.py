"""A broker that owes confirms and says nothing: how long to wait for it.

RabbitMQ 3.10 may never confirm what went to a quorum queue that was deleted in that moment, nor read its connection
again (docs/decisions/0016); nothing but a new connection helps then, and heartbeats do not tell.
"""

import time

from dlxctl.broker.link import Link
from dlxctl.errors import BrokerUnavailable

SILENT_S = 30.0


class Silence:
    """The time since the last word of the broker, while something is owed and no alarm explains it."""

    def __init__(self, patience_s: float = SILENT_S) -> None:
        self._patience_s = patience_s
        self._since = time.monotonic()

    def mind(self, link: Link, owed: int, *, heard: bool) -> None:
        """Call it after each turn: `owed` copies await their confirm, `heard`: something came in.

        Raises BrokerUnavailable when the patience is over.
        """
        if heard or not owed or link.blocked is not None:
            self._since = time.monotonic()
        elif time.monotonic() - self._since > self._patience_s:
            raise BrokerUnavailable(
                f"the broker was silent for {self._patience_s:g} s (copies not confirmed: {owed:,})",
                remedy="Look at the broker's log, then run the same command again.",
            )
