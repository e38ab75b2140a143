"""How many deliveries to have outstanding: enough for speed, few enough for memory. Pure.

AMQP bounds a consumer by count and not by size, so a run begins with few, learns how large the messages are, and then
takes as many as fit the budget. Held messages stay outstanding and come on top.
"""

from dataclasses import dataclass

BUDGET_BYTES = 24 * 1024 * 1024
FIRST = 16
STEP = 250
"""Held messages are added in steps, since every change costs a new consumer."""


@dataclass(slots=True)
class Prefetch:
    """`window`: the most that is ever wanted beside held ones. `seen` and `octets` count what was delivered."""

    window: int
    seen: int = 0
    octets: int = 0
    current: int = 0

    def learn(self, octets: int) -> None:
        """One more message came, of so many octets in all."""
        self.seen += 1
        self.octets += octets

    def change(self, kept: int) -> int | None:
        """The prefetch to consume with from now on, None when the present one is near enough."""
        wanted = self._fitting() + (-(-kept // STEP) * STEP)
        if self.current and self.current / 2 < wanted < 2 * self.current and self.current > kept + 1:
            return None
        self.current, changed = wanted, wanted != self.current
        return wanted if changed else None

    def _fitting(self) -> int:
        if self.seen < min(FIRST, self.window):
            return min(FIRST, self.window)
        return max(1, min(self.window, BUDGET_BYTES * self.seen // max(1, self.octets)))
