"""Where octets of strangers enter: a function for each place, which must end without an error whatever it is given.

Each takes any octets. What a place may refuse (an invalid file) is refused by dlxctl's own error, and no finding.
"""

from collections.abc import Callable
from pathlib import Path

from dlxctl import spec
from dlxctl.errors import DlxctlError
from dlxctl.render.inspect import body_text, row_detail
from dlxctl.replay.body import body_of
from dlxctl.replay.letter import Letter, shape_book
from dlxctl.replay.order import ReplayOrder, Route, decide
from dlxctl.replay.origin import OriginRules, origin_of
from dlxctl.replay.precedent import Precedents
from dlxctl.replay.rewrite import RewriteOptions, number_of, rewritten
from dlxctl.replay.summary import row_of
from dlxctl.wire import content, decode
from dlxctl.wire.intake import Delivery, Intake
from tests import amqp_values as amqp
from tests.letters import letter

SEEDS = Path(__file__).parent / "corpus"
"""TARGET/name: what is hostile to a place, one file each; fuzzing begins with it, tests try all of it."""
ORDER = ReplayOrder(queue="dead", to="there", rewrite=RewriteOptions(run_id="r-1", user="guest"))


def header(data: bytes) -> None:
    """A whole content header: read, its table decoded, its structure told."""
    where = content.read(data)
    for name in ("headers", "correlation_id", "timestamp"):
        decode.prop(where, name)
    shape_book().shape_of(data)


def table(data: bytes) -> None:
    """The inside of a table."""
    decode.entries(data, 0, len(data))


def history(data: bytes) -> None:
    """The inside of x-death."""
    origin_of(letter(amqp.entry(b"x-death", b"A" + amqp.long(data))), OriginRules())


def entries(data: bytes) -> None:
    """The headers of a message, and all that is shown of it."""
    shown(letter(data))


def body(data: bytes) -> None:
    """A body that says nothing of itself."""
    shown(Letter(Delivery(1, False, b"", b"", amqp.Header(data, (), {}).payload(), amqp.body_frame(data))))


def file(data: bytes) -> None:
    """A topology file."""
    try:
        spec.load(data.decode("utf-8", "replace"))
    except DlxctlError:
        return


def stream(data: bytes) -> None:
    """What a broker sends: frames, whole or not, of any kind and channel."""
    intake = Intake(taking=2, giving=1)
    for at in range(0, len(data), 97):
        intake.feed(data[at : at + 97])


def replayed(data: bytes) -> None:
    """The headers of a message that is replayed twice, the second time by precedent: read, decided, rewritten."""
    precedents, shapes = Precedents(ORDER), shape_book()
    delivery = letter(data).delivery
    for number in range(4):
        found = Letter(delivery, shapes.shape_of(delivery.header))
        decision, known = decide(found, ORDER), precedents.of(delivery.header)
        if isinstance(decision, Route):
            copy = rewritten(found, decision.key, number, flagged=False, options=ORDER.rewrite)
            assert number_of(copy, ORDER.rewrite.run_id) == number
            assert known is None or known.template.copy(delivery.header, number) == copy
            precedents.learn(found, decision)


def shown(found: Letter) -> str:
    """What `inspect --show-body` prints of a message: printable lines."""
    text = f"{row_detail(row_of(found, OriginRules()), 0.0)}\n{body_text(body_of(found))}"
    assert all(line.isprintable() for line in text.split("\n")), text
    return text


TARGETS: dict[str, Callable[[bytes], None]] = {
    "header": header, "table": table, "history": history, "entries": entries, "body": body, "file": file,
    "stream": stream, "replayed": replayed,
}  # fmt: skip
