"""Random edits of the file, changes by hand, messages, apply and prune on a real RabbitMQ (Hypothesis).

After each apply the plan is empty, nothing of others was touched, and every message is where it was. One vhost for all
examples: each begins with a prune to the empty file. `DLXCTL_FAULTS=full` runs more than ten times as many.
"""

import os
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pika
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule, run_state_machine_as_test

from dlxctl import spec
from dlxctl.broker.address import Access
from dlxctl.broker.management import Management
from dlxctl.errors import ExitCode, RefusedForSafety
from dlxctl.model.depth import Depth
from dlxctl.model.layout import Layout
from dlxctl.model.topology import Binding, Exchange, Policy, Queue, Topology
from dlxctl.ops.apply import apply
from dlxctl.ops.plan import make_plan
from dlxctl.ops.prune import Patience
from dlxctl.plan.hazards import ALLOWABLE, Hazard
from dlxctl.plan.value import Intent

FULL = os.environ.get("DLXCTL_FAULTS") == "full"
EXAMPLES = 400 if FULL else 30
AT_ONCE = Patience(refusing_s=0, settled_s=0, between_s=0, plugged_s=0)
WORK = {"a": "classic", "b": "classic", "c": "quorum"}
FOREIGN = (
    Queue(name="theirs"),
    Exchange(name="their.events", type="topic"),
    Binding(source="their.events", destination="theirs", routing_key="#"),
    Policy(name="their policy", pattern="^theirs$", priority=7, definition={"max-length": 1000}),
)
BARE = """\
version: 1
topology: m
dead_letter: {m.dead: }
defaults: {dead_letter: m.dead}
exchanges: {m.x: {type: topic}}
"""
FILES = st.dictionaries(
    st.sampled_from(sorted(WORK)),
    st.fixed_dictionaries(
        {}, optional={"max_length": st.sampled_from([500, 900]), "key": st.sampled_from(["one", "two"])}
    ),
)


class Exact(Management):
    """Tells depths at once: nobody consumes here, so that what is ready is all there is."""

    def depths(self) -> Mapping[str, Depth]:
        counts = self.counts([queue.name for queue in self.read().queues.values() if not queue.exclusive])
        return {name: Depth(ready=c.ready, unacknowledged=0, elsewhere=0) for name, c in counts.items() if c}


def layout_of(queues: Mapping[str, Mapping[str, Any]]) -> Layout:
    """The file with those work queues."""
    lines = [f"{BARE}queues:\n"]
    for name, said in queues.items():
        bound = f", bindings: [{{exchange: m.x, routing_key: {said['key']}}}]" if "key" in said else ""
        limit = f", max_length: {said['max_length']}" if "max_length" in said else ""
        lines.append(f"  {name}: {{type: {WORK[name]}{limit}{bound}}}\n")
    return spec.load("".join(lines))


def machine_for(reach: Access) -> type[RuleBasedStateMachine]:
    """The machine on the vhost of `reach`."""
    admin = Exact(reach)
    for thing in FOREIGN:
        match thing:
            case Queue():
                admin.declare_queue(thing)
            case Exchange():
                admin.declare_exchange(thing)
            case Binding():
                admin.bind(thing)
            case Policy():
                admin.put_policy(thing)

    class Machine(RuleBasedStateMachine):
        """What is on the broker, and what should be."""

        def __init__(self) -> None:
            super().__init__()
            self.connection = pika.BlockingConnection(pika.URLParameters(reach_url(reach)))
            self.channel = self.connection.channel()
            self.channel.confirm_delivery()
            self.wanted = layout_of({})
            self.sent: Counter[str] = Counter()

        @initialize()
        def begin(self) -> None:
            self.drain()
            apply(admin, layout_at(self.wanted, reach), intent=Intent.PRUNE, allowed=ALLOWABLE, patience=AT_ONCE)

        @rule(queues=FILES)
        def edit(self, queues: dict[str, Any]) -> None:
            self.wanted = layout_of(queues)

        @rule(name=st.sampled_from([*WORK, "m.dead"]))
        def publish(self, name: str) -> None:
            if admin.read().queue(name):
                self.channel.basic_publish("", name, b"x", mandatory=True)
                self.sent[name] += 1

        @rule(which=st.integers(0, 5), how=st.sampled_from(["change", "delete"]))
        def tamper_with_a_policy(self, which: int, how: str) -> None:
            ours = [p for p in admin.read().policies.values() if p.name.startswith("dlxctl.m.")]
            if ours:
                policy = ours[which % len(ours)]
                if how == "delete":
                    admin.delete_policy(policy.name)
                else:
                    admin.put_policy(replace(policy, definition={"max-length": 800}))

        @rule(which=st.integers(0, 9))
        def take_a_binding_away(self, which: int) -> None:
            ours = [b for b in admin.read().bindings.values() if b.source in ("dlxctl.m", "m.x", "dlx")]
            if ours:
                admin.unbind(ours[which % len(ours)])

        @rule()
        def bind_by_hand(self) -> None:
            if admin.read().exchange("m.x"):
                admin.bind(Binding(source="m.x", destination="theirs", routing_key="by hand"))

        @rule()
        def apply(self) -> None:
            report = apply(admin, layout_at(self.wanted, reach))
            assert report.exit_code is ExitCode.OK
            assert make_plan(admin, layout_at(self.wanted, reach)).clean
            self.hold()

        @rule()
        def prune(self) -> None:
            before = admin.read()
            doomed = set(owned(before)) - set(self.wanted.work_queues) - {"m.dead"}
            allowed = [hazard for hazard in ALLOWABLE if hazard is not Hazard.MIGRATE]
            wanted = layout_at(self.wanted, reach)
            try:
                report = apply(admin, wanted, intent=Intent.PRUNE, allowed=allowed, patience=AT_ONCE)
            except RefusedForSafety:
                assert any(self.sent[name] for name in doomed)
                assert admin.read() == before
            else:
                assert report.exit_code is ExitCode.OK
                assert not any(self.sent[name] for name in doomed)
                assert not doomed & set(owned(admin.read()))
                assert make_plan(admin, wanted, Intent.PRUNE).clean
            self.hold()

        def hold(self) -> None:
            """Nothing of others was touched, and every message is where it was."""
            seen = admin.read()
            things = {**seen.queues, **seen.exchanges, **seen.bindings, **seen.policies}
            assert all(things[thing.key] == thing for thing in FOREIGN)
            counts = admin.counts([queue.name for queue in seen.queues.values()])
            assert {name: c.ready for name, c in counts.items() if c and c.ready} == dict(+self.sent)

        def drain(self) -> None:
            for queue in admin.read().queues.values():
                self.channel.queue_purge(queue.name)
            self.sent.clear()

        def teardown(self) -> None:
            self.connection.close()

    return Machine


def owned(topology: Topology) -> list[str]:
    """The queues that are marked as ours."""
    return [b.destination for b in topology.bindings.values() if b.source == "dlxctl.m" and not b.to_exchange]


def layout_at(wanted: Layout, reach: Access) -> Layout:
    return replace(wanted, vhost=reach.vhost)


def reach_url(reach: Access) -> str:
    address = reach.amqp[0]
    return f"amqp://{address.user}:{address.password}@{address.host}:{address.port}/{reach.vhost}"


@pytest.mark.slow
@pytest.mark.timeout(3_600 if FULL else 600)
def test_after_every_apply_the_plan_is_empty_and_every_message_is_there(reach: Access) -> None:
    """Whatever came before it: edits, policies and bindings changed by hand, marks taken away, messages."""
    run_state_machine_as_test(  # type: ignore[no-untyped-call]
        machine_for(reach),
        settings=settings(
            max_examples=EXAMPLES, stateful_step_count=8, deadline=None, database=None,
            suppress_health_check=list(HealthCheck), print_blob=True,
        ),
    )  # fmt: skip
