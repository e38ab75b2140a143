"""What is played on the model and on real brokers: a small topology and a script, as plain data.

Every name begins with `S.`, which a player replaces by a prefix of the scenario's own, so that many share a vhost. One
operation a slot (a second): `["publish", exchange, key, headers, expiration]`, `["get", queue, how]`, `["wait"]`; `how`
is a value of `Settle`. After the last slot there are `QUIET` seconds of silence, then every queue is emptied.
"""

import json
import random
from typing import Any

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


def scenario(chance: random.Random) -> Data:
    """Any scenario that a broker of every version takes."""
    queues = [_queue(name, chance) for name in QUEUES]
    more = [_publish(chance) if chance.random() < 0.3 else _get(chance) for _ in range(chance.randint(2, 7))]
    return {
        "exchanges": [_exchange(name, chance) for name in EXCHANGES],
        "queues": [queue for queue, _ in queues],
        "policies": [policy for _, policies in queues for policy in policies],
        "bindings": [_binding(chance) for _ in range(chance.randint(0, 7))],
        "operations": [_publish(chance), *([["wait"]] if chance.random() < 0.2 else []), *more],
    }


def _exchanges(data: Data) -> set[str]:
    return {name for name, _, _ in data["exchanges"]}


def _exchange(name: str, chance: random.Random) -> list[Any]:
    others = [other for other in (*EXCHANGES, "S.missing") if other != name]
    alternate = {"alternate-exchange": chance.choice(others)} if chance.random() < 0.35 else {}
    return [name, chance.choice(["direct", "fanout", "topic", "headers"]), alternate]


def _binding(chance: random.Random) -> list[Any]:
    key = chance.choice((*KEYS, "S.k.*", "S.k.#", "#", "*.q1", ""))
    reason = chance.choice(["rejected", "expired", "maxlen", "delivery_limit"])
    arguments: dict[str, str] = chance.choice([
        {}, {},
        {"x-match": chance.choice(["all", "any"]), "h": "1", "x-first-death-queue": "S.q0"},
        {"x-match": "all-with-x", "x-first-death-reason": reason},
        {"x-match": "any-with-x", "x-last-death-reason": reason, "h": "1"},
    ])  # fmt: skip
    return [chance.choice(EXCHANGES), chance.choice((*QUEUES, *EXCHANGES)), key, arguments]


def _queue(name: str, chance: random.Random) -> tuple[list[Any], list[Any]]:
    """A queue, and a policy for it or none; settings are arguments or in the policy."""
    type_ = chance.choice(["classic", "quorum"])
    settings = _settings(type_, chance)
    by_policy = {
        key: value
        for key, value in settings.items()
        if chance.random() < 0.25 and value != -1 and not key.startswith("delayed")
    }
    arguments = {f"x-{key}": value for key, value in settings.items() if key not in by_policy}
    for key in ("message-ttl", "max-length", "delivery-limit"):
        if f"x-{key}" in arguments and by_policy and chance.random() < 0.3:
            by_policy[key] = chance.choice(TTLS) if key == "message-ttl" else chance.randint(1, 3)
    if "x-dead-letter-exchange" not in arguments and "x-dead-letter-routing-key" in arguments:
        by_policy["dead-letter-routing-key"] = arguments.pop("x-dead-letter-routing-key")
    if by_policy and chance.random() < 0.1:  # void: a key that the type does not know
        by_policy |= {"queue-mode": "lazy"} if type_ == "quorum" else {"delivery-limit": 3}
    policies = [[f"{name}.p", f"^{name}$", 5, by_policy]] if by_policy else []
    return [name, type_, arguments], policies


def _settings(type_: str, chance: random.Random) -> dict[str, Any]:
    """Settings by policy key."""
    quorum = type_ == "quorum"
    settings: dict[str, Any] = {}
    if chance.random() < 0.9:
        settings["dead-letter-exchange"] = chance.choice(("", "", *EXCHANGES, *EXCHANGES, "S.missing"))
        if chance.random() < 0.7:
            settings["dead-letter-routing-key"] = chance.choice(KEYS)
        if quorum and chance.random() < 0.5:
            settings["dead-letter-strategy"] = chance.choice(["at-least-once", "at-least-once", "at-most-once"])
    if chance.random() < 0.4:
        settings["message-ttl"] = chance.choice(TTLS)
    if chance.random() < 0.3:
        settings["max-length"] = chance.randint(0, 2)
    if settings.get("dead-letter-strategy") == "at-least-once" or chance.random() < 0.3:
        choices = ["reject-publish"] * 3 + ["drop-head"] + ([] if quorum else ["reject-publish-dlx"])
        settings["overflow"] = chance.choice(choices)
    if quorum and chance.random() < 0.5:
        settings["delivery-limit"] = chance.choice([0, 1, 1, 2, -1])
    if quorum and chance.random() < 0.15:
        settings |= {"delayed-retry-type": chance.choice(["all", "failed", "returned"]), "delayed-retry-min": 620}
    return settings


def _publish(chance: random.Random) -> list[Any]:
    headers = chance.choice([{}, {}, {"h": "1"}])
    expiration = chance.choice((None, None, None, *TTLS))
    if chance.random() < 0.65:
        return ["publish", "", chance.choice(QUEUES), headers, expiration]
    return ["publish", chance.choice(EXCHANGES), chance.choice(KEYS), headers, expiration]


def _get(chance: random.Random) -> list[Any]:
    return ["get", chance.choice(QUEUES), chance.choice(HOWS)]
