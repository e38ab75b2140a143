"""What the file keeps as it is: made, compared and marked, and otherwise left alone."""

import pytest

from dlxctl import lint, spec
from dlxctl.broker.memory_admin import MemoryAdmin
from dlxctl.model.diagnostics import InvalidTopology
from dlxctl.model.topology import Policy, QueueType
from dlxctl.ops.apply import apply
from dlxctl.plan.changes import Bind, PutPolicy, describe
from dlxctl.spec.expand import expand
from tests.unit.plan.layouts import applied, layout, plan_on

HEAD = "version: 1\ntopology: shop\n"
KEPT = f"""{HEAD}
exchanges:
  events: {{type: topic, internal: true, auto_delete: true}}
queues:
  orders: {{dead_letter: null}}
verbatim:
  queues:
    log: {{type: stream, arguments: {{x-max-age: 1D}}, bindings: [{{exchange: events, routing_key: "#"}}]}}
    brief: {{durable: false, auto_delete: true}}
  bindings: [{{source: events, destination: amq.topic, routing_key: "a.*"}}]
  policies:
    wide: {{pattern: ".*", apply_to: all, priority: 1, definition: {{max-length: 10}}}}
"""


def test_apply_makes_what_is_kept_and_a_second_plan_is_empty() -> None:
    """Queue types, flags, bindings between exchanges and policies are on the broker as the file has them."""
    wanted = layout(KEPT)
    admin = applied(wanted)
    there = admin.read()
    log, brief, events = there.queue("log"), there.queue("brief"), there.exchange("events")
    assert log is not None
    assert brief is not None
    assert events is not None
    assert (log.type, log.arguments["x-max-age"]) == (QueueType.STREAM, "1D")
    assert (brief.durable, brief.auto_delete) == (False, True)
    assert (events.internal, events.auto_delete) == (True, True)
    assert ("binding", "events", "exchange", "amq.topic", "a.*", "[]") in there.bindings
    assert there.policies["policy", "wide"] == wanted.verbatim.policies["wide"]
    assert plan_on(admin, wanted).clean


def test_a_kept_policy_changed_by_hand_is_put_back() -> None:
    """The change names the line of the file; no warning calls the policy one of others."""
    wanted = layout(KEPT)
    admin = applied(wanted)
    admin.put_policy(Policy(name="wide", pattern="^x", apply_to="all", priority=1, definition={"max-length": 1}))
    (change,) = plan_on(admin, wanted).changes
    assert isinstance(change, PutPolicy)
    assert (change.policy, change.why.line) == (wanted.verbatim.policies["wide"], 14)
    apply(admin, wanted)
    plan = plan_on(admin, wanted)
    assert plan.clean
    assert "DLX803" not in {warning.code for warning in plan.warnings}


def test_a_kept_policy_that_beats_ours_is_still_warned_of() -> None:
    """To stand in the same file makes it no less a shadow."""
    text = KEPT.replace("priority: 1,", "priority: 100000,").replace("dead_letter: null", "dead_letter: d")
    wanted = layout(text + "dead_letter: {d: }\n")
    assert "DLX801" in {warning.code for warning in plan_on(applied(wanted), wanted).warnings}


def test_our_policies_take_nothing_from_kept_ones() -> None:
    """A kept policy whose pattern is a list of names makes no policy of ours."""
    text = KEPT.replace('pattern: ".*"', 'pattern: "^(log|brief)$"')
    assert set(applied(layout(text)).read().policies) == {("policy", "wide")}


def test_bindings_between_exchanges_come_last() -> None:
    """Nothing arrives before its road is laid."""
    changes = plan_on(MemoryAdmin("/"), layout(KEPT)).changes
    assert isinstance(changes[-1], Bind)
    assert changes[-1].why.line == 12
    assert "policy wide" in describe(changes[0]) or "policy wide" in " ".join(map(describe, changes[:4]))


def test_what_was_reviewed_includes_the_kept_policies() -> None:
    """Another policy in the file is another plan."""
    one, other = layout(KEPT), layout(KEPT.replace("max-length: 10", "max-length: 11"))
    assert plan_on(MemoryAdmin("/"), one).fingerprint != plan_on(MemoryAdmin("/"), other).fingerprint


@pytest.mark.parametrize(
    ("section", "code"),
    [
        ("queues: {q: {type: stream, durable: false}}", "DLX113"),
        ("queues: {q: {type: quorum, auto_delete: true}}", "DLX113"),
        ("queues: {q: {bindings: [{exchange: nowhere}]}}", "DLX207"),
        ("queues: {q: {type: lazy}}", "DLX113"),
        ("bindings: [{source: nowhere, destination: amq.topic}]", "DLX207"),
        ("bindings: [{source: amq.topic}]", "DLX111"),
        ("policies: {p: {}}", "DLX111"),
        ("policies: {p: {pattern: a, prioritty: 1}}", "DLX110"),
        ("queue: {}", "DLX110"),
    ],
)
def test_mistakes_are_named(section: str, code: str) -> None:
    """Form and references are checked as in the other sections."""
    with pytest.raises(InvalidTopology) as caught:
        spec.load(f"{HEAD}verbatim: {{{section}}}\n")
    assert code in {diagnostic.code for diagnostic in caught.value.diagnostics}


def test_names_are_checked_across_sections() -> None:
    """A queue has one role, and dlxctl's own names are taken."""
    text = f"{HEAD}queues: {{a: {{dead_letter: null}}}}\nverbatim:\n  queues: {{a: {{}}, celeryev.x: {{}}}}\n"
    read = layout(text + "  policies: {dlxctl.shop.x: {pattern: a, definition: {max-length: 1}}}\n")
    found = [d.code for d in lint.run(read, expand(read)) if d.code in ("DLX301", "DLX303")]
    assert sorted(found) == ["DLX301", "DLX303", "DLX303"]
