"""What is played on the model and on real brokers: a small topology and a script, as plain data.

Every name begins with `S.`, which a player replaces by a prefix of the scenario's own, so that many share a vhost. One
operation a slot (a second): `["publish", exchange, key, headers, expiration]`, `["get", queue, how]`, `["wait"]`; `how`
is a value of `Settle`. After the last slot there are `QUIET` seconds of silence, then every queue is emptied.
"""

import json
from typing import Any

from hypothesis import strategies as st

from dlxctl.model.topology import Binding, Exchange, Policy, Queue, QueueType, Topology

Data = dict[str, Any]
SLOT, QUIET = 1.0, 1.5
QUEUES, EXCHANGES = ("S.q0", "S.q1", "S.q2"), ("S.x0", "S.x1")
KEYS = (*QUEUES, "S.k.a", "S.k.b")
TTLS = (300, 620, 1300)
"""Milliseconds: what they and their sums come to lies between the slots."""
HOWS = ("ack", "reject", "reject", "reject", "nack", "return", "return", "crash")


def renamed(data: Data, prefix: str) -> Data:
    """`data` with `prefix` for the `S.` of every name."""
    renamed: Data = json.loads(json.dumps(data).replace("S.", prefix))
    return renamed


def topology_of(data: Data) -> Topology:
    """The objects of a scenario."""
    return Topology.of(
        "/",
        *(Exchange(name=name, type=type_, arguments=arguments) for name, type_, arguments in data["exchanges"]),
        *(Queue(name=name, type=QueueType(type_), arguments=arguments) for name, type_, arguments in data["queues"]),
        *(
            Binding(source=source, destination=to, to_exchange=to in _exchanges(data), routing_key=key, arguments=match)
            for source, to, key, match in data["bindings"]
        ),
        *(
            Policy(name=name, pattern=pattern, priority=priority, definition=definition)
            for name, pattern, priority, definition in data["policies"]
        ),
    )


def scenarios() -> st.SearchStrategy[Data]:
    """Any scenario that a broker of every version takes."""
    return st.builds(
        lambda exchanges, queues, bindings, operations: {
            "exchanges": exchanges,
            "queues": [queue for queue, _ in queues],
            "policies": [policy for _, policies in queues for policy in policies],
            "bindings": bindings,
            "operations": operations,
        },
        st.tuples(*map(_exchange, EXCHANGES)).map(list),
        st.tuples(*map(_queue, QUEUES)).map(list),
        st.lists(_binding(), max_size=6),
        st.tuples(
            _publish(), st.lists(st.one_of(_publish(), _get(), _get(), st.just(["wait"])), min_size=2, max_size=7)
        ).map(lambda drawn: [drawn[0], *drawn[1]]),
    )


def _exchanges(data: Data) -> set[str]:
    return {name for name, _, _ in data["exchanges"]}


def _exchange(name: str) -> st.SearchStrategy[list[Any]]:
    others = [other for other in (*EXCHANGES, "S.missing") if other != name]
    alternate = st.sampled_from(others).map(lambda other: {"alternate-exchange": other})
    types = st.sampled_from(["direct", "fanout", "topic", "headers"])
    return st.tuples(st.just(name), types, st.just({}) | st.just({}) | alternate).map(list)


def _binding() -> st.SearchStrategy[list[Any]]:
    keys = st.sampled_from((*KEYS, "S.k.*", "S.k.#", "#", "*.q1", ""))
    reasons = st.sampled_from(["rejected", "expired", "maxlen", "delivery_limit"])
    arguments = st.one_of(
        st.just({}),
        st.just({}),
        st.sampled_from(["all", "any"]).map(lambda match: {"x-match": match, "h": "1", "x-first-death-queue": "S.q0"}),
        reasons.map(lambda reason: {"x-match": "all-with-x", "x-first-death-reason": reason}),
        reasons.map(lambda reason: {"x-match": "any-with-x", "x-last-death-reason": reason, "h": "1"}),
    )
    return st.tuples(st.sampled_from(EXCHANGES), st.sampled_from((*QUEUES, *EXCHANGES)), keys, arguments).map(list)


@st.composite
def _queue(draw: st.DrawFn, name: str) -> tuple[list[Any], list[Any]]:
    """A queue, and a policy for it or none; settings are arguments or in the policy."""
    type_ = draw(st.sampled_from(["classic", "quorum"]))
    settings = draw(_settings(type_))
    by_policy = {key: value for key, value in settings.items() if draw(st.integers(0, 3)) == 0 and value != -1}
    arguments = {f"x-{key}": value for key, value in settings.items() if key not in by_policy}
    for key in ("message-ttl", "max-length", "delivery-limit"):
        if f"x-{key}" in arguments and by_policy and draw(st.integers(0, 4)) == 0:
            by_policy[key] = draw(st.sampled_from(TTLS) if key == "message-ttl" else st.integers(1, 3))
    if "x-dead-letter-exchange" not in arguments and "x-dead-letter-routing-key" in arguments:
        by_policy["dead-letter-routing-key"] = arguments.pop("x-dead-letter-routing-key")
    if by_policy and draw(st.integers(0, 9)) == 0:  # void: a key that the type does not know
        by_policy |= {"queue-mode": "lazy"} if type_ == "quorum" else {"delivery-limit": 3}
    policies = [[f"{name}.p", f"^{name}$", 5, by_policy]] if by_policy else []
    return [name, type_, arguments], policies


@st.composite
def _settings(draw: st.DrawFn, type_: str) -> dict[str, Any]:
    """Settings by policy key."""
    quorum = type_ == "quorum"
    settings: dict[str, Any] = {}
    if draw(st.integers(0, 9)) < 9:
        settings["dead-letter-exchange"] = draw(st.sampled_from(("", "", *EXCHANGES, *EXCHANGES, "S.missing")))
        if draw(st.integers(0, 9)) < 7:
            settings["dead-letter-routing-key"] = draw(st.sampled_from(KEYS))
        if quorum and draw(st.booleans()):
            settings["dead-letter-strategy"] = draw(st.sampled_from(["at-least-once", "at-least-once", "at-most-once"]))
    if draw(st.integers(0, 9)) < 4:
        settings["message-ttl"] = draw(st.sampled_from(TTLS))
    if draw(st.integers(0, 9)) < 3:
        settings["max-length"] = draw(st.integers(0, 2))
    if settings.get("dead-letter-strategy") == "at-least-once" or draw(st.integers(0, 9)) < 3:
        choices = ["reject-publish"] * 3 + ["drop-head"] + ([] if quorum else ["reject-publish-dlx"])
        settings["overflow"] = draw(st.sampled_from(choices))
    if quorum and draw(st.booleans()):
        settings["delivery-limit"] = draw(st.sampled_from([0, 1, 1, 2, -1]))
    return settings


def _publish() -> st.SearchStrategy[list[Any]]:
    headers = st.sampled_from([{}, {}, {"h": "1"}])
    expiration = st.sampled_from((None, None, None, *TTLS))
    to_queue = st.tuples(st.just("publish"), st.just(""), st.sampled_from(QUEUES), headers, expiration)
    to_exchange = st.tuples(st.just("publish"), st.sampled_from(EXCHANGES), st.sampled_from(KEYS), headers, expiration)
    return st.one_of(to_queue, to_queue, to_exchange).map(list)


def _get() -> st.SearchStrategy[list[Any]]:
    return st.tuples(st.just("get"), st.sampled_from(QUEUES), st.sampled_from(HOWS)).map(list)
