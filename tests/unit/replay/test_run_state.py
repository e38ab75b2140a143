"""dlxctl.ops.run_state: what a run learns from a channel error, and what it doubts after a lost connection."""

from dlxctl.errors import BrokerRefused, NotFound
from dlxctl.ops.run_state import RunState
from dlxctl.replay.letter import Letter
from dlxctl.replay.order import ReplayOrder, Route
from dlxctl.replay.origin import Held, Hold
from dlxctl.replay.prefetch import Prefetch
from dlxctl.replay.report import RunReport
from dlxctl.replay.rewrite import RewriteOptions
from dlxctl.replay.window import Entry, Window
from tests import amqp_values as amqp
from tests.letters import CELERY, delivery

ORDERS = Route("", "orders")


def state() -> RunState:
    order = ReplayOrder(queue="dead", rewrite=RewriteOptions(run_id="r1", user="guest"))
    return RunState(order=order, report=RunReport(run_id="r1", queue="dead"), prefetch=Prefetch(window=10))


def again(*entries: bytes, body: bytes = b"{}") -> Letter:
    return Letter(delivery(*entries, body=body)._replace(redelivered=True))


def test_a_message_over_the_brokers_size_is_held_from_then_on() -> None:
    """RabbitMQ 4 closes the channel over it; its text (4.0 and 4.3) names the limit."""
    known = state()
    text = "PRECONDITION_FAILED - message size 16777217 is larger than configured max size 16777216"
    assert known.learn(BrokerRefused("moving messages was refused", why=text), [])
    assert known.largest_body == 16_777_216
    known.largest_body = 3
    held = known.objection(again(body=b"four"), ORDERS)
    assert held == Held(why=Hold.TOO_LARGE, detail="4 octets, and the broker takes 3")
    assert known.objection(again(body=b"123"), ORDERS) is None


def test_an_exchange_that_is_gone_is_not_tried_again() -> None:
    """The 404 names it."""
    known = state()
    assert known.learn(NotFound("moving messages", why="NOT_FOUND - no exchange 'gone' in vhost '/'"), [])
    assert known.objection(again(), Route("gone", "k")) == Held(why=Hold.NO_QUEUE, detail="exchange gone")
    assert known.objection(again(), ORDERS) is None


def test_an_unknown_refusal_is_traced_to_its_message() -> None:
    """First one copy at a time; then the one that was under way is held, and no other."""
    known, refusal = state(), BrokerRefused("moving messages was refused", why="PRECONDITION_FAILED - who knows")
    guilty, innocent = again(amqp.entry(b"a", amqp.integer(1))), again(amqp.entry(b"a", amqp.integer(2)))
    entries = [Entry(n, ORDERS, letter.delivery.header) for n, letter in enumerate((guilty, innocent))]
    assert known.learn(refusal, entries)
    assert known.careful
    assert known.objection(guilty, ORDERS) is None
    assert known.learn(refusal, entries[:1])
    detail = "the broker closes the channel over it, on its way to orders"
    assert known.objection(guilty, ORDERS) == Held(why=Hold.REFUSED, detail=detail)
    assert known.objection(innocent, ORDERS) is None


def test_a_refusal_with_nothing_under_way_is_the_end() -> None:
    """Trying again would not help."""
    assert not state().learn(BrokerRefused("x", why="ACCESS_REFUSED"), [])


def test_only_what_was_under_way_is_doubted() -> None:
    """After a lost connection a redelivered message is flagged when its copy was under way, and else not."""
    known, window = state(), Window()
    mine = delivery(*CELERY)
    window.sent(Entry(1, ORDERS, mine.header), 1)
    known.lost(window, [])
    other = amqp.entry(b"id", amqp.string("id-2"))
    assert known.flagged(again(*CELERY))
    assert not known.flagged(again(CELERY[1], other))
    assert not known.flagged(Letter(mine))
    assert not known.flagged(again())


def test_a_message_without_an_id_is_doubted_when_one_was_under_way() -> None:
    """They cannot be told apart, so each redelivered one is marked."""
    known, window = state(), Window()
    window.sent(Entry(1, ORDERS, delivery().header), 1)
    known.lost(window, [])
    assert known.flagged(again())


def test_after_an_unfinished_run_every_redelivered_message_is_flagged() -> None:
    """Nobody knows which were under way then."""
    known = state()
    known.suspect = True
    assert known.flagged(again(*CELERY))
    assert not known.flagged(Letter(delivery(*CELERY)))
