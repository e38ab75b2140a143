"""Prune and destroy on the double: what goes, in which order, what refuses, and what a killed run leaves."""

import itertools
from collections.abc import Mapping
from dataclasses import replace

import pytest

from dlxctl.broker.memory_admin import STANDING, MemoryAdmin
from dlxctl.errors import ExitCode, RefusedForSafety
from dlxctl.model.depth import Depth
from dlxctl.model.layout import Layout
from dlxctl.model.topology import Binding, Exchange, Policy, Queue, QueueType, Topology
from dlxctl.ops.apply import apply
from dlxctl.ops.plan import make_plan
from dlxctl.ops.prune import Patience
from dlxctl.plan.changes import Change, DeleteQueue, NotReversible, PutPolicy, Unbind, reverse, verb
from dlxctl.plan.coverage import winner
from dlxctl.plan.hazards import Hazard
from dlxctl.plan.report import Report
from dlxctl.plan.value import Intent
from tests.unit.plan.layouts import SHOP, Dying, Killed, applied, layout

AT_ONCE = Patience(refusing_s=0, settled_s=0, between_s=0, plugged_s=0)
EMPTY = Depth(ready=0, unacknowledged=0, elsewhere=0, consumers=0)
LESS = SHOP.replace("  emails: {retry: standard, dead_letter: dead_letter}\n", "").replace(
    "  thumbnails: {type: classic, dead_letter: dead_letter}\n", ""
)
NOTHING = "version: 1\ntopology: shop\n"


def pruned(broker: MemoryAdmin, wanted: Layout, intent: Intent = Intent.PRUNE, *allowed: Hazard) -> Report:
    return apply(broker, wanted, intent=intent, allowed=allowed, patience=AT_ONCE)


def names(topology: Topology) -> set[str]:
    return {queue.name for queue in topology.queues.values()}


def test_what_the_file_has_no_more_goes_and_nothing_else() -> None:
    """Afterwards the broker is what a fresh apply of the shorter file makes; a second prune finds nothing."""
    broker = applied(layout())
    report = pruned(broker, layout(LESS))
    assert report.exit_code is ExitCode.OK
    assert broker.read() == applied(layout(LESS)).read()
    assert pruned(broker, layout(LESS)).made == ()


def test_destroy_leaves_an_empty_vhost() -> None:
    """Also policies, and the owner exchange."""
    broker = applied(layout())
    assert pruned(broker, layout(), Intent.DESTROY).exit_code is ExitCode.OK
    assert broker.read() == MemoryAdmin().read()
    assert {exchange.key for exchange in STANDING} == set(broker.read().exchanges)


@pytest.mark.parametrize("intent", [Intent.PRUNE, Intent.DESTROY])
def test_a_run_killed_after_any_call_converges(intent: Intent) -> None:
    """Whatever the step at which it died, the next run ends where one without a crash does."""
    whole = applied(layout())
    pruned(whole, layout(LESS), intent)
    for calls in itertools.count():
        broker = applied(layout())
        try:
            pruned(Dying(broker, calls), layout(LESS), intent)  # type: ignore[arg-type]
        except Killed:
            pass
        else:
            assert calls > 10
            break
        assert pruned(broker, layout(LESS), intent).exit_code is ExitCode.OK
        assert broker.read() == whole.read(), f"killed after {calls} calls"


def test_a_run_killed_after_any_call_can_be_taken_back() -> None:
    """The file that still has the queues makes them open and bound again."""
    whole = applied(layout())
    for calls in itertools.count():
        broker = applied(layout())
        try:
            pruned(Dying(broker, calls), layout(LESS))  # type: ignore[arg-type]
        except Killed:
            apply(broker, layout())
            assert broker.read() == whole.read(), f"killed after {calls} calls"
        else:
            return


def test_a_queue_is_unbound_and_closed_before_it_goes() -> None:
    """And refuses before its limit falls: both at once would empty a classic queue."""
    text = LESS.replace("  orders:\n", "  invoices:\n")
    broker = applied(layout())
    plan = make_plan(broker, layout(text), Intent.PRUNE)
    for change, topology in walked(broker, plan.changes):
        if isinstance(change, PutPolicy) and change.policy.definition.get("max-length") == 0:
            assert change.policy.definition["overflow"] == "reject-publish"
        if not isinstance(change, DeleteQueue):
            continue
        assert not [
            b for b in topology.bindings.values() if b.destination == change.queue.name and b.source[:6] != "dlxctl"
        ]
        ruler = winner(topology.policies.values(), change.queue)
        assert ruler
        assert ruler.definition["max-length"] == 0
        assert ruler.definition["dead-letter-exchange"] == "dlx"


def walked(broker: MemoryAdmin, changes: tuple[Change, ...]) -> list[tuple[Change, Topology]]:
    """Each change with the broker just before it; checks that a limit of 0 meets a queue that refuses already."""
    from dlxctl.ops.apply import _make

    seen = []
    for change in changes:
        before = broker.read()
        seen.append((change, before))
        _make(broker, change)
        for queue in broker.read().queues.values():
            was, now = (winner(t.policies.values(), queue) for t in (before, broker.read()))
            if now and now.definition.get("max-length") == 0:
                assert was
                assert was.definition.get("overflow") == "reject-publish"
    return seen


@pytest.mark.parametrize(
    ("depth", "hazard"),
    [
        ({"ready": 1}, "messages"),
        ({"unacknowledged": 2}, "messages"),
        ({"elsewhere": 1}, "messages"),
        ({"unacknowledged": None}, "messages"),
        ({"elsewhere": None}, "messages"),
        ({"consumers": 1}, "consumers"),
    ],
)
def test_a_queue_in_use_is_refused_before_the_first_change(depth: Mapping[str, int | None], hazard: str) -> None:
    """Ready, unacknowledged or elsewhere, unknown, consumers: exit 5, and nothing is touched."""
    broker = applied(layout())
    broker.holding["emails"] = replace(EMPTY, **depth)
    before = broker.read()
    with pytest.raises(RefusedForSafety, match=rf'queue "emails"(.|\n)*\[{hazard}\]') as refusal:
        pruned(broker, layout(LESS))
    assert refusal.value.exit_code is ExitCode.REFUSED
    assert broker.read() == before


def test_consumers_can_be_allowed_and_messages_cannot() -> None:
    """A consumer without messages loses none; no flag deletes a message."""
    broker = applied(layout())
    broker.holding["emails"] = replace(EMPTY, consumers=1)
    assert pruned(broker, layout(LESS), Intent.PRUNE, Hazard.CONSUMERS).exit_code is ExitCode.OK
    broker = applied(layout())
    broker.holding["emails"] = replace(EMPTY, ready=1)
    with pytest.raises(RefusedForSafety, match="No flag deletes messages"):
        pruned(broker, layout(LESS), Intent.PRUNE, *Hazard)


class Racing(MemoryAdmin):
    """Somebody goes on publishing to `emails`, which refuses it."""

    def depths(self) -> Mapping[str, Depth]:
        now = self.holding.get("emails", EMPTY)
        self.holding["emails"] = replace(now, published=now.published + 1)
        return super().depths()


class Slipping(MemoryAdmin):
    """A message of somebody else's is in `emails` before the plug."""

    def plug(self, queue: str) -> bool:
        return queue != "emails" and super().plug(queue)


@pytest.mark.parametrize("kind", [Racing, Slipping])
def test_a_racing_publisher_is_refused_and_the_queue_opened_again(kind: type[MemoryAdmin]) -> None:
    """Exit 5: after the refusal the broker is what it was, bindings, policies and all."""
    broker = kind()
    apply(broker, layout())
    before = broker.read()
    with pytest.raises(RefusedForSafety, match=r'queue "emails" was published to'):
        pruned(broker, layout(LESS))
    assert broker.read() == before


def test_what_was_made_before_the_refusal_stays_and_is_told() -> None:
    """Partly done, exit 4: creations stay, closing is undone."""
    broker = Racing()
    apply(broker, layout())
    report = pruned(broker, layout(LESS + "  invoices: {retry: standard, dead_letter: dead_letter}\n"))
    assert report.exit_code is ExitCode.PARTIAL
    assert report.undone
    assert {"invoices", "emails"} <= names(broker.read())
    assert make_plan(broker, layout(SHOP + "  invoices: {retry: standard, dead_letter: dead_letter}\n")).clean


def test_a_closed_queue_that_holds_a_plug_is_no_obstacle() -> None:
    """A run that was killed after the plug leaves one message, which the next one knows."""
    broker = applied(layout())
    broker.plug("emails")
    assert pruned(broker, layout(LESS)).exit_code is ExitCode.OK


def test_what_cannot_be_closed_is_refused_unless_allowed() -> None:
    """A policy of others that wins, an argument that drops, a user that may not set policies: `open`."""
    wide = Policy(name="wide", pattern="ema", priority=10**6, definition={"max-length": 9})
    broker = applied(layout())
    broker.put_policy(wide)
    with pytest.raises(RefusedForSafety, match=r'policy "wide" .* may rule it \[open\](.|\n)*--allow open'):
        pruned(broker, layout(LESS))
    assert pruned(broker, layout(LESS), Intent.PRUNE, Hazard.OPEN).exit_code is ExitCode.OK
    assert broker.read().policies[wide.key] == wide


def test_a_queue_that_drops_by_argument_is_never_given_the_limit() -> None:
    """`max-length: 0` would empty it, so even when that is allowed it is deleted as it is."""
    text = SHOP.replace(
        "thumbnails: {type: classic,", "thumbnails: {type: classic, arguments: {x-overflow: drop-head},"
    )
    broker = applied(layout(text))
    plan = make_plan(broker, layout(LESS), Intent.PRUNE)
    assert [danger.hazard for danger in plan.dangers] == [Hazard.OPEN]
    for change in plan.changes:
        if isinstance(change, PutPolicy) and change.policy.definition.get("max-length") == 0:
            assert "thumbnails" not in change.policy.pattern


def test_a_file_that_asks_for_nothing_is_refused() -> None:
    """A truncated file must not delete everything."""
    broker = applied(layout())
    with pytest.raises(RefusedForSafety, match=r"asks for no queue(.|\n)*--allow empty"):
        pruned(broker, layout(NOTHING))


def test_more_than_thirty_percent_of_ten_is_refused() -> None:
    """Of 10 objects 4 are too many, and 3 are not."""
    text = NOTHING + "dead_letter: {dead: }\ndefaults: {dead_letter: dead}\nqueues: {%s}\n"
    all_seven, four, three = (text % ", ".join(f"q{i}: " for i in range(n)) for n in (7, 4, 3))
    broker = applied(layout(all_seven))
    assert len([b for b in broker.read().bindings.values() if b.source == "dlxctl.shop"]) == 10
    with pytest.raises(RefusedForSafety, match=r"4 of 10 (.|\n)*--allow many"):
        pruned(broker, layout(three))
    assert pruned(broker, layout(four)).exit_code is ExitCode.OK


def test_another_cluster_is_refused_even_without_prune() -> None:
    """`cluster_name` in the file is a promise that apply holds."""
    wanted = layout(SHOP + "cluster_name: rabbit@prod\n")
    with pytest.raises(RefusedForSafety, match=r'"rabbit@prod", and this is cluster "memory" \[cluster\]'):
        apply(MemoryAdmin(), wanted)
    assert apply(MemoryAdmin(), wanted, allowed=[Hazard.CLUSTER]).exit_code is ExitCode.OK
    assert apply(MemoryAdmin(), layout(SHOP + "cluster_name: memory\n")).exit_code is ExitCode.OK


@pytest.mark.parametrize(
    ("foreign", "says"),
    [
        (Queue(name="theirs", arguments={"x-dead-letter-exchange": "dlx"}), "dead-letters to exchange"),
        (
            Queue(name="theirs", arguments={"x-dead-letter-exchange": "", "x-dead-letter-routing-key": "emails"}),
            'dead-letters to queue "emails"',
        ),
        (Policy(name="theirs", pattern="x", definition={"dead-letter-exchange": "dlx"}), 'policy "theirs"'),
        (Exchange(name="theirs", arguments={"alternate-exchange": "shop.events"}), "alternate exchange"),
    ],
    ids=["DLX in arguments", "DLQ by name", "DLX in a policy", "alternate exchange"],
)
def test_what_others_still_refer_to_is_refused(foreign: Queue | Policy | Exchange, says: str) -> None:
    """In arguments and in policies of any object; `--allow references` goes on."""
    broker = applied(layout())
    match foreign:
        case Queue():
            broker.declare_queue(foreign)
        case Exchange():
            broker.declare_exchange(foreign)
        case _:
            broker.put_policy(foreign)
    with pytest.raises(RefusedForSafety, match=f"{says}(.|\n)*--allow references"):
        pruned(broker, layout(), Intent.DESTROY)
    assert pruned(broker, layout(), Intent.DESTROY, Hazard.REFERENCES).exit_code is ExitCode.OK
    assert foreign.key in {**broker.read().queues, **broker.read().policies, **broker.read().exchanges}


def test_a_binding_of_others_from_our_exchange_is_a_reference() -> None:
    """Their queue would get nothing any more."""
    broker = applied(layout())
    broker.declare_queue(Queue(name="theirs"))
    broker.bind(Binding(source="shop.events", destination="theirs", routing_key="#"))
    with pytest.raises(RefusedForSafety, match=r'exchange "shop\.events" still leads to queue "theirs"'):
        pruned(broker, layout(), Intent.DESTROY)


def test_objects_of_others_stay_and_shared_ones_are_only_unmarked() -> None:
    """What another topology marks too is still its own."""
    broker = applied(layout())
    apply(broker, layout(SHOP, topology="topology: other"))
    broker.declare_queue(Queue(name="celery@host.celery.pidbox"))
    report = pruned(broker, layout(), Intent.DESTROY)
    assert not [change for change in report.made if isinstance(change, DeleteQueue)]
    assert any(isinstance(change, Unbind) for change in report.made)
    assert {"orders", "celery@host.celery.pidbox"} <= names(broker.read())
    assert not [b for b in broker.read().bindings.values() if b.source == "dlxctl.shop"]
    assert make_plan(broker, layout(SHOP, topology="topology: other")).clean


def test_a_binding_that_the_file_has_no_more_goes_between_ours_only() -> None:
    """One that somebody else made to a queue of theirs stays."""
    broker = applied(layout())
    broker.declare_queue(Queue(name="theirs", type=QueueType.QUORUM))
    broker.bind(Binding(source="shop.events", destination="theirs", routing_key="a"))
    broker.bind(Binding(source="shop.events", destination="orders", routing_key="old"))
    broker.bind(Binding(source="amq.topic", destination="orders", routing_key="theirs"))
    (change,) = pruned(broker, layout()).made
    assert isinstance(change, Unbind)
    assert (change.binding.destination, change.binding.routing_key) == ("orders", "old")


def test_each_taking_away_says_what_is_at_stake_and_whether_it_can_be_undone() -> None:
    """Messages and bindings of a queue; a deletion has no way back, an unbinding has."""
    broker = applied(layout())
    broker.holding["orders"] = replace(EMPTY, ready=3, unacknowledged=4)
    changes = make_plan(broker, layout(LESS.replace("  orders:", "  invoices:")), Intent.PRUNE).changes
    deletion = next(c for c in changes if isinstance(c, DeleteQueue) and c.queue.name == "orders")
    assert (deletion.messages, deletion.bindings) == (7, 2)
    for change in changes:
        back = reverse(change)
        if isinstance(change, DeleteQueue):
            assert isinstance(back, NotReversible)
        if isinstance(change, Unbind):
            assert not isinstance(back, NotReversible)
            assert verb(back) == "create"
