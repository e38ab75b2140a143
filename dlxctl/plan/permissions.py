"""What each user of a topology has to be allowed on RabbitMQ, and no more: patterns for configure, write and read.

Which operation needs what: https://www.rabbitmq.com/docs/access-control#authorisation, measured in facts 11. A pattern
is anchored and names objects one by one; the default exchange is called `amq.default` there.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import assert_never

from dlxctl.model.attributes import Version
from dlxctl.model.layout import Layout, SettingsMode
from dlxctl.spec.expand import ASSUMED_VERSION, expand

NOTHING = "^$"
DEFAULT_EXCHANGE = "amq.default"
CELERY_OWN = (r"celeryev.*", r"celery\.pidbox", r"reply\.celery\.pidbox", r".*\.celery\.pidbox")
"""Celery's remote control and events: each worker and each `celery inspect` declares queues of its own."""
OWN = r"dlxctl\..*"
"""The owner exchange, locks, and the marks of runs."""


class Role(StrEnum):
    """PRODUCER sends tasks and events. WORKER runs tasks, and sends too. DLXCTL applies, inspects and replays."""

    PRODUCER = "producer"
    WORKER = "worker"
    DLXCTL = "dlxctl"


@dataclass(frozen=True, slots=True, kw_only=True)
class Permissions:
    """Of one user in one vhost; `tag` is '' where none is needed."""

    role: Role
    tag: str
    configure: str
    write: str
    read: str


def permissions(layout: Layout, *, version: Version = ASSUMED_VERSION) -> tuple[Permissions, ...]:
    """One entry for each role."""
    return tuple(_of(role, layout, version) for role in Role)


def _of(role: Role, layout: Layout, version: Version) -> Permissions:
    published = (DEFAULT_EXCHANGE, *layout.exchanges)
    match role:
        case Role.PRODUCER:
            return Permissions(role=role, tag="", configure=NOTHING, write=_pattern(published), read=NOTHING)
        case Role.WORKER:
            roads = (layout.naming.dlx,) if layout.dead_letter_queues else ()
            return Permissions(
                role=role,
                tag="",
                configure=_pattern((), CELERY_OWN),
                write=_pattern((*published, *layout.tier_names, *roads), CELERY_OWN),
                read=_pattern(layout.work_queues, CELERY_OWN),
            )
        case Role.DLXCTL:
            ours = tuple(_objects(layout, version))
            bound = (b.exchange for queue in layout.work_queues.values() for b in queue.bindings)
            return Permissions(
                role=role,
                tag="policymaker" if layout.settings is SettingsMode.POLICY else "management",
                configure=_pattern(ours, (OWN,)),
                write=_pattern((*ours, DEFAULT_EXCHANGE), (OWN,)),
                read=_pattern((*ours, *bound), (OWN,)),
            )
        case _:
            assert_never(role)


def _objects(layout: Layout, version: Version) -> Iterator[str]:
    """The names of all that the file asks for, but the owner exchange."""
    desired = expand(layout, version=version)
    yield from (exchange.name for exchange in desired.exchanges.values() if exchange.name != layout.owner_exchange)
    yield from (queue.name for queue in desired.queues.values())


def _pattern(names: Iterable[str], expressions: Iterable[str] = ()) -> str:
    """Exactly `names`, and what an expression matches whole."""
    return f"^({'|'.join([*sorted({re.escape(name) for name in names}), *expressions])})$"
