"""What keeps a migration safe: the temporary queue's settings, the policy over a change of type, and what is refused.

Rules: a policy with a key that the queue's type does not know is void as a whole (facts 5.6). A temporary queue has a
name of its own, so that other policies apply to it than to the queue.
"""

from dlxctl.model.attributes import BOTH, BY_POLICY, SAFE_DELIVERY_LIMIT
from dlxctl.model.patterns import pattern
from dlxctl.model.topology import Policy, Queue, QueueType, Topology
from dlxctl.plan.coverage import winner
from dlxctl.plan.migration import SUFFIX, Scaffold, Site
from dlxctl.spec.policies import Tunable, digest

LIMITS = frozenset({"message-ttl", "expires", "max-length", "max-length-bytes"})
"""Policy keys that can take messages out of the temporary queue."""


def temporary_queue(scaffold: Scaffold, old: Queue, new: Queue, dead_lettering: dict[str, object]) -> Queue:
    """The temporary queue: replicated if either is. It has no limit of its own; a message whose own time runs out in
    it goes where it would have gone (`dead_lettering`: the old queue's arguments)."""
    quorum = QueueType.QUORUM in (old.type, new.type)
    kept = dict(dead_lettering)
    if not quorum or kept.get("x-dead-letter-strategy") != "at-least-once":
        kept.pop("x-dead-letter-strategy", None)
    elif quorum:
        kept["x-overflow"] = "reject-publish"
    if quorum:
        kept["x-delivery-limit"] = SAFE_DELIVERY_LIMIT
    return Queue(name=scaffold.temporary, type=QueueType.QUORUM if quorum else QueueType.CLASSIC, arguments=kept)


def common_policy(topology: str, old: Queue, desired: Policy | None, observed: Topology) -> Policy | None:
    """The policy under which the queue changes its type: what is desired, as far as both types know it.

    A policy for one type is void for the other, and failures would vanish. It is named as one of ours, so that the
    plan behind the migration takes it away once the right one holds. None where nothing is to be set.
    """
    definition = {
        k: v
        for k, v in (desired.definition if desired else {}).items()
        if k in BY_POLICY and BY_POLICY[k].types == BOTH
    }
    if not definition:
        return None
    name = digest(Tunable(queue=old.name, type=old.type, definition={**definition, "queue": old.name}))
    there = observed.policies.get(("policy", f"dlxctl.{topology}.{name}.8"))
    others = (policy.priority for policy in observed.policies.values())
    return Policy(
        name=f"dlxctl.{topology}.{name}.8",
        pattern=pattern([old.name]),
        priority=there.priority if there else max(others, default=0) + 1,
        definition=definition,
    )


def obstacle(site: Site, desired: Queue, observed: Topology) -> str:
    """Why the queue cannot be migrated at all, '' when it can."""
    old = site.queue
    if old is not None and old.exclusive:
        return "it is exclusive: it belongs to one connection, and goes with it"
    if QueueType.STREAM in (old.type if old else desired.type, desired.type):
        return "it is a stream: reading one does not empty it"
    return limited(temporary_queue(site.scaffold, old or desired, desired, {}), observed)


def limited(temporary: Queue, observed: Topology) -> str:
    """Which policy would take messages out of the temporary queue, '' when none would."""
    for policies, whose in ((observed.policies, "policy"), (observed.operator_policies, "operator policy")):
        found = winner(policies.values(), temporary)
        keys = sorted(LIMITS & set(found.definition)) if found else []
        if found and keys:
            return (
                f"{whose} {found.name!r} also takes {temporary.name!r}, where its messages are to wait, and sets "
                f"{', '.join(keys)}; leave names that end in {SUFFIX!r} out of its pattern {found.pattern!r}"
            )
    return ""
