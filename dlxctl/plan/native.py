"""Which backend holds the retries of each ladder, and whether this broker has it."""

from dataclasses import dataclass
from typing import assert_never

from dlxctl.model.diagnostics import InvalidTopology, Place, Rule, quoted
from dlxctl.model.layout import Backend, Ladder, Layout
from dlxctl.model.server import ServerInfo

NATIVE_SINCE = (4, 3, 1)
"""RabbitMQ 4.3.0 has delayed retries, and knows no policy for them."""

TOO_OLD = Rule(
    code="DLX820",
    title="The broker cannot retry natively",
    explanation="RabbitMQ before 4.3.1 takes no policy for delayed retries: what is returned would come back at once.",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Retries:
    """A ladder on this broker: what holds its messages meanwhile, `reason` for it, and the work `queues` it is for."""

    ladder: str
    backend: Backend
    queues: tuple[str, ...]
    reason: str
    why: Place


def retries(layout: Layout, server: ServerInfo) -> tuple[Retries, ...]:
    """One entry for each ladder of the file. Raises InvalidTopology when the broker cannot do what one asks for."""
    _refuse_old(layout, server)
    return tuple(
        Retries(
            ladder=ladder.name,
            backend=ladder.backend,
            queues=tuple(queue.name for queue in layout.work_queues.values() if queue.retry == ladder.name),
            reason=_reason(ladder, layout, server),
            why=layout.place("retry", ladder.name, "backend"),
        )
        for ladder in layout.ladders.values()
    )


def _reason(ladder: Ladder, layout: Layout, server: ServerInfo) -> str:
    said = ("retry", ladder.name, "backend") in layout.places
    match ladder.backend:
        case Backend.TIERS:
            tiers = ", ".join(layout.naming.tier(delay) for delay in ladder.delays_ms)
            return f"{'the file says so' if said else 'the default'}; a queue for each delay: {tiers}"
        case Backend.NATIVE:
            return f"the file says so; RabbitMQ {server.version_text} delays retries in the work queues themselves"
        case _:
            assert_never(ladder.backend)


def _refuse_old(layout: Layout, server: ServerInfo) -> None:
    if server.version >= NATIVE_SINCE:
        return
    since = ".".join(map(str, NATIVE_SINCE))
    found = [
        TOO_OLD.at(
            layout.place("retry", name, "backend"),
            f"ladder {quoted(name)} has backend: native, and the broker is RabbitMQ {server.version_text}.",
            f"Say backend: tiers, which every version can do, or upgrade RabbitMQ to {since} or later.",
        )
        for name, ladder in layout.ladders.items()
        if ladder.backend is Backend.NATIVE
    ]
    if found:
        raise InvalidTopology(layout.source, found)
