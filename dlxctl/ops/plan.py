"""Use case: what would apply change? Handed a `Reader`, so that it can change nothing."""

from dlxctl.broker.admin import Reader
from dlxctl.model.layout import Layout
from dlxctl.plan.changes import DeleteQueue
from dlxctl.plan.make import plan_for
from dlxctl.plan.value import Intent, Plan


def make_plan(reader: Reader, layout: Layout, intent: Intent = Intent.KEEP) -> Plan:
    """Read the vhost once and compare; how many messages there are only where some are at stake.

    Raises BrokerUnavailable, BrokerRefused or NotFound.
    """
    server, observed = reader.server(), reader.read()
    plan = plan_for(layout, observed, server, intent=intent)
    if plan.blocked or any(isinstance(change, DeleteQueue) for change in plan.changes):
        return plan_for(layout, observed, server, intent=intent, depths=reader.depths())
    return plan
