"""What is known about a dead-letter queue before anyone touches it, from the file and the broker, whichever answers."""

from dataclasses import dataclass

from dlxctl.broker.admin import Reader
from dlxctl.broker.run_guard import mark_name
from dlxctl.errors import BrokerRefused, BrokerUnavailable, NotFound, RefusedForSafety
from dlxctl.model.layout import Layout
from dlxctl.replay.surroundings import Surroundings, surroundings

UNKNOWN_VERSION = (4, 3)
"""Taken when no one tells: the version on which returning a message costs most."""

LIMIT_HAZARD = "delivery-limit"


@dataclass(frozen=True, slots=True, kw_only=True)
class Situation:
    """`remarks`: what could not be found out, one sentence each, for stderr. `version` is None where nobody told."""

    around: Surroundings
    remarks: tuple[str, ...] = ()
    version: tuple[int, ...] | None = None

    def suspect(self, queue: str) -> bool:
        """Whether a run on `queue` has not ended, as far as anybody tells: its mark stands."""
        return mark_name(queue) in (self.around.queues or ())

    @property
    def returning_counts(self) -> bool:
        """Whether a message that is returned comes nearer to its delivery limit (facts 3.1; since 4.3 it does not)."""
        return self.around.limit is not None and (self.version or UNKNOWN_VERSION) < (4, 3)


def situation(queue: str, layout: Layout | None, reader: Reader) -> Situation:
    """Read what there is. A management API that does not answer is a remark, not an error; raises NotFound (vhost)."""
    try:
        version, observed = reader.server().version, reader.read()
    except (BrokerUnavailable, BrokerRefused) as error:
        remark = f"The management API did not help ({error.what}), so queue types and limits are not known."
        return Situation(around=surroundings(queue, layout, None, UNKNOWN_VERSION), remarks=(remark,))
    if observed.queue(queue) is None:
        raise NotFound(
            f"queue {queue!r} does not exist in vhost {observed.vhost!r}",
            remedy="Name a dead-letter queue with --queue; `dlxctl plan` shows those of the topology file.",
        )
    return Situation(around=surroundings(queue, layout, observed, version), version=version)


def refuse_danger(queue: str, around: Surroundings, allowed: frozenset[str], verb: str) -> None:
    """Raise RefusedForSafety when returning messages to `queue` can destroy them and nobody allowed it."""
    if not around.returning_is_dangerous or LIMIT_HAZARD in allowed:
        return
    if around.limit_known:
        why = f"its delivery limit is {around.limit}: a message that is returned too often is dropped"
        remedy = (
            "Raise it first, which takes effect at once: dlxctl apply, or a policy with delivery-limit 1000000, which "
            "`dlxctl inspect --make-safe` sets."
        )
    else:
        why = "neither a topology file nor the management API tells its type and delivery limit"
        remedy = "Name the file with --file, or the API with --management-url."
    raise RefusedForSafety(
        f"{verb} queue {queue!r} could destroy its messages",
        why=why,
        remedy=f"{remedy} To go on all the same: --allow {LIMIT_HAZARD}.",
    )


def refuse_dropping(target: str, around: Surroundings) -> None:
    """Raise RefusedForSafety when `target`, once full, would let go of messages for those that are sent to it."""
    if target in around.dropping:
        raise RefusedForSafety(
            f"queue {target!r} could drop or double messages when it is full",
            why="its length is bounded: drop-head drops the oldest, reject-publish-dlx refuses the new and lets it die",
            remedy="Nothing was sent. Take its maximum length off, or let it refuse instead: overflow reject-publish.",
        )
