"""dlxctl.replay.precedent: the short way ends where the long way does, octet by octet."""

from collections.abc import Iterator
from itertools import product
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from dlxctl.replay.letter import Letter, names_a_chord, shape_book
from dlxctl.replay.order import ReplayOrder, Route, decide
from dlxctl.replay.origin import OriginRules
from dlxctl.replay.precedent import MOST, Precedents
from dlxctl.replay.rewrite import RewriteOptions, rewritten
from dlxctl.wire.intake import Delivery
from tests import amqp_values as amqp
from tests.letters import delivery, x_death

RULES = OriginRules(skipped=frozenset({"dead", "tier"}), feeders=frozenset({"work", "else"}))
OPTIONS = RewriteOptions(run_id="r-1", user="guest")


def order(**changes: Any) -> ReplayOrder:
    return ReplayOrder(**{"queue": "dead", "rewrite": OPTIONS, "rules": RULES, **changes})


QUEUES = ("work", "else", "dead", "tier", "nope")
TIMES = (1, 1_700_000_000, 2**62)

REASONS = ("rejected", "delivery")
TEXTS = {
    b"dlxctl-origin": QUEUES, b"dlxctl-exception": ("KeyError", "OSErrors"), b"dlxctl-reason": REASONS,
    b"dlxctl-run": ("r-1/4", "r-0/4"), b"id": ("id-1", "id-2"), b"task": ("a.b", "c.d"), b"group": ("g-1", "g-2"),
    b"CC": ("one", "two"), b"dlxctl-history": ("[]", '{"'),
}  # fmt: skip
"""Values of equal length, so that letters with the same headers have the same structure."""
NUMBERS = (b"retries", b"dlxctl-replays", b"dlxctl-died-at")
PROPERTIES = {"user_id": (b"\5guest", b"\5other"), "priority": (b"\0", b"\5")}
KEYS = (*TEXTS, *NUMBERS, *PROPERTIES)


@st.composite
def letters(draw: st.DrawFn) -> list[Delivery]:
    """Letters with the same headers, and values that differ or not."""
    keys = draw(st.sets(st.sampled_from(KEYS), max_size=4))
    queues = draw(st.lists(st.lists(st.sampled_from(QUEUES), min_size=1, max_size=2), max_size=3))
    return [one(draw, keys, queues) for _ in range(draw(st.integers(3, 6)))]


def one(draw: st.DrawFn, keys: set[bytes | str], queues: list[list[str]]) -> Delivery:
    texts = [amqp.entry(k, amqp.string(draw(st.sampled_from(vs)))) for k, vs in TEXTS.items() if k in keys]
    numbers = [amqp.entry(k, amqp.integer(draw(st.sampled_from((0, 1, 7))))) for k in NUMBERS if k in keys]
    deaths = [
        amqp.death(
            *(draw(st.sampled_from(values)) for values in (some, REASONS, TIMES)), key=draw(st.sampled_from("kl"))
        )
        for some in queues
    ]
    properties = {k: draw(st.sampled_from(vs)) for k, vs in PROPERTIES.items() if k in keys}
    entries = (*texts, *numbers, *([x_death(*deaths)] if deaths else []))
    return delivery(*entries, body=draw(st.sampled_from(BODIES)), **properties)


BODIES = (b'{"chord": null}', b'{"chord":{"a"}}')


@settings(max_examples=600)
@given(letters(), st.booleans(), st.sampled_from([None, "there"]))
def test_the_short_way_ends_where_the_long_way_does(found: list[Delivery], via: bool, to: str | None) -> None:
    """Route, copy and chord are the same by precedent and by reading, whatever was learned before."""
    asked = order(via_exchange=via, to=to)
    precedents, shapes = Precedents(asked), shape_book()
    for number, one in enumerate(found * 3):
        letter = Letter(one, shapes.shape_of(one.header))
        decision = decide(letter, asked)
        known = precedents.of(one.header)
        if known is not None:
            assert known.route == decision
            assert known.template.copy(one.header, number) == rewritten(
                letter, known.route.key, number, flagged=False, options=OPTIONS
            )
            assert (known.in_group and names_a_chord(one.body)) == letter.is_chord_member
        if isinstance(decision, Route):
            precedents.learn(letter, decision)


def alike(count: int) -> Iterator[Delivery]:
    """Dead letters of one task, which differ in id, time and arguments."""
    for n in range(count):
        yield delivery(
            amqp.entry(b"task", amqp.string("shop.charge")), amqp.entry(b"id", amqp.string(f"{n:08}")),
            amqp.entry(b"argsrepr", amqp.string(f"({n:05},)")), x_death(amqp.death("work", at=1_700_000_000 + n)),
        )  # fmt: skip


def walked(precedents: Precedents, asked: ReplayOrder, found: Iterator[Delivery]) -> list[bool]:
    """For each letter, whether there was a precedent; each is learned from."""
    shapes, known = shape_book(), []
    for one in found:
        letter = Letter(one, shapes.shape_of(one.header))
        known.append(precedents.of(one.header) is not None)
        decision = decide(letter, asked)
        if isinstance(decision, Route):
            precedents.learn(letter, decision)
    return known


def test_letters_that_differ_in_ids_times_and_arguments_share_one() -> None:
    """From the third on each has a precedent: the first shows a length, the second its shape."""
    assert walked(Precedents(order()), order(), alike(5)) == [False, False, True, True, True]


def test_the_number_of_precedents_is_bounded() -> None:
    """A queue in which every letter tells something else does not fill the memory."""
    different = [
        delivery(amqp.entry(b"dlxctl-origin", amqp.string("work")), amqp.entry(b"dlxctl-exception", amqp.string(text)))
        for text in ("".join(letters) for letters in product("abcdefghijkl", repeat=3))
    ]
    precedents = Precedents(order())
    walked(precedents, order(), iter(different))
    assert len(different) > MOST
    assert sum(len(known) for masks in precedents._by_length.values() for _, known in masks) <= MOST
