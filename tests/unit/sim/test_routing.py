"""Which queues a message reaches: exchange types, bindings between exchanges, alternate exchanges."""

from typing import Any

import pytest

from dlxctl.model.topology import Binding, Exchange, Policy, Queue, Topology
from dlxctl.sim.routing import Routes, headers_match, topic_matches
from dlxctl.sim.versions import NEWEST


def routes(*objects: Exchange | Binding | Policy, queues: str = "abc") -> Routes:
    return Routes(Topology.of("/", *(Queue(name=name) for name in queues), *objects), NEWEST)


@pytest.mark.parametrize(
    ("binding", "key", "takes"),
    [
        ("a.b", "a.b", True), ("a.b", "a.b.c", False), ("*", "a", True), ("*", "", False), ("*", "a.b", False),
        ("#", "", True), ("#", "a.b.c", True), ("a.#", "a", True), ("a.#", "ab", False), ("#.a", "a", True),
        ("#.a", "b.c.a", True), ("a.#.b", "a.b", True), ("a.#.b", "a.x.y.b", True), ("a.*.b", "a.b", False),
        ("*.*", "a.", True), ("", "", True), ("", "a", False), ("a.#.#", "a", True), ("a+", "aa", False),
    ],
)  # fmt: skip
def test_topic_bindings(binding: str, key: str, takes: bool) -> None:
    """A star is one word, a hash any number, none included; all else is itself."""
    assert topic_matches(binding, key) is takes


@pytest.mark.parametrize(
    ("arguments", "headers", "takes"),
    [
        ({}, {}, True),
        ({"x-match": "any"}, {"a": 1}, False),
        ({"a": 1}, {"a": 1, "b": 2}, True),
        ({"a": 1, "b": 2}, {"a": 1}, False),
        ({"x-match": "any", "a": 1, "b": 2}, {"a": 1}, True),
        ({"a": None}, {"a": "anything"}, True),
        ({"a": None}, {}, False),
        ({"x-first-death-queue": "q"}, {"x-first-death-queue": "other"}, True),
        ({"x-match": "all-with-x", "x-first-death-queue": "q"}, {"x-first-death-queue": "other"}, False),
        ({"x-match": "any-with-x", "x-first-death-queue": "q"}, {"x-first-death-queue": "q"}, True),
    ],
)
def test_headers_bindings(arguments: dict[str, Any], headers: dict[str, Any], takes: bool) -> None:
    """Arguments that begin with x- count only where the match says so; None asks for presence alone."""
    assert headers_match(arguments, headers) is takes


def test_the_default_exchange_knows_every_queue_by_name() -> None:
    """And nothing else."""
    assert routes().route("", "a", {}) == ("a",)
    assert routes().route("", "d", {}) == ()


def test_each_queue_gets_one_copy_over_whatever_ways() -> None:
    """Bindings between exchanges may meet, and go round."""
    meshed = routes(
        Exchange(name="x", type="fanout"), Exchange(name="y", type="fanout"),
        Binding(source="x", destination="a"), Binding(source="x", destination="y", to_exchange=True),
        Binding(source="y", destination="a"), Binding(source="y", destination="b"),
        Binding(source="y", destination="x", to_exchange=True),
    )  # fmt: skip
    assert sorted(meshed.route("x", "", {})) == ["a", "b"]


def test_the_alternate_exchange_takes_what_no_own_binding_does() -> None:
    """By argument, or by policy; not when an own binding led to an exchange that leads nowhere."""
    parts = [Exchange(name="spare", type="fanout"), Binding(source="spare", destination="b"),
             Binding(source="x", destination="a", routing_key="k"), Exchange(name="void", type="fanout"),
             Binding(source="x", destination="void", to_exchange=True, routing_key="v")]  # fmt: skip
    by_argument = routes(Exchange(name="x", arguments={"alternate-exchange": "spare"}), *parts)
    policy = Policy(name="p", pattern="^x$", apply_to="exchanges", definition={"alternate-exchange": "spare"})
    for each in (by_argument, routes(Exchange(name="x"), policy, *parts)):
        assert [each.route("x", key, {}) for key in ("k", "other", "v")] == [("a",), ("b",), ()]


def test_standing_exchanges_need_no_declaring() -> None:
    """`amq.*` are in every vhost; a plugin's exchange type is not guessed."""
    known = routes(Binding(source="amq.topic", destination="a", routing_key="k.#"), Exchange(name="p", type="x-random"),
                   Binding(source="p", destination="a"))  # fmt: skip
    assert known.knows("amq.topic")
    assert not known.knows("nowhere")
    assert (known.route("amq.topic", "k.1", {}), known.route("p", "k", {})) == (("a",), ())
