"""Use case: make anew what cannot change in place, with its messages. Not built yet: it refuses."""

from dlxctl.broker.address import Access
from dlxctl.broker.admin import Admin, Lock
from dlxctl.errors import RefusedForSafety
from dlxctl.model.layout import Layout
from dlxctl.plan.value import Plan


def migrate(admin: Admin, lock: Lock, layout: Layout, plan: Plan, *, access: Access) -> None:
    """Bring every object of `plan.blocked` to what the file says. Raises RefusedForSafety."""
    raise RefusedForSafety("migrations are not built yet", remedy="Nothing was changed.")
