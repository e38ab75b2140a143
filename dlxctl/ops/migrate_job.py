"""One queue's migration: each step is chosen by `dlxctl.plan.migration` from what stands, and carried out here.

Every step can be repeated; after each the broker is read again, so that no step relies on what another one remembers.
"""

import json
from dataclasses import dataclass, replace
from typing import assert_never

from dlxctl.broker.admin import Admin
from dlxctl.broker.run_guard import mark_name
from dlxctl.errors import BrokerUnavailable, RefusedForSafety
from dlxctl.model.diagnostics import quoted
from dlxctl.model.effective import setting
from dlxctl.model.layout import Layout
from dlxctl.model.topology import Binding, Exchange, Queue, Topology
from dlxctl.ops.migrate_messages import Messages, Tell
from dlxctl.plan.conflicts import compare_queues
from dlxctl.plan.coverage import winner
from dlxctl.plan.drift import Drift
from dlxctl.plan.migration import MARKS, Site, Step, homeward, next_step, site_of, text, twin
from dlxctl.plan.migration_safety import common_policy, obstacle, temporary_queue
from dlxctl.spec.expand import OWNER_HEADER, expand

MOST_STEPS = 60
"""Four times as many as a migration has; more means that somebody binds against us."""
_DEAD_LETTERING = ("x-dead-letter-exchange", "x-dead-letter-routing-key", "x-dead-letter-strategy")


@dataclass(frozen=True, slots=True, kw_only=True)
class _View:
    """One reading of the broker: the queue and its surroundings; `right`: it needs no migration any more."""

    observed: Topology
    drift: Drift
    site: Site
    right: bool


class Job:
    """The migration of one queue; `back`: to what it was."""

    def __init__(
        self, admin: Admin, layout: Layout, desired: Queue, messages: Messages, tell: Tell, *, back: bool = False
    ) -> None:
        self.admin, self.layout, self.desired, self.tell, self.back = admin, layout, desired, tell, back
        self.messages, self.scaffold = messages, messages.scaffold

    def check(self) -> None:
        """Raises RefusedForSafety when it cannot be done."""
        view = self._look()
        why = obstacle(view.site, self.desired, view.observed)
        if why:
            raise RefusedForSafety(
                f"queue {quoted(self.desired.name)} cannot be migrated", why=why, remedy="Nothing was changed."
            )
        if self.back and (view.right or view.site.queue is None):
            raise RefusedForSafety(
                f"the migration of queue {quoted(self.desired.name)} has cut over: there is no way back",
                remedy="Go on with it: dlxctl apply --allow migrate. Then migrate to the old settings, if need be.",
            )

    def run(self) -> None:
        """Every step that is left."""
        for _ in range(MOST_STEPS):
            view = self._look()
            step = next_step(view.site, right=view.right or self.back)
            if step is None:
                break
            self.tell(f"{self.desired.name}: {text(step, view.site)}")
            self._do(step, view)
        else:
            raise BrokerUnavailable(
                f"the migration of queue {quoted(self.desired.name)} does not come to its end",
                why="bindings to it keep coming back: something declares them again and again",
                remedy="Stop what does, then run the same command again: it goes on from what stands on the broker.",
            )
        if self.back:
            self._drop_common_policy()

    def _look(self) -> _View:
        observed = self.admin.read()
        drift = Drift(layout=self.layout, desired=expand(self.layout, version=self._version), observed=observed)
        found = observed.queue(self.desired.name)
        policy = winner(drift.stand, self.desired)
        right = found is not None and not compare_queues(
            self.desired, found, policy.definition if policy else {}
        ).differences  # fmt: skip
        return _View(observed=observed, drift=drift, site=site_of(self.desired.name, observed), right=right)

    @property
    def _version(self) -> tuple[int, ...]:
        return self.admin.server().version

    def _do(self, step: Step, view: _View) -> None:
        site, admin = view.site, self.admin
        match step:
            case Step.PREPARE:
                self._prepare(view)
            case Step.BRIDGE:
                admin.bind(self._join)
                for binding in site.unbridged:
                    admin.bind(twin(binding, self.scaffold))
            case Step.RELEASE:
                for binding in site.outer:
                    admin.unbind(binding)
            case Step.DIVERT:
                assert site.join is not None
                admin.unbind(site.join)
            case Step.CUT_OVER:
                assert site.queue is not None
                unfinished = view.observed.queue(mark_name(self.desired.name)) is not None
                self.messages.cut_over(site.queue, self.desired, suspect=unfinished)
                self._turn_back(view)
            case Step.DECLARE:
                admin.declare_queue(self.desired)
            case Step.JOIN:
                self._turn_back(view)
            case Step.REBIND:
                for binding in site.unbound:
                    admin.bind(homeward(binding, self.scaffold))
            case Step.UNBRIDGE:
                for binding in site.twins:
                    admin.unbind(binding)
            case Step.BRING_HOME:
                self.messages.bring_home(view.observed)
                admin.delete_queue(self.scaffold.temporary)
            case Step.CLEAR:
                admin.delete_exchange(self.scaffold.bridge)
                admin.delete_queue(self.scaffold.probe)
                admin.delete_exchange(self.scaffold.aside)
            case _:
                assert_never(step)

    @property
    def _join(self) -> Binding:
        return Binding(source=self.scaffold.bridge, destination=self.desired.name)

    def _prepare(self, view: _View) -> None:
        """First what the broker might refuse; the bridge last, since it counts on the others."""
        site, admin, scaffold = view.site, self.admin, self.scaffold
        assert site.queue is not None
        admin.declare_queue(replace(self.desired, name=scaffold.probe))
        admin.delete_queue(scaffold.probe)
        if site.queue.type is not self.desired.type:
            self._hold_over_the_change(view, site.queue)
        if site.temporary is None:
            admin.declare_queue(temporary_queue(scaffold, site.queue, self.desired, _dead_lettering(view)))
            self.messages.temporary_is_new = True
        if site.aside is None:
            marks = json.dumps([binding.source for binding in site.marks])
            admin.declare_exchange(Exchange(name=scaffold.aside, type="fanout", arguments={MARKS: marks}))
        admin.bind(Binding(source=scaffold.aside, destination=scaffold.temporary))
        if site.bridge is None:
            arguments = {"alternate-exchange": scaffold.aside}
            admin.declare_exchange(Exchange(name=scaffold.bridge, type="fanout", arguments=arguments))

    def _hold_over_the_change(self, view: _View, old: Queue) -> None:
        policy = common_policy(self.layout.name, old, winner(view.drift.stand, self.desired), view.observed)
        if policy is not None and self.admin.server().may_set_policies:
            self.admin.put_policy(policy)

    def _drop_common_policy(self) -> None:
        view = self._look()
        if view.site.queue is not None and self.admin.server().may_set_policies:
            policy = common_policy(
                self.layout.name, view.site.queue, winner(view.drift.stand, self.desired), view.observed
            )  # fmt: skip
            if policy is not None:
                self.admin.delete_policy(policy.name)

    def _turn_back(self, view: _View) -> None:
        """At once, before somebody binds the queue again: by two roads that part at the bridge come two copies."""
        if view.site.bridge is not None:
            self.admin.bind(self._join)
        for owner in view.site.noted:
            self.admin.bind(_mark(owner, self.desired.name))


def _dead_lettering(view: _View) -> dict[str, object]:
    queue = view.site.queue
    assert queue is not None
    found = {argument: setting(view.observed, queue, argument) for argument in _DEAD_LETTERING}
    if found["x-dead-letter-exchange"] is None:
        return {}
    return {argument: value for argument, value in found.items() if value is not None}


def _mark(owner: str, queue: str) -> Binding:
    """The mark that `spec.expand` sets."""
    arguments = {"x-match": "all", OWNER_HEADER: owner.removeprefix("dlxctl.")}
    return Binding(source=owner, destination=queue, arguments=arguments)
