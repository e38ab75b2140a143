"""Topology files for the tests of plan and apply, and a walk through a plan step by step."""

import contextlib
from collections.abc import Iterator

from dlxctl import spec
from dlxctl.broker.admin import Admin
from dlxctl.broker.memory_admin import MemoryAdmin, MemoryPipeline
from dlxctl.model.layout import Layout
from dlxctl.model.topology import Topology
from dlxctl.ops.apply import apply
from dlxctl.ops.plan import make_plan
from dlxctl.plan.changes import Change
from dlxctl.plan.value import Plan

SHOP = """\
version: 1
topology: shop
retry:
  standard: {delays: [10s, 1m], attempts: 5}
dead_letter:
  dead_letter: {retention: 14d, parking: dead_letter.parked}
exchanges:
  shop.events: {type: topic}
queues:
  orders:
    retry: standard
    dead_letter: dead_letter
    delivery_limit: 5
    bindings: [{exchange: shop.events, routing_key: "order.#"}]
  emails: {retry: standard, dead_letter: dead_letter}
  thumbnails: {type: classic, dead_letter: dead_letter}
"""


def layout(text: str = SHOP, **replaced: str) -> Layout:
    """The layout of `text`, with each `name: value` of `replaced` put in place of the line that starts so."""
    for name, line in replaced.items():
        text = "".join(
            line + "\n" if old.lstrip().startswith(f"{name}:") else old for old in text.splitlines(keepends=True)
        )
    return spec.load(text)


def applied(wanted: Layout, *, version: tuple[int, ...] = (4, 3, 0)) -> MemoryAdmin:
    """A broker in memory that is what `wanted` asks for."""
    admin = MemoryAdmin(wanted.vhost, version=version)
    apply(admin, wanted)
    return admin


def plan_on(admin: Admin, wanted: Layout) -> Plan:
    return make_plan(admin, wanted)


class Killed(BaseException):
    """Stands for SIGKILL: nothing catches it on purpose."""


class Dying:
    """An `Admin` that does `calls` more changes and then dies, after the last of them reached the broker."""

    def __init__(self, inner: MemoryAdmin, calls: int) -> None:
        self._inner, self._left = inner, calls

    def pipeline(self) -> contextlib.AbstractContextManager[MemoryPipeline]:
        """Each object that goes through is a change."""
        return contextlib.nullcontext(MemoryPipeline(self))  # type: ignore[arg-type]

    def __getattr__(self, name: str):  # type: ignore[no-untyped-def]
        method = getattr(self._inner, name)
        if name in ("server", "read", "lock", "depths", "counts"):
            return method

        def counted(*arguments: object) -> object:
            if self._left == 0:
                raise Killed
            self._left -= 1
            return method(*arguments)

        return counted


def states(admin: MemoryAdmin, wanted: Layout, calls: int | None = None) -> Iterator[tuple[Change, Topology]]:
    """Apply `wanted`, as far as `calls` changes: each change, and the broker just after it."""
    seen: list[tuple[Change, Topology]] = []

    class Watch:
        def planned(self, plan: Plan) -> None:
            pass

        def made(self, change: Change) -> None:
            seen.append((change, admin.read()))

    with contextlib.suppress(Killed):
        apply(admin if calls is None else Dying(admin, calls), wanted, watch=Watch())  # type: ignore[arg-type]
    yield from seen
