"""Dead letters of Celery tasks: one really dies for each size, and is then copied under new task ids.

Letting each of 100,000 die before each run would take longer than all that is measured. The copies' headers are the
octets that the broker wrote, with `x-death` and all.
"""

import json
import uuid
from collections.abc import Iterator
from itertools import islice, takewhile

from celery import Celery
from kombu import Exchange, Queue

from dlxctl.broker.address import Access
from dlxctl.broker.raw_link import RawLink
from dlxctl.wire.intake import Confirm
from tests.deaths import let_die, wait_for
from tests.links import Message, drained

TASK = "shop.orders.charge"
AT_ONCE = 500
IN_FLIGHT = 4_000


def recorded(reach: Access, url: str, size: int) -> tuple[Message, str]:
    """A dead letter as it lies in `dead`, with a body of `size` octets, and its task id. Leaves both queues empty."""
    task_id = str(uuid.uuid4())
    _send(url, task_id, size)
    link = RawLink(reach, purpose="bench")
    (living,) = drained(link, "orders")
    let_die(reach, "orders", [(living.header, living.body)])
    wait_for(reach, "dead", 1)
    link = RawLink(reach, purpose="bench")
    (dead,) = drained(link, "dead")
    link.close()
    return (dead.header, dead.body), task_id


def seed(reach: Access, original: tuple[Message, str], count: int, *, tasks: int = 1) -> None:
    """Put `count` copies into `dead`, each with an id of its own, of `tasks` (at most 10) task names in turn.

    Waits until the broker has confirmed all of them.
    """
    link = RawLink(reach, purpose="bench")
    copies, waiting = _copies(*original, count, tasks), dict[int, None]()
    while batch := list(islice(copies, AT_ONCE)):
        for header, body in batch:
            waiting[link.publish(b"", b"dead", header, body)] = None
        while len(waiting) > IN_FLIGHT:
            _unconfirmed(link, waiting)
    while waiting:
        _unconfirmed(link, waiting)
    link.close()


def _send(url: str, task_id: str, size: int) -> None:
    """Send a task as any Celery program would. `argsrepr` is given: cut at 1 KB, it would double the size."""
    app = Celery(broker=url, set_as_current=False)
    app.conf.broker_transport_options = {"confirm_publish": True}
    bare = len(json.dumps([[""], {}, dict.fromkeys(("callbacks", "errbacks", "chain", "chord"))]))
    orders = Queue("orders", exchange=Exchange(""), routing_key="orders", no_declare=True)
    with app.connection_for_write() as connection:
        app.send_task(
            TASK, args=["x" * max(0, size - bare)], task_id=task_id, argsrepr="('4711',)", queue=orders,
            connection=connection, ignore_result=True,
        )  # fmt: skip


def _copies(message: Message, task_id: str, count: int, tasks: int) -> Iterator[Message]:
    header, body = message
    assert header.count(task_id.encode()) >= 2, "the id is in the headers id and root_id and in correlation_id"
    headers = [header.replace(TASK.encode(), _named(number)) for number in range(tasks)]
    for number in range(count):
        yield headers[number % tasks].replace(task_id.encode(), str(uuid.uuid4()).encode()), body


def _named(number: int) -> bytes:
    """The name of the task, or as long a name: lengths are written in the octets."""
    return (TASK[:-1] + str(number) if number else TASK).encode()


def _unconfirmed(link: RawLink, waiting: dict[int, None]) -> None:
    """Take confirms in until some came, and strike their copies off."""
    events = link.pump(60)
    assert events, "the broker has confirmed nothing for a minute"
    for event in events:
        assert isinstance(event, Confirm), event
        assert event.ok
        confirmed = takewhile(event.sequence.__ge__, waiting) if event.multiple else (event.sequence,)
        for number in list(confirmed):
            del waiting[number]
