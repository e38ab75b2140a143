"""Native retries in a plan: refused where the broker cannot do them, shown with their reason where it can."""

import pytest

from dlxctl.broker.memory_admin import MemoryAdmin
from dlxctl.model.diagnostics import InvalidTopology
from dlxctl.model.topology import Topology
from dlxctl.ops.apply import apply
from dlxctl.plan.changes import CreateQueue
from dlxctl.render.plan import plan_lines
from dlxctl.render.plan_json import plan_json
from tests.unit.plan.layouts import applied, layout, plan_on

NATIVE = """\
version: 1
topology: shop
retry:
  native: {backend: native, delays: [10s, 1m], attempts: 6}
  tiers: {delays: [1m], attempts: 2}
dead_letter: {dead: }
defaults: {dead_letter: dead}
queues: {a: {retry: native}, b: {retry: tiers, delivery_limit: 20}}
"""


@pytest.mark.parametrize("version", [(3, 10, 8), (4, 0, 5), (4, 2, 9), (4, 3, 0)])
@pytest.mark.parametrize("mode", ["policy", "arguments"])
def test_an_older_broker_is_refused_before_anything_is_made(version: tuple[int, ...], mode: str) -> None:
    """Plan and apply name the line, the version and the way out, with exit code 2, and change nothing."""
    admin = MemoryAdmin(version=version)
    wanted = layout(f"{NATIVE}settings: {mode}\n")
    for attempt in (plan_on, apply):
        with pytest.raises(InvalidTopology) as refused:
            attempt(admin, wanted)
        text = str(refused.value)
        assert text.startswith("topology.yaml:4:12: DLX820 ")
        assert ".".join(map(str, version)) in text
        assert "backend: tiers" in text
        assert refused.value.exit_code == 2
    assert admin.read() == MemoryAdmin(version=version).read()


def test_a_new_enough_broker_is_made_so() -> None:
    """After apply a second plan is clean, and no tier of a native ladder exists."""
    wanted = layout(NATIVE)
    admin = applied(wanted, version=(4, 3, 1))
    assert plan_on(admin, wanted).clean
    observed: Topology = admin.read()
    assert observed.queue("retry.10s") is None
    assert observed.queue("retry.1m") is not None


def test_from_tiers_to_native_nothing_but_policies_change() -> None:
    """The change is made in place; the tiers stay, as leftovers, since messages may wait in them."""
    before = layout(NATIVE.replace("backend: native, ", "").replace("a: {retry: native}", "a: {retry: native}"))
    admin = applied(before, version=(4, 3, 6))
    plan = plan_on(admin, layout(NATIVE))
    assert not plan.blocked
    assert {left.key for left in plan.leftovers if left.key[0] == "queue"} == {("queue", "retry.10s")}


def test_plan_says_which_backend_and_why() -> None:
    """Each ladder has a line with its queues, its backend and the reason; JSON has the place too."""
    plan = plan_on(MemoryAdmin(version=(4, 3, 6)), layout(NATIVE))
    shown = "\n".join(line.text for line in plan_lines(plan))
    assert "native, for a: backend native (the file says so; RabbitMQ 4.3.6 delays retries in the work queues" in shown
    assert "tiers, for b: backend tiers (the default; a queue for each delay: retry.1m)" in shown
    assert [(each["ladder"], each["backend"], each["why"]["line"]) for each in plan_json(plan)["retries"]] == [
        ("native", "native", 4), ("tiers", "tiers", 5),
    ]  # fmt: skip


def test_a_tier_is_asked_for_by_the_ladder_that_has_tiers() -> None:
    """A native ladder with the same delay asks for none."""
    plan = plan_on(MemoryAdmin(version=(4, 3, 6)), layout(NATIVE))
    [tier] = [c for c in plan.changes if isinstance(c, CreateQueue) and c.queue.name == "retry.1m"]
    assert tier.why.line == 5
