"""What the arguments of a queue and the policies that apply to it come to, as the values that the model needs.

As `dlxctl.model.effective`, for all settings at once, and with the releases' differences.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from dlxctl.model.attributes import BY_ARGUMENT, BY_POLICY, Attribute
from dlxctl.model.effective import Matching, matches, understood
from dlxctl.model.identity import Same
from dlxctl.model.topology import Exchange, Policy, Queue, QueueType, Topology
from dlxctl.sim.versions import Release

DROP_HEAD, REJECT_PUBLISH, REJECT_PUBLISH_DLX = "drop-head", "reject-publish", "reject-publish-dlx"
_EXCHANGE_SCOPES = frozenset({"all", "exchanges"})


@dataclass(frozen=True, slots=True, kw_only=True)
class DelayedRetry:
    """Delayed retry of 4.3: which returns wait (`type`): for `min_ms` times the failures, at most `max_ms`."""

    type: str
    min_ms: int
    max_ms: int

    def delay_ms(self, *, failed: bool, failures: int) -> int | None:
        """How long a returned message waits; None for not at all."""
        if self.type != "all" and self.type != ("failed" if failed else "returned"):
            return None
        return min(self.min_ms * max(1, failures), self.max_ms)


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Effective settings of a queue. `dlx` None: it does not dead-letter; `dlx_key` None: the message keeps its key.

    `at_least_once` is what the queue does, not what it was asked: without reject-publish it falls back in silence.
    """

    type: QueueType
    ttl_ms: int | None = None
    max_length: int | None = None
    overflow: str = DROP_HEAD
    dlx: str | None = None
    dlx_key: str | None = None
    at_least_once: bool = False
    delivery_limit: int | None = None
    delayed_retry: DelayedRetry | None = None


def settings_of(topology: Topology, queue: Queue, release: Release) -> Settings:
    """What `queue`, one of the topology's, does on `release`."""
    return settings_in(topology, release)[queue.name]


def settings_in(topology: Topology, release: Release) -> Mapping[str, Settings]:
    """What each queue does on `release`, by its name, in the topology's order; asked for many times, computed once."""
    return _settings_in(Same(topology), release)


@lru_cache(maxsize=4)
def _settings_in(same: Same[Topology], release: Release) -> dict[str, Settings]:
    """Thousands of queues differ in their names only: they share the computation, and the value."""
    topology, found, alike = same.value, dict[str, Settings](), dict[object, Settings]()
    sources = Matching(topology.operator_policies.values()), Matching(topology.policies.values())
    for queue in topology.queues.values():
        policies = tuple(_first(each.applying(queue), release) for each in sources)
        key = (queue.type, repr(queue.arguments), *(policy and policy.name for policy in policies))
        if key not in alike:
            alike[key] = _settings(queue, policies, release)
        found[queue.name] = alike[key]
    return found


def _settings(queue: Queue, policies: Iterable[Policy | None], release: Release) -> Settings:
    values = _effective(queue, policies, release)
    quorum = queue.type is QueueType.QUORUM
    overflow = values.get("x-overflow", DROP_HEAD)
    if queue.type is QueueType.STREAM or (quorum and overflow == REJECT_PUBLISH_DLX):
        overflow = DROP_HEAD
    dlx = values.get("x-dead-letter-exchange") if queue.type is not QueueType.STREAM else None
    strategy = values.get("x-dead-letter-strategy")
    return Settings(
        type=queue.type,
        ttl_ms=values.get("x-message-ttl"),
        max_length=values.get("x-max-length"),
        overflow=overflow,
        dlx=dlx,
        dlx_key=values.get("x-dead-letter-routing-key") if dlx is not None else None,
        at_least_once=quorum and dlx is not None and strategy == "at-least-once" and overflow == REJECT_PUBLISH,
        delivery_limit=_delivery_limit(values.get("x-delivery-limit"), release) if quorum else None,
        delayed_retry=_delayed_retry(values) if quorum and release.delayed_retry else None,
    )


def alternate_of(topology: Topology, exchange: Exchange, release: Release) -> str | None:
    """The alternate exchange: by argument, else by policy."""
    named = exchange.arguments.get("alternate-exchange")
    if named is None:
        matching = (policy for policy in topology.policies.values() if policy.apply_to in _EXCHANGE_SCOPES)
        policy = _first((policy for policy in matching if matches(policy, exchange.name)), release)
        named = policy.definition.get("alternate-exchange") if policy else None
    return named if isinstance(named, str) else None


def _effective(queue: Queue, policies: Iterable[Policy | None], release: Release) -> dict[str, Any]:
    sources = [policy.definition for policy in policies if policy is not None and understood(policy, queue)]
    if not sources:
        return dict(queue.arguments)
    arguments = {BY_POLICY[key].argument for source in sources for key in source if key in BY_POLICY}
    known = [
        BY_ARGUMENT[name] for name in (*queue.arguments, *(arguments - set(queue.arguments))) if name in BY_ARGUMENT
    ]
    merged = ((attribute, _merged(attribute, queue.arguments, sources, release)) for attribute in known)
    return {attribute.argument: value for attribute, value in merged if value is not None}


def _merged(
    attribute: Attribute, arguments: Mapping[str, Any], policies: Iterable[Mapping[str, Any]], release: Release
) -> Any:
    """The argument wins over the policy; of numbers the lowest does, a negative one last where it means unlimited."""
    set_by_policy = (policy.get(attribute.policy) for policy in policies if attribute.policy is not None)
    values = [value for value in (arguments.get(attribute.argument), *set_by_policy) if value is not None]
    if attribute.lowest_wins and values:
        limits = [value for value in values if value >= 0 or not release.negative_is_unlimited]
        return min(limits or values)
    return values[0] if values else None


def _first(policies: Iterable[Policy], release: Release) -> Policy | None:
    """The one of highest priority."""
    ordered = sorted(policies, key=lambda policy: policy.name, reverse=release.last_name_wins)
    return max(ordered, key=lambda policy: policy.priority, default=None)


def _delivery_limit(limit: int | None, release: Release) -> int | None:
    if limit is None:
        return release.default_delivery_limit
    if limit >= 0:
        return limit
    return None if release.negative_is_unlimited else 0


def _delayed_retry(values: Mapping[str, Any]) -> DelayedRetry | None:
    kind, least = values.get("x-delayed-retry-type"), values.get("x-delayed-retry-min")
    if kind not in ("all", "failed", "returned") or not isinstance(least, int):
        return None  # the broker takes any argument here, and does nothing
    return DelayedRetry(type=kind, min_ms=least, max_ms=values.get("x-delayed-retry-max", least))
