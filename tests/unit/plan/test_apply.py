"""Apply on the double: crashes, partial failure, refusals, the lock."""

import itertools
from dataclasses import dataclass, replace

import pytest

from dlxctl.broker.memory_admin import MemoryAdmin
from dlxctl.errors import BrokerRefused, BrokerUnavailable, ExitCode, Locked, RefusedForSafety
from dlxctl.model.topology import Policy, Queue
from dlxctl.ops.apply import apply
from dlxctl.plan.changes import CreateQueue, PutPolicy
from tests.unit.plan.layouts import SHOP, Dying, Killed, applied, layout, plan_on

CHANGED = SHOP.replace("delivery_limit: 5", "delivery_limit: 7").replace(
    "  emails: {retry: standard, dead_letter: dead_letter}\n",
    "  emails: {retry: standard, dead_letter: dead_letter, delivery_limit: 7}\n"
    "  invoices: {retry: standard, dead_letter: dead_letter}\n",
)


@pytest.mark.parametrize("before", [None, SHOP], ids=["from nothing", "from another file"])
def test_a_run_killed_after_any_call_converges(before: str | None) -> None:
    """Whatever the step at which it died, the next apply ends where one run without a crash does."""
    whole = applied(layout(before)) if before else MemoryAdmin()
    apply(whole, layout(CHANGED))
    for calls in itertools.count():
        broker = applied(layout(before)) if before else MemoryAdmin()
        try:
            apply(Dying(broker, calls), layout(CHANGED))  # type: ignore[arg-type]
        except Killed:
            pass
        else:
            assert calls > 5
            break
        report = apply(broker, layout(CHANGED))
        assert report.exit_code is ExitCode.OK
        assert broker.read() == whole.read(), f"killed after {calls} calls"


def test_a_second_apply_makes_nothing() -> None:
    """Apply is idempotent."""
    broker = applied(layout())
    report = apply(broker, layout())
    assert report.made == ()
    assert report.exit_code is ExitCode.OK


@dataclass
class Failing:
    """An `Admin` whose every declaration of queue `name` fails."""

    inner: MemoryAdmin
    name: str

    def __getattr__(self, attribute: str):  # type: ignore[no-untyped-def]
        return getattr(self.inner, attribute)

    def declare_queue(self, queue: Queue) -> None:
        if queue.name == self.name:
            raise BrokerUnavailable("the broker is gone")
        self.inner.declare_queue(queue)


def test_a_failure_in_the_middle_is_reported_with_what_was_made() -> None:
    """Later steps rely on earlier ones, so none is tried after it; exit 4, and the next run goes on."""
    broker = MemoryAdmin()
    report = apply(Failing(broker, "orders"), layout())  # type: ignore[arg-type]
    assert report.exit_code is ExitCode.PARTIAL
    assert isinstance(report.failed, CreateQueue)
    assert report.failed.queue.name == "orders"
    assert (*report.made, report.failed, *report.not_tried) == report.plan.changes
    assert str(report.error) == "the broker is gone"
    rest = plan_on(broker, layout()).changes
    assert rest == (report.failed, *report.not_tried)


def test_a_failure_of_the_first_change_is_an_error_of_its_own() -> None:
    """Nothing was done, so nothing is partly done."""
    done = applied(layout(SHOP.split("queues:")[0]))
    first = plan_on(done, layout()).changes
    assert isinstance(first[0], PutPolicy)
    for change in first:
        if isinstance(change, PutPolicy):
            done.put_policy(change.policy)
    with pytest.raises(BrokerUnavailable, match="the broker is gone"):
        apply(Failing(done, "orders"), layout())  # type: ignore[arg-type]


def test_what_cannot_change_in_place_refuses_the_whole_run() -> None:
    """Exit 5 before the first change, naming the objects."""
    broker = MemoryAdmin("/", Queue(name="orders"), Queue(name="emails"))
    before = broker.read()
    with pytest.raises(RefusedForSafety, match=r'queue "orders", queue "emails"') as refusal:
        apply(broker, layout())
    assert refusal.value.exit_code is ExitCode.REFUSED
    assert broker.read() == before


def test_a_user_without_the_tag_is_refused_before_the_first_change() -> None:
    """The text names the tag, and the mode that needs none."""
    broker = MemoryAdmin(tags=frozenset({"management"}))
    before = broker.read()
    with pytest.raises(BrokerRefused, match=r"policymaker(.|\n)*settings: arguments"):
        apply(broker, layout())
    assert broker.read() == before
    assert apply(broker, layout(SHOP + "settings: arguments\n")).exit_code is ExitCode.OK


def test_only_what_was_reviewed_is_applied() -> None:
    """A broker that moved in between is refused; one that did not is changed."""
    broker = MemoryAdmin()
    reviewed = plan_on(broker, layout())
    broker.put_policy(Policy(name="new", pattern="orders", definition={"max-length": 1}))
    with pytest.raises(RefusedForSafety, match="no longer as the plan showed it"):
        apply(broker, layout(), reviewed=reviewed.fingerprint)
    assert apply(broker, layout(), reviewed=plan_on(broker, layout()).fingerprint).exit_code is ExitCode.OK


def test_a_run_under_another_lock_is_refused() -> None:
    """One at a time for each topology; another topology is free to go."""
    broker = MemoryAdmin()
    with broker.lock("dlxctl.lock.shop", purpose="apply shop"):
        with pytest.raises(Locked) as refusal:
            apply(broker, layout())
        assert refusal.value.exit_code is ExitCode.LOCKED
        assert apply(broker, replace(layout(), name="other")).made
