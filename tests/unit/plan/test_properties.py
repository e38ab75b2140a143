"""What holds for plan and apply of any two files (Hypothesis)."""

from typing import Any

import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from dlxctl import spec
from dlxctl.broker.memory_admin import MemoryAdmin
from dlxctl.errors import ExitCode
from dlxctl.model.layout import Layout
from dlxctl.model.topology import Queue, Topology
from dlxctl.ops.apply import apply
from dlxctl.ops.plan import make_plan
from dlxctl.ops.prune import Patience
from dlxctl.plan.hazards import ALLOWABLE
from dlxctl.plan.value import Intent
from dlxctl.spec.expand import expand
from tests.unit.spec.test_properties import files

AT_ONCE = Patience(refusing_s=0, settled_s=0, between_s=0, plugged_s=0)
FOREIGN = Queue(name="celery@host.celery.pidbox")


def layout_of(tree: dict[str, Any]) -> Layout:
    """The layout, always of one owner and in policy mode, so that one file can become the other."""
    return spec.load(yaml.safe_dump({**tree, "topology": "shop", "settings": "policy"}))


def made(wanted: Layout) -> Topology:
    """What a fresh broker is after apply."""
    broker = MemoryAdmin(wanted.vhost)
    broker.declare_queue(FOREIGN)
    apply(broker, wanted)
    return broker.read()


@given(files())
@settings(max_examples=60, deadline=None)
def test_what_a_file_asks_for_differs_in_nothing_from_it(tree: dict[str, Any]) -> None:
    """diff(t, t) is empty: a broker that is what the file says has nothing to do, with and without prune."""
    wanted = layout_of(tree)
    desired = expand(wanted, version=(4, 3, 0))
    objects = (*desired.exchanges.values(), *desired.queues.values(), *desired.bindings.values())
    broker = MemoryAdmin(wanted.vhost, *objects, *desired.policies.values())
    for intent in (Intent.KEEP, Intent.PRUNE):
        assert not make_plan(broker, wanted, intent).changes


@given(files(), files())
@settings(max_examples=60, deadline=None)
def test_applying_the_difference_makes_one_file_of_another(old: dict[str, Any], new: dict[str, Any]) -> None:
    """apply(diff(a, b)) on a gives b, foreign objects and all, unless something cannot change in place."""
    broker = MemoryAdmin(layout_of(old).vhost)
    broker.declare_queue(FOREIGN)
    apply(broker, layout_of(old))
    wanted = layout_of(new)
    if make_plan(broker, wanted).blocked:
        return
    report = apply(broker, wanted, intent=Intent.PRUNE, allowed=ALLOWABLE, patience=AT_ONCE)
    assert report.exit_code is ExitCode.OK
    assert broker.read() == made(wanted)
    assert FOREIGN.key in broker.read().queues


@given(files(), st.integers(0, 60))
@settings(max_examples=30, deadline=None)
def test_what_is_undone_change_by_change_is_what_was(tree: dict[str, Any], extra: int) -> None:
    """A change that says it can be reversed is, by the change that it names."""
    from dlxctl.ops.apply import _make
    from dlxctl.plan.changes import NotReversible, reverse

    broker = MemoryAdmin("/")
    wanted = layout_of(tree)
    for change in make_plan(broker, wanted).changes[:extra]:
        before = broker.read()
        _make(broker, change)
        back = reverse(change)
        if not isinstance(back, NotReversible):
            _make(broker, back)
            assert broker.read() == before
            _make(broker, change)
