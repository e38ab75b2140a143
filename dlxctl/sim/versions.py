"""In what RabbitMQ's releases differ, as a table: measured on 3.10.8, 4.0.5 and 4.3.6 (docs/trace.md)."""

from dataclasses import dataclass

from dlxctl.model.attributes import DEFAULT_DELIVERY_LIMIT, Version


@dataclass(frozen=True, slots=True, kw_only=True)
class Release:
    """What one release line does.

    `default_delivery_limit`: of a quorum queue that sets none; None for no limit.
    `negative_is_unlimited`: a delivery limit of -1 means none; otherwise the first return is already over it.
    `newest_first`: `x-death` has the newest death first and the rest in order; otherwise each death but the first two
    turns the order of the older ones round.
    `last_death`: writes `x-last-death-*` too.
    `carries_count`: the count of failed deliveries goes along with a dead letter, and the next quorum queue holds it
    against its own limit. Then only failures count: a nack does not, a rejection does.
    `returns_to_the_back`: without a delivery limit a quorum queue takes a returned message as a new one.
    `never_settles_with_itself`: a quorum queue that dead-letters at least once into itself does, and keeps each dead
    letter stuck all the same; whether it is full then makes no difference.
    `expires_both_heads`: the oldest returned message and the oldest other one expire, not only the one that is next.
    `delayed_retry`: knows `x-delayed-retry-*`.
    `last_name_wins`: which of two policies with one priority applies.
    """

    name: str
    default_delivery_limit: int | None = DEFAULT_DELIVERY_LIMIT
    negative_is_unlimited: bool = True
    newest_first: bool = True
    last_death: bool = True
    carries_count: bool = False
    returns_to_the_back: bool = True
    never_settles_with_itself: bool = False
    expires_both_heads: bool = False
    delayed_retry: bool = False
    last_name_wins: bool = False

    @property
    def version(self) -> Version:
        """Its number, (4, 3)."""
        return tuple(map(int, self.name.split(".")))


RELEASES: tuple[Release, ...] = (
    Release(
        name="3.10", default_delivery_limit=None, negative_is_unlimited=False, newest_first=False, last_death=False,
        never_settles_with_itself=True,
    ),
    Release(name="4.0"),
    Release(
        name="4.3", returns_to_the_back=False, carries_count=True, expires_both_heads=True, delayed_retry=True,
        last_name_wins=True,
    ),
)  # fmt: skip
BY_NAME = {release.name: release for release in RELEASES}
NEWEST = RELEASES[-1]


def nearest(version: tuple[int, ...]) -> Release:
    """The release whose rules a broker of `version` follows: the newest that is not newer, else the oldest."""
    known = [release for release in RELEASES if release.version <= version[:2]]
    return known[-1] if known else RELEASES[0]
