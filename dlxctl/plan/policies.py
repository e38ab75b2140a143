"""Our policies: which of those on the broker are ours, and which are to stand when apply is done.

Only one policy applies to a queue (https://www.rabbitmq.com/docs/policies). A queue that is no longer in the file
keeps the settings that it has, or its failures would vanish while it is still in use: `spec.policies` shares such
queues out together with those of the file, so that what holds for its policies holds for all that stand.
"""

import re
from collections.abc import Mapping
from typing import Any

from dlxctl.model.layout import Layout
from dlxctl.model.patterns import names_in
from dlxctl.model.topology import Key, Policy, Queue, Topology
from dlxctl.plan.coverage import winner
from dlxctl.spec.policies import Tunable, policies


def is_ours(policy: Policy, layout: Layout) -> bool:
    """Whether the name is one that `spec.policies` gives for this topology, and not for `shop-eu` beside `shop`."""
    return re.fullmatch(rf"dlxctl\.{re.escape(layout.name)}\.[0-9a-f]{{12}}(\.[0-9]+)?", policy.name) is not None


def ours(layout: Layout, observed: Topology) -> dict[Key, Policy]:
    """The policies of ours that are there."""
    return {key: policy for key, policy in observed.policies.items() if is_ours(policy, layout)}


def names_in_ours(layout: Layout, observed: Topology) -> frozenset[str]:
    """The queue names that our policies spell out; a pattern that somebody else wrote has none."""
    return frozenset(name for p in ours(layout, observed).values() for name in names_in(p.pattern) or ())


def standing(
    layout: Layout,
    desired: Topology,
    observed: Topology,
    kept: tuple[Queue, ...],
    closing: Mapping[str, Mapping[str, Any]],
) -> tuple[Policy, ...]:
    """The policies that are to stand: the desired ones, and for queues in `kept` what `closing` says or rules now."""
    there = ours(layout, observed).values()
    wished = (policy for policy in desired.policies.values() if is_ours(policy, layout))
    rules = {name: policy.definition for policy in wished for name in names_in(policy.pattern) or ()}
    for queue in kept:
        if now := winner(there, queue):
            rules[queue.name] = desired.policies.get(now.key, now).definition
    rules |= closing
    queues = (queue for queue in (*desired.queues.values(), *kept) if queue.name in rules)
    wanted = (Tunable(queue=queue.name, type=queue.type, definition=rules[queue.name]) for queue in queues)
    return tuple(policies(layout.name, wanted))
