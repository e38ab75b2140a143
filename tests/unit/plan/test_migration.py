"""Migration on the double: every step, killed between any two calls, with what publishers reach in each state."""

import itertools
from collections.abc import Iterator

import pytest

from dlxctl.broker.admin import Admin, Lock
from dlxctl.broker.memory_admin import MemoryAdmin
from dlxctl.errors import ExitCode, RefusedForSafety
from dlxctl.model.layout import Layout
from dlxctl.model.topology import Binding, Exchange, Policy, Queue, QueueType, Topology
from dlxctl.ops.apply import apply
from dlxctl.ops.migrate import migrate
from dlxctl.ops.migrate_job import Job
from dlxctl.plan.migration import Scaffold, Step, next_step, site_of, steps_left, unfinished
from dlxctl.plan.migration_roads import RoadsHome, packed, topic_takes, unpacked
from dlxctl.plan.migration_safety import common_policy, temporary_queue
from dlxctl.plan.value import Plan
from tests.unit.plan.layouts import SHOP, Dying, Killed, applied, layout, plan_on

ORDERS = "orders"
TEMPORARY = "orders.dlxctl-migrate"
QUORUM = layout(SHOP)
CLASSIC = layout(
    SHOP.replace(
        "  orders:\n    retry: standard\n    dead_letter: dead_letter\n    delivery_limit: 5\n",
        "  orders:\n    type: classic\n    retry: standard\n    dead_letter: dead_letter\n",
    )
)
FOREIGN = (
    Binding(source="theirs", destination=ORDERS, routing_key="a.*"),
    Binding(source="theirs", destination=ORDERS, routing_key="a.*", arguments={"x": 1}),
    Binding(source="heads", destination=ORDERS, arguments={"x-match": "any", "kind": "order"}),
)
OURS = Binding(source="shop.events", destination=ORDERS, routing_key="order.#")
STRANGE_MARK = Binding(
    source="dlxctl.other", destination=ORDERS, arguments={"x-match": "all", "dlxctl-owned-by": "other"}
)


class AtOnce:
    """The messages of an empty queue: it is deleted and declared, and there is nothing to move."""

    temporary_is_new = False

    def __init__(self, admin: Admin, queue: str) -> None:
        self.admin, self.scaffold = admin, Scaffold(queue=queue)

    def cut_over(self, old: Queue, new: Queue, *, suspect: bool) -> None:
        self.admin.delete_queue(new.name)
        self.admin.declare_queue(new)

    def bring_home(self, observed: Topology) -> None:
        assert observed.queue(TEMPORARY)


def job(admin: Admin, wanted: Layout, queue: Queue, *, back: bool = False) -> Job:
    return Job(admin, wanted, queue, AtOnce(admin, queue.name), lambda _: None, back=back)  # type: ignore[arg-type]


def emptily(admin: Admin, lock: Lock, wanted: Layout, plan: Plan) -> None:
    """`migrate` for queues without messages."""
    for each in plan.blocked:
        assert isinstance(each.desired, Queue)
        job(admin, wanted, each.desired).run()


def shop(wanted: Layout) -> MemoryAdmin:
    """A broker that is what `wanted` asks for, and has what others have added."""
    admin = applied(wanted)
    admin.declare_exchange(Exchange(name="theirs", type="topic"))
    admin.declare_exchange(Exchange(name="heads", type="headers"))
    admin.declare_exchange(Exchange(name="dlxctl.other", type="headers", internal=True))
    for binding in (*FOREIGN, STRANGE_MARK):
        admin.bind(binding)
    return admin


def reached(observed: Topology, source: str, same: Binding) -> set[str]:
    """The queues of a message that `same`, a binding to the queue, takes."""
    found: set[str] = set()
    for binding in observed.bindings.values():
        if (binding.source, binding.routing_key, binding.arguments) != (source, same.routing_key, same.arguments):
            continue
        found |= behind(observed, binding.destination) if binding.to_exchange else {binding.destination}
    return found


def behind(observed: Topology, fanout: str) -> set[str]:
    """The queues behind a fanout exchange, or else behind its alternate exchange."""
    queues = {b.destination for b in observed.bindings.values() if b.source == fanout and not b.to_exchange}
    exchange = observed.exchange(fanout)
    alternate = exchange.arguments.get("alternate-exchange") if exchange else None
    return queues or (behind(observed, alternate) if alternate else set())


def calls_until_done(before: Layout, after: Layout) -> Iterator[tuple[MemoryAdmin, bool]]:
    """The broker after a run that died at call 0, 1, 2, ...; last, one that did not die."""
    for calls in itertools.count():
        admin = shop(before)
        try:
            apply(Dying(admin, calls), after, migrate=emptily)  # type: ignore[arg-type]
        except Killed:
            yield admin, True
        else:
            yield admin, False
            return


@pytest.mark.parametrize(("before", "after"), [(CLASSIC, QUORUM), (QUORUM, CLASSIC)], ids=["to quorum", "to classic"])
def test_a_run_killed_after_any_call_converges(before: Layout, after: Layout) -> None:
    """The next run ends where one without a crash does, with every binding, whoever made it. Meanwhile what is
    published through an exchange reaches the queue or the temporary queue: never none, never both."""
    whole = shop(before)
    assert apply(whole, after, migrate=emptily).exit_code is ExitCode.OK
    assert not unfinished(ORDERS, whole.read())
    for binding in (*FOREIGN, STRANGE_MARK):
        assert whole.read().bindings[binding.key] == binding
    seen: list[set[str]] = []
    for admin, _ in calls_until_done(before, after):
        observed = admin.read()
        seen += [reached(observed, b.source, b) for b in (OURS, *FOREIGN) if observed.queue(ORDERS)]
        assert apply(admin, after, migrate=emptily).exit_code is ExitCode.OK
        assert admin.read() == whole.read()
    assert len(seen) > 25 * len(FOREIGN)
    assert all(queues in ({ORDERS}, {TEMPORARY}) for queues in seen)
    assert {TEMPORARY} in seen


def test_before_the_cut_over_everything_can_be_reverted() -> None:
    """Wherever a run died until the old queue is gone, the way back ends where it began."""
    before = shop(CLASSIC).read()
    reverted = 0
    for admin, _ in calls_until_done(CLASSIC, QUORUM):
        observed = admin.read()
        found = observed.queue(ORDERS)
        if found is None or found.type is QueueType.QUORUM:
            break
        desired = plan_on(admin, QUORUM).blocked[0].desired
        assert isinstance(desired, Queue)
        back = job(admin, QUORUM, desired, back=True)
        back.check()
        back.run()
        assert {**admin.read().bindings} == {**before.bindings}
        assert {**admin.read().policies} == {**before.policies}
        assert {**admin.read().queues} == {**before.queues}
        reverted += 1
    assert reverted > 10


def test_behind_the_cut_over_there_is_no_way_back() -> None:
    """Reverting is refused: the old queue is gone."""
    admin = shop(QUORUM)
    admin.declare_queue(Queue(name=TEMPORARY))
    desired = admin.read().queue(ORDERS)
    assert desired is not None
    with pytest.raises(RefusedForSafety, match="has cut over"):
        job(admin, QUORUM, desired, back=True).check()


def test_the_plan_shows_the_steps_that_are_left() -> None:
    """All of them at first; of an unfinished migration the rest, and it is not clean until that is done."""
    (first,) = plan_on(shop(CLASSIC), QUORUM).blocked
    assert len(first.steps) == 10
    assert first.steps[1] == "lead 4 bindings to orders over the bridge as well"
    admin = shop(QUORUM)
    admin.declare_queue(Queue(name=TEMPORARY))
    plan = plan_on(admin, QUORUM)
    assert not plan.clean
    assert [d.setting for d in plan.blocked[0].differences] == ["migration"]
    assert plan.blocked[0].steps[0].startswith(f"move every message of {TEMPORARY} back")


def test_a_queue_that_vanished_in_a_migration_is_declared_first() -> None:
    """A run ended between delete and declare."""
    admin = MemoryAdmin("/", Queue(name=TEMPORARY))
    site = site_of(ORDERS, admin.read())
    assert next_step(site, right=False) is Step.DECLARE
    assert steps_left(site, right=False)[0] == "declare orders"


@pytest.mark.parametrize("operator", [False, True])
def test_a_policy_that_would_empty_the_temporary_queue_is_refused(operator: bool) -> None:
    """Messages would expire or be dropped there: exit 5 before the first change, naming the policy."""
    policy = Policy(name="everywhere", pattern=".*", priority=2_000_000, definition={"max-length": 5})
    admin = MemoryAdmin("/", Queue(name=ORDERS), operator_policies=(policy,) if operator else ())
    if not operator:
        admin.put_policy(policy)
    before = admin.read()
    desired = Queue(name=ORDERS, type=QueueType.QUORUM)
    with pytest.raises(RefusedForSafety, match=r"everywhere.*max-length"):
        job(admin, QUORUM, desired).check()
    assert admin.read() == before


def test_an_exchange_is_not_migrated() -> None:
    """Exit 5, before any queue is touched."""
    admin = MemoryAdmin("/", Exchange(name="dlx", type="fanout"), Queue(name=ORDERS))
    plan = plan_on(admin, QUORUM)
    with pytest.raises(RefusedForSafety, match="only queues can be migrated"):
        migrate(admin, admin, QUORUM, plan, access=None)  # type: ignore[arg-type]


def test_the_policy_over_a_change_of_type_suits_both_types() -> None:
    """A key that one type does not know would void it, and failures would vanish."""
    wanted = Policy(
        name="dlxctl.shop.x", pattern="^(orders)$", priority=5,
        definition={"dead-letter-exchange": "dlx", "dead-letter-strategy": "at-least-once", "delivery-limit": 5},
    )  # fmt: skip
    standing = Policy(name="other", pattern=".", priority=77, definition={"max-length": 5})
    found = common_policy("shop", Queue(name=ORDERS), wanted, MemoryAdmin("/", standing).read())
    assert found is not None
    assert (dict(found.definition), found.priority) == ({"dead-letter-exchange": "dlx"}, 78)
    again = common_policy("shop", Queue(name=ORDERS), wanted, MemoryAdmin("/", standing, found).read())
    assert again == found


@pytest.mark.parametrize(
    ("old", "new", "kind"),
    [("classic", "classic", "classic"), ("classic", "quorum", "quorum"), ("quorum", "classic", "quorum")],
)
def test_the_temporary_queue_is_replicated_if_either_is(old: str, new: str, kind: str) -> None:
    """And it returns a message as often as need be."""
    queues = [Queue(name=ORDERS, type=QueueType(each)) for each in (old, new)]
    found = temporary_queue(Scaffold(queue=ORDERS), *queues, {"x-dead-letter-exchange": "dlx"})
    assert found.type == kind
    assert found.arguments["x-dead-letter-exchange"] == "dlx"
    assert ("x-delivery-limit" in found.arguments) == (kind == "quorum")


def test_names_fit_however_long_the_queue_is_called() -> None:
    """255 octets at most, and two long names stay two."""
    names = {Scaffold(queue="ä" * 126 + end).aside for end in "xy"}
    assert len(names) == 2
    assert all(len(name.encode()) <= 255 for name in names)


@pytest.mark.parametrize(
    ("exchange", "key"), [(b"", b"orders"), (b"shop.events", b"order.new"), (b"x", b""), (b"x", b"a\0b")]
)
def test_a_packed_key_carries_exchange_and_key(exchange: bytes, key: bytes) -> None:
    """Both come out as they went in."""
    assert unpacked(packed(exchange, key)) == (exchange, key)


def test_what_does_not_fit_a_key_loses_its_exchange_only() -> None:
    """255 octets are the most that a routing key has."""
    assert unpacked(packed(b"x" * 200, b"k" * 100)) == (None, b"k" * 100)


@pytest.mark.parametrize(
    ("binding", "key", "takes"),
    [
        ("#", "", True), ("#", "a.b", True), ("a.#", "a", True), ("a.#", "a.b.c", True), ("a.#", "b", False),
        ("*", "a", True), ("*", "a.b", False), ("*", "", False), ("a.*.c", "a.b.c", True), ("#.c", "a.b.c", True),
        ("#.c.#", "a.c.b", True), ("a.#.b.#.c", "a.x.b.c", True), ("a.b", "a.b", True), ("", "", True),
    ],
)  # fmt: skip
def test_topic_bindings_take_what_rabbitmq_gives_them(binding: str, key: str, takes: bool) -> None:
    """`*` is one word, `#` any number."""
    assert topic_takes(*(tuple(text.split(".")) if text else () for text in (binding, key))) is takes


ROADS = MemoryAdmin(
    "/",
    Queue(name=ORDERS), Queue(name="audit"), Exchange(name="topics", type="topic"), Exchange(name="fan", type="fanout"),
    Exchange(name="direct"), Exchange(name="heads", type="headers"), Exchange(name="inner", internal=True),
    Binding(source="topics", destination=ORDERS, routing_key="order.#"),
    Binding(source="topics", destination="audit", routing_key="#.paid"),
    Binding(source="fan", destination=ORDERS),
    Binding(source="direct", destination=ORDERS, routing_key="mine"),
    Binding(source="direct", destination="audit", routing_key="both"),
    Binding(source="direct", destination=ORDERS, routing_key="both"),
    Binding(source="heads", destination=ORDERS), Binding(source="inner", destination=ORDERS, routing_key="k"),
)  # fmt: skip


@pytest.mark.parametrize(
    ("exchange", "key", "kept"),
    [
        (b"", b"orders", True), (b"", b"other", False), (b"topics", b"order.new", True),
        (b"topics", b"order.paid", False), (b"topics", b"bill", False), (b"fan", b"any", True),
        (b"direct", b"mine", True), (b"direct", b"both", False), (b"direct", b"none", False), (b"heads", b"", False),
        (b"inner", b"k", False), (b"gone", b"k", False), (None, b"k", False),
    ],
)  # fmt: skip
def test_a_message_goes_home_by_its_own_road_where_that_leads_nowhere_else(
    exchange: bytes | None, key: bytes, kept: bool
) -> None:
    """Otherwise over the bridge, so that nobody else gets a copy; its key stays."""
    roads = RoadsHome(scaffold=Scaffold(queue=ORDERS), observed=ROADS.read())
    bridge = TEMPORARY.encode()
    assert roads.home(exchange, key, b"") == ((exchange, key) if kept else (bridge, key))
    assert roads.home(exchange, key, b"\x02CCA") == (bridge, key)
