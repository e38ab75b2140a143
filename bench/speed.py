"""Part `speed`: every way, in turn, on every broker, queue type and size."""

from collections.abc import Iterator
from dataclasses import dataclass, field

from bench import node
from bench.options import Options
from bench.process import BenchError, Took
from bench.scene import Scene, scene
from bench.ways import BY_NAME, Way
from tests.brokers import RunningBroker
from tests.brokers.running import say

MESSAGES = 100_000
MOST_OCTETS = 256 * 1024 * 1024
"""Bodies of one run together: larger messages are fewer, so that a run does not measure the disk."""

FEWEST = 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One run of one way; `broker_cpu_s` is None where the node's process is not on this machine."""

    took: Took
    broker_cpu_s: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """All runs of one way, of `count` messages each."""

    way: Way
    count: int
    runs: list[Run] = field(default_factory=list)


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """What is compared with each other: one broker, one queue type, one size."""

    version: str
    queue_type: str
    size: int
    rows: list[Row]


def tables(brokers: list[RunningBroker], options: Options) -> Iterator[Table]:
    """Measure. Raises BenchError when a way fails or does not move exactly what was there."""
    for broker in brokers:
        for queue_type in options.types:
            with scene(broker, queue_type) as place:
                for size in options.sizes:
                    yield _table(place, size, options)


def _table(place: Scene, size: int, options: Options) -> Table:
    most = min(options.messages or MESSAGES, MOST_OCTETS // max(size, 1))
    ways = [BY_NAME[name] for name in options.ways if BY_NAME[name].possible(place.broker)]
    rows = [Row(way=way, count=max(most // way.share, min(most, FEWEST))) for way in ways]
    process = node.process_of(place.broker.amqp_url)
    for number in range(options.runs):  # in turn: what slows the machine for a while slows every way
        for row in rows:
            row.runs.append(_run(place, size, row, process))
            told = f"{row.count / row.runs[-1].took.seconds:,.0f} messages/s"
            say(f"{place.broker.version} {place.queue_type} {size} B, run {number + 1}, {row.way.name}: {told}")
    return Table(version=place.broker.version, queue_type=place.queue_type, size=size, rows=rows)


def _run(place: Scene, size: int, row: Row, process: int | None) -> Run:
    place.prepare(size, row.count)
    node.rest(process)
    before = node.cpu_seconds(process)
    try:
        took = row.way.move(place, row.count)
    except (BenchError, OSError) as error:  # a refusal of the management API is an OSError
        raise BenchError(f"{row.way.name} on RabbitMQ {place.broker.version} {place.queue_type}: {error}") from error
    after = node.cpu_seconds(process)
    place.check(dead=0, orders=row.count)
    return Run(took=took, broker_cpu_s=None if before is None or after is None else after - before)
