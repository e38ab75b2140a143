"""Part `memory`: the peak of `dlxctl replay` from ten thousand to a million messages, once each."""

from collections.abc import Iterator
from dataclasses import dataclass

from bench import node
from bench.options import Options
from bench.scene import scene
from bench.ways import BY_NAME
from tests.brokers import RunningBroker
from tests.brokers.running import say

COUNTS = (10_000, 100_000, 1_000_000)


@dataclass(frozen=True, slots=True, kw_only=True)
class Peak:
    """One run: the most memory that the process had."""

    version: str
    queue_type: str
    size: int
    count: int
    peak_bytes: int


def counts(most: int | None) -> tuple[int, ...]:
    """The numbers of messages, none above `most`."""
    return tuple(count for count in COUNTS if most is None or count <= most) or (most or COUNTS[0],)


def peaks(brokers: list[RunningBroker], options: Options) -> Iterator[Peak]:
    """Measure. Raises BenchError when a run does not move everything."""
    for broker in brokers:
        process = node.process_of(broker.amqp_url)
        for queue_type in options.types:
            with scene(broker, queue_type) as place:
                for size, count in ((size, count) for size in options.sizes for count in counts(options.messages)):
                    place.prepare(size, count)
                    node.rest(process)
                    took = BY_NAME["dlxctl"].move(place, count)
                    place.check(dead=0, orders=count)
                    peak = took.peak_bytes or 0
                    say(f"{broker.version} {queue_type} {size} B, {count:,} messages: {peak / 1e6:.0f} MB")
                    yield Peak(version=broker.version, queue_type=queue_type, size=size, count=count, peak_bytes=peak)
