"""`python -m bench`: measure the parts that are asked for, print their tables, write them into the page."""

import os
import sys

from bench import page
from bench.look import looks
from bench.memory import peaks
from bench.options import Options, from_environment
from bench.plan import QUEUES, planned
from bench.process import BenchError
from bench.render import look_table, memory_table, plan_table, speed_table, startup_table, task_table
from bench.speed import tables
from bench.startup import starts
from bench.task import costs
from tests.brokers import NoBroker, RunningBroker, asked_versions, obtain


def main() -> int:
    """Returns the exit code: 1 when a way failed or a broker cannot be had."""
    try:
        options = from_environment(os.environ)
        brokers = [obtain(version) for version in asked_versions()] if options.parts != ("startup",) else []
        for part in options.parts:
            made = _measure(part, brokers, options)
            page.write(options.page, part, made, options.command)
    except (BenchError, NoBroker) as error:
        print(f"bench: {error}", file=sys.stderr)
        return 1
    return 0


def _measure(part: str, brokers: list[RunningBroker], options: Options) -> str:
    """The part's tables as Markdown, each printed as soon as it is there."""
    if part == "speed":
        made = (speed_table(table) for table in tables(brokers, options))
    elif part == "task":
        made = (table for table in [task_table(costs(brokers, options))])
    elif part == "plan":
        some = (planned(broker, options.messages or QUEUES, options.runs) for broker in brokers)
        made = (table for table in [plan_table(some)])
    elif part == "memory":
        made = (table for table in [memory_table(peaks(brokers, options))])
    elif part == "look":
        made = (table for table in [look_table(looks(brokers, options))])
    else:
        made = (table for table in [startup_table(starts())])
    shown = []
    for table in made:
        print(f"{table}\n", flush=True)
        shown.append(table)
    return "\n\n".join(shown)


if __name__ == "__main__":
    sys.exit(main())
