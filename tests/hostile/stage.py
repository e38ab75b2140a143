"""A vhost where everything that has a name or a header tries to steer the terminal of whoever looks at it."""

import json
import struct
from pathlib import Path
from urllib.parse import quote

from dlxctl.broker.address import Access
from dlxctl.broker.amqp import open_connection
from dlxctl.spec.expand import OWNER_HEADER
from tests import amqp_values as amqp
from tests.acceptance.test_inspect import put
from tests.brokers import RunningBroker
from tests.deaths import let_die, wait_for
from tests.links import Message

STEERING = "\x1b]0;owned\x07\x1b[6n\x9b31m\x85\u202e\u2066\u200b\u2028\x7f\x08\t\x1bc"
"""In names: title, cursor report, a C1 sequence, next line, directions, no width, line separator, DEL, reset."""
WORST = STEERING + "\x00\r\n\x0b\x0c\x1bPq\x1b\\\u2067\u00ad"
"""And what RabbitMQ takes in no name, or a command line in no argument."""
DEAD, ORDERS, PARKED = f"dead {STEERING}", f"orders {STEERING}", f"parked {STEERING}"
EXCHANGE, KEY, POLICY = f"exchange {STEERING}", f"key {STEERING}", f"policy {STEERING}"
LIMIT = {"max-length": 1_000, "overflow": "reject-publish"}
IDENTIFIER = f"id {STEERING}"
TEXTS = (
    "task", "lang", "group", "argsrepr", "kwargsrepr", "dlxctl-exception", "dlxctl-message", "dlxctl-reason",
    "dlxctl-traceback", "dlxctl-note", "dlxctl-history", "dlxctl-run",
)  # fmt: skip
PROPERTIES = ("content_type", "content_encoding", "correlation_id", "reply_to", "message_id", "type", "app_id")
TOPOLOGY = """
version: 1
topology: shop
vhost: {vhost}
retry: {{fast: {{delays: [1s], attempts: 1}}}}
dead_letter: {{"buried \\u202e": {{parking: "aside \\u2066"}}}}
queues: {{"mail \\u202e": {{retry: fast, dead_letter: "buried \\u202e", tasks: ["send \\u202e"]}}}}
"""


def dead_letter(*entries: bytes, origin: str = ORDERS, body: bytes = b"{}", **properties: bytes) -> Message:
    """All that dlxctl reads of a message is hostile, and one header that it does not know."""
    known = [amqp.entry(name.encode(), amqp.string(WORST)) for name in TEXTS]
    nested = amqp.table(amqp.entry(b"\x9b\x1b[6n", amqp.array(amqp.string(WORST))))
    strange = amqp.entry(b"\x1b]0;n\x07\x7f", nested)
    table = (*known, strange, amqp.entry(b"dlxctl-origin", amqp.string(origin)), *entries)
    given = {name: amqp.short(WORST.encode()) for name in PROPERTIES} | {"delivery_mode": b"\x02"} | properties
    return amqp.Header(body, table, given).payload(), amqp.body_frame(body)


def dead_letters() -> list[Message]:
    """Of each way in which a command shows or holds a message one."""
    arguments = json.dumps([[WORST, 2], {WORST: WORST}, {"callbacks": None}]).encode()
    as_json = {"content_type": amqp.short(b"application/json"), "content_encoding": amqp.short(b"utf-8")}
    protocol_1 = {"task": WORST, "id": WORST, "args": [WORST], "kwargs": {WORST: WORST}, "retries": 0}
    pickled = {"content_type": amqp.short(b"application/x-python-serialize")}
    identified = amqp.entry(b"id", amqp.string(IDENTIFIER))
    return [
        dead_letter(identified, body=arguments, **as_json),
        dead_letter(origin=f"nowhere {WORST}", body=WORST.encode()),
        dead_letter(body=WORST.encode(), content_type=amqp.short(b"text/plain"), content_encoding=amqp.short(b"utf-8")),
        dead_letter(body=json.dumps(protocol_1).encode(), **as_json),
        dead_letter(body=b"\x80\x04" + WORST.encode(), **pickled),
        dead_letter(amqp.entry(b"CC", amqp.array(amqp.string(WORST)))),
        dead_letter(amqp.entry(b"x-death", amqp.array(amqp.death(f"gone {WORST}", reason=WORST, key=WORST)))),
        dead_letter(amqp.entry(b"dlxctl-replays", b"l" + struct.pack(">q", 99)), body=b""),
    ]


def set_up(reach: Access, broker: RunningBroker, directory: Path) -> None:
    """Queues, exchange, binding and policy with such names, dead letters, a topology file and exported definitions."""
    connection = open_connection(reach, purpose="test")
    channel = connection.channel()
    channel.exchange_declare(EXCHANGE, "topic", durable=True)
    leads = {"x-dead-letter-exchange": EXCHANGE, "x-dead-letter-routing-key": KEY}
    for name, arguments in ((DEAD, {}), (PARKED, {}), (ORDERS, leads)):
        channel.queue_declare(name, durable=True, arguments={"x-queue-type": "classic", **arguments})
    channel.queue_bind(DEAD, EXCHANGE, KEY)
    connection.close()
    pattern = "mail|" + STEERING.replace("[", "\\[")
    rule = {"pattern": pattern, "definition": LIMIT, "apply-to": "queues", "priority": 999}
    broker.api("PUT", f"policies/{reach.vhost}/{quote(POLICY, safe='')}", rule)
    let_die(reach, ORDERS, [dead_letter()])
    wait_for(reach, DEAD, 1)
    put(reach, *dead_letters(), queue=DEAD)
    (directory / "shop.yaml").write_text(TOPOLOGY.format(vhost=reach.vhost))
    rows = broker.api("GET", f"definitions/{reach.vhost}")
    (directory / "definitions.json").write_text(json.dumps(rows | {"vhosts": [{"name": reach.vhost}]}))


def mark(reach: Access, *queues: str) -> None:
    """Have the topology own `queues`, which its file does not name."""
    connection = open_connection(reach, purpose="test")
    for queue in queues:
        connection.channel().queue_bind(queue, "dlxctl.shop", "", {OWNER_HEADER: "shop", "x-match": "all"})
    connection.close()
