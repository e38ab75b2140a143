"""`--make-safe`: a policy that lets a quorum dead-letter queue be looked at, whatever its delivery limit was.

Only one policy applies to a queue (facts 5.5), so the new one carries what the present one says, one priority
higher. The lower of argument and policy wins: where an argument of the queue is small, no policy helps, and it is said.
"""

import re
import time
from dataclasses import replace
from hashlib import sha256

from dlxctl.broker.admin import Admin
from dlxctl.errors import NotFound, RefusedForSafety
from dlxctl.model.attributes import SAFE_DELIVERY_LIMIT
from dlxctl.model.effective import applying_policy, delivery_limit
from dlxctl.model.topology import Policy
from dlxctl.replay.surroundings import SAFE_LIMIT

LONGEST_NAME = 255
EFFECTIVE_AFTER_S = 1.0
"""A policy reaches the queue's process a moment after the API has answered (measured: 0.5 s)."""


def make_safe(queue: str, admin: Admin) -> str:
    """Set the policy, wait until it holds, and return its name; '' when the queue is safe already.

    Raises NotFound, RefusedForSafety where a policy cannot help, and BrokerRefused without the tag `policymaker`.
    """
    observed, version = admin.read(), admin.server().version
    found = observed.queue(queue)
    if found is None:
        remedy = "`dlxctl status` lists them."
        raise NotFound(f"queue {queue!r} does not exist in vhost {observed.vhost!r}", remedy=remedy)
    if _safe(delivery_limit(observed, found, version)):
        return ""
    present = applying_policy(found, observed.policies.values())
    policy = Policy(
        name=policy_name(queue),
        pattern=f"^{re.escape(queue)}$",
        priority=present.priority + 1 if present else 0,
        definition={**(present.definition if present else {}), "delivery-limit": SAFE_DELIVERY_LIMIT},
    )
    then = replace(observed, policies={**observed.policies, policy.key: policy})
    if not _safe(delivery_limit(then, found, version)):
        raise RefusedForSafety(
            f"no policy can make queue {queue!r} safe to look at",
            why="its own argument x-delivery-limit, or an operator policy, is lower, and the lowest counts",
            remedy="Raise the operator policy, or move the messages: dlxctl replay --allow delivery-limit.",
        )
    admin.put_policy(policy)
    time.sleep(EFFECTIVE_AFTER_S)
    return policy.name


def policy_name(queue: str) -> str:
    """`dlxctl.safe.QUEUE`; of a long name a digest."""
    name = f"dlxctl.safe.{queue}"
    return name if len(name.encode()) <= LONGEST_NAME else f"dlxctl.safe.{sha256(queue.encode()).hexdigest()[:32]}"


def _safe(limit: int | None) -> bool:
    return limit is None or limit >= SAFE_LIMIT
