"""Results as Markdown tables; pure."""

from collections.abc import Iterable
from statistics import median

from bench.look import Seen
from bench.memory import Peak
from bench.plan import Made, Planned
from bench.speed import Row, Table
from bench.startup import Start
from bench.task import Cost

AGAINST = ("shovel", "shovel-tcp", "pika-consume", "pika-get")
UNIT = 100_000
UNKNOWN = "?"
SPEED_HEAD = (
    "way", "messages", "messages/s", "slowest to fastest", *(f"x {name}" for name in AGAINST),
    "client CPU s / 100k", "broker CPU s / 100k", "client peak MB",
)  # fmt: skip


TASK_HEAD = (
    "way", "RabbitMQ", "queue type", "tasks", "tasks/s", "slowest to fastest", "more time", "more CPU",
    "code, µs a task", "more of a task's time",
)  # fmt: skip


def speed_table(table: Table) -> str:
    """Heading and table: medians, ratios of medians, CPU seconds for 100,000 messages."""
    rates = {row.way.name: _rate(row) for row in table.rows}
    lines = []
    for row in table.rows:
        runs = [row.count / run.took.seconds for run in row.runs]
        lines.append((
            row.way.name, f"{row.count:,}", f"{rates[row.way.name]:,.0f}", f"{min(runs):,.0f} to {max(runs):,.0f}",
            *(_ratio(rates[row.way.name], rates.get(other)) for other in AGAINST),
            _cpu(row, [run.took.cpu_s for run in row.runs]), _cpu(row, [run.broker_cpu_s for run in row.runs]),
            _megabytes([run.took.peak_bytes for run in row.runs]),
        ))  # fmt: skip
    title = f"RabbitMQ {table.version}, {table.queue_type}, bodies of {table.size:,} octets"
    return f"**{title}**\n\n{_markdown(SPEED_HEAD, lines)}"


def memory_table(peaks: Iterable[Peak]) -> str:
    """One line a run."""
    lines = (
        (peak.version, peak.queue_type, f"{peak.size:,}", f"{peak.count:,}", f"{peak.peak_bytes / 1e6:.0f}")
        for peak in peaks
    )
    return _markdown(("RabbitMQ", "queue type", "octets", "messages", "peak MB"), lines)


def look_table(looks: Iterable[Seen]) -> str:
    """One line a look."""
    head = (
        "RabbitMQ", "queue type", "messages", "groups", "first rows after s", "all after s", "messages/s", "peak MB",
        "most unacknowledged", "samples",
    )  # fmt: skip
    lines = (
        (
            seen.version, seen.queue_type, f"{seen.count:,}", str(seen.groups), f"{seen.first_s:.2f}",
            f"{seen.seconds:.0f}", f"{seen.count / seen.seconds:,.0f}", f"{seen.peak_bytes / 1e6:.0f}",
            f"{seen.most_out:,}", f"{seen.samples:,}",
        )
        for seen in looks
    )  # fmt: skip
    return _markdown(head, lines)


def startup_table(starts: Iterable[Start]) -> str:
    """Medians in milliseconds."""
    lines = (
        (
            f"`{start.command}`",
            f"{median(took.seconds for took in start.runs) * 1000:.0f}",
            f"{median(took.cpu_s or 0 for took in start.runs) * 1000:.0f}",
            _megabytes([took.peak_bytes for took in start.runs]),
        )
        for start in starts
    )
    return _markdown(("command", "ms", "CPU ms", "peak MB"), lines)


def task_table(pairs: Iterable[tuple[Cost, Cost]]) -> str:
    """Two lines a pair, compared by medians; the last column by the quickest run of plain Celery."""
    lines = []
    for pair in pairs:
        for cost in pair:
            rates = [cost.tasks / seconds for seconds in cost.seconds]
            lines.append((
                cost.way, cost.version, cost.queue_type, f"{cost.tasks:,}", f"{median(rates):,.0f}",
                f"{min(rates):,.0f} to {max(rates):,.0f}", _more(pair[0].seconds, cost.seconds),
                _more(pair[0].cpu_s, cost.cpu_s), f"{sum(cost.steps_us):.1f}",
                f"{(sum(cost.steps_us) - sum(pair[0].steps_us)) / min(pair[0].seconds) * cost.tasks / 1e6:+.2%}",
            ))  # fmt: skip
    return _markdown(TASK_HEAD, lines)


def _more(base: list[float], other: list[float]) -> str:
    return f"{median(other) / median(base) - 1:+.1%}" if base and other else UNKNOWN


def plan_table(some: Iterable[Planned]) -> str:
    """One line a version, of medians."""
    head = (
        "RabbitMQ", "queues", "first apply s", "import s", "broker CPU s", "of import", "second plan s", "its CPU s",
        "peak MB",
    )  # fmt: skip
    lines = (
        (
            each.version, f"{each.queues:,}", f"{median(made.seconds for made in each.applied):.1f}",
            f"{median(made.seconds for made in each.imported):.1f}", _broker_cpu(each.applied),
            _broker_cpu(each.imported), f"{median(took.seconds for took in each.again):.2f}",
            f"{median(took.cpu_s or 0 for took in each.again):.2f}",
            _megabytes([took.peak_bytes for took in each.again]),
        )
        for each in some
    )  # fmt: skip
    return _markdown(head, lines)


def _broker_cpu(some: Iterable[Made]) -> str:
    known = [made.broker_cpu_s for made in some if made.broker_cpu_s is not None]
    return f"{median(known):.1f}" if known else UNKNOWN


def _rate(row: Row) -> float:
    return median(row.count / run.took.seconds for run in row.runs)


def _ratio(rate: float, other: float | None) -> str:
    return UNKNOWN if other is None else f"{rate / other:.2f}"


def _cpu(row: Row, seconds: list[float | None]) -> str:
    known = [value for value in seconds if value is not None]
    return f"{median(known) * UNIT / row.count:.1f}" if known else UNKNOWN


def _megabytes(octets: list[int | None]) -> str:
    known = [value for value in octets if value is not None]
    return f"{max(known) / 1e6:.0f}" if known else UNKNOWN


def _markdown(head: tuple[str, ...], lines: Iterable[tuple[str, ...]]) -> str:
    """A Markdown table whose columns line up as plain text too; all but the first column to the right."""
    rows = [head, *lines]
    widths = [max(len(row[at]) for row in rows) for at in range(len(head))]
    shown = [
        "| " + " | ".join(
            cell.ljust(width) if at == 0 else cell.rjust(width)
            for at, (cell, width) in enumerate(zip(row, widths, strict=True))
        ) + " |"
        for row in rows
    ]  # fmt: skip
    rule = "| " + " | ".join("-" * w if at == 0 else "-" * (w - 1) + ":" for at, w in enumerate(widths)) + " |"
    return "\n".join([shown[0], rule, *shown[1:]])
