"""The contract of the guard of a run: a run that did not end is known to the next one, whoever looks meanwhile."""

from tenacity import Retrying, retry_if_exception_type, stop_after_delay, wait_fixed

from dlxctl.broker.link import Link
from dlxctl.broker.run_guard import mark_name
from dlxctl.errors import Locked
from dlxctl.ops.look import return_in_order
from dlxctl.wire.intake import Delivery
from tests.contract.test_replay import dead_letter, prepared, replayed
from tests.links import RabbitWorld, World

once_free = Retrying(
    retry=retry_if_exception_type(Locked), wait=wait_fixed(0.05), stop=stop_after_delay(30), reraise=True
)  # a broker takes a moment to mind a lost connection


def test_a_run_that_did_not_end_is_known_to_the_next_alone(world: World) -> None:
    """The mark stays when a run dies or says that something is in doubt, and goes with one that settled all."""
    known = []
    for number, settled in enumerate((None, False, True, True)):
        link = world.link()
        guard = world.guard(link)
        known.append(once_free(guard.begin, "dead", {"run": f"r{number}"}))
        if settled is None:
            link.abort()
            continue
        guard.end(settled=settled)
        link.close()
    assert known == [False, True, True, False]


def test_a_mark_of_the_run_itself_is_none_of_another(world: World) -> None:
    """It is there when the run comes back after a lost connection; of a run that came and died meanwhile it learns."""
    own = {"run": "own"}
    first = world.link()
    assert not world.guard(first).begin("dead", own)
    first.abort()
    second = world.link()
    assert not once_free(world.guard(second).begin, "dead", own)
    second.abort()
    other = world.link()
    assert once_free(world.guard(other).begin, "dead", {"run": "one that came and died"})
    other.abort()
    assert once_free(world.guard(world.link()).begin, "dead", own)


def test_a_mark_that_somebody_reads_in_that_moment_counts(world: World) -> None:
    """A run that is refused takes the mark for a moment, to say who holds the lock."""
    first, reader, second = world.link(), world.link(), world.link()
    world.guard(first).begin("dead", {"run": "one that dies"})
    first.abort()
    if isinstance(world, RabbitWorld):
        found, _, _ = reader.connection.channel().basic_get(mark_name("dead"))  # type: ignore[attr-defined]
        assert found is not None
    assert once_free(world.guard(second).begin, "dead", {"run": "next"})


def test_what_somebody_held_while_a_run_completed_is_marked_by_the_next(world: World) -> None:
    """A look that is open in a pager has the messages of the run that died; no replay could see them."""
    prepared(world, *[dead_letter(str(n), "orders") for n in range(4)])
    first, reader = world.link(), world.link()
    world.guard(first).begin("dead", {"run": "one that dies"})
    assert len(taken(first, 4)) == 4
    first.abort()
    held = taken(reader, 2)
    report = once_free(replayed, world)
    assert (report.moved_total, report.maybe_duplicates, int(report.exit_code)) == (2, 2, 0)
    return_in_order(reader, "dead", [delivery.tag for delivery in held], 2)
    report = replayed(world)
    assert (report.moved_total, report.maybe_duplicates) == (2, 2)
    last = world.link()
    assert not world.guard(last).begin("dead", {"run": "after all were seen"})


def taken(link: Link, number: int) -> list[Delivery]:
    link.consume("dead", number)
    found: list[Delivery] = []
    while len(found) < number:
        found += [event for event in link.pump(5) if isinstance(event, Delivery)]
    return found
