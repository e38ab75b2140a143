"""Use case: what would apply change? Handed a `Reader`, so that it can change nothing."""

from dlxctl.broker.admin import Reader
from dlxctl.model.layout import Layout
from dlxctl.plan.make import plan_for
from dlxctl.plan.value import Plan


def make_plan(reader: Reader, layout: Layout) -> Plan:
    """Read the vhost once and compare. Raises BrokerUnavailable, BrokerRefused or NotFound."""
    server = reader.server()
    return plan_for(layout, reader.read(), server)
