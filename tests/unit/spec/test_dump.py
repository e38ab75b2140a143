"""A layout written as a file is read as the same layout."""

from collections.abc import Mapping
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from dlxctl.model.layout import (
    CeleryOptions,
    DeadLetterQueue,
    Ladder,
    Layout,
    Naming,
    PublicExchange,
    QueueBinding,
    SettingsMode,
    WorkQueue,
)
from dlxctl.model.topology import QueueType
from dlxctl.spec import load
from dlxctl.spec.dump import dump
from dlxctl.spec.starter import STARTER
from tests.unit.plan.layouts import SHOP
from tests.unit.spec.test_properties import NAMES, files

TEXT = st.text(st.characters(exclude_categories=["Cc", "Cs"]), max_size=12)
PLAIN = st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False, allow_infinity=False)
TRICKY = st.sampled_from(["${", "$${A}", "no", "010", "1.0e5", "~", "", "<<", "12:30", " x ", "a: b", "- a", "'", '"'])
VALUES: st.SearchStrategy[Any] = st.recursive(
    PLAIN | TEXT | TRICKY, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3)
)
ARGUMENTS: st.SearchStrategy[Mapping[str, Any]] = st.dictionaries(TEXT | TRICKY, VALUES, max_size=3)


@st.composite
def layouts(draw: st.DrawFn) -> Layout:
    """Any layout that a file can say; every field has a value of its own now and then."""
    ladders = draw(st.lists(NAMES, min_size=1, max_size=3, unique=True))
    dead, queues, exchanges = (draw(st.lists(NAMES, min_size=1, max_size=3, unique=True)) for _ in range(3))
    delays = st.sets(st.integers(1, 10**11), min_size=1, max_size=4).map(lambda some: tuple(sorted(some)))
    bound = st.builds(QueueBinding, exchange=st.sampled_from(exchanges), routing_key=TEXT | TRICKY, arguments=ARGUMENTS)
    maybe = st.none() | st.integers(1, 2**53 - 1)
    return Layout(
        name=draw(st.from_regex(r"[A-Za-z0-9][A-Za-z0-9_-]{0,20}", fullmatch=True)),
        vhost=draw(NAMES | TRICKY.filter(bool)),
        ladders={n: Ladder(name=n, delays_ms=draw(delays), attempts=draw(st.integers(1, 9))) for n in ladders},
        dead_letter_queues={
            n: DeadLetterQueue(
                name=n, retention_ms=draw(st.none() | st.integers(1, 10**11)), max_length=draw(maybe), parking=f"p{n}"
            )
            for n in dead
        },
        exchanges={
            n: PublicExchange(name=n, type="topic", durable=draw(st.booleans()), arguments=draw(ARGUMENTS))
            for n in exchanges
        },
        work_queues={
            f"work {n}": WorkQueue(
                name=f"work {n}",
                type=draw(st.sampled_from([QueueType.QUORUM, QueueType.CLASSIC])),
                retry=draw(st.none() | st.sampled_from(ladders)),
                dead_letter=draw(st.none() | st.sampled_from(dead)),
                delivery_limit=draw(maybe),
                max_length=draw(maybe),
                overflow=draw(st.none() | st.sampled_from(["drop-head", "reject-publish"])),
                single_active_consumer=draw(st.booleans()),
                consumer_timeout_ms=draw(st.none() | st.integers(1, 10**11)),
                priority=draw(st.none() | st.integers(1, 255)),
                bindings=tuple(draw(st.lists(bound, max_size=2))),
                tasks=tuple(draw(st.lists(TEXT.filter(bool) | TRICKY.filter(bool), max_size=3))),
                arguments=draw(ARGUMENTS),
            )
            for n in queues
        },
        settings=draw(st.sampled_from(SettingsMode)),
        naming=Naming(dlx=draw(NAMES), retry=draw(st.sampled_from(["retry.{delay}", "${x{delay}"]))),
        celery=CeleryOptions(
            default_queue=draw(st.none() | st.just(f"work {queues[0]}")), declare=draw(st.booleans()),
            extra=draw(ARGUMENTS),
        ),
    )  # fmt: skip


@given(layouts())
@settings(max_examples=100, deadline=None)
def test_what_is_dumped_is_read_back(layout: Layout) -> None:
    """load(dump(layout)) == layout, for every field, with text that YAML would take for something else."""
    assert load(dump(layout)) == layout


@given(files())
@settings(max_examples=60, deadline=None)
def test_a_file_that_is_dumped_says_the_same(tree: dict[str, Any]) -> None:
    """Whatever a file leaves out is left out or said in the dump."""
    layout = load(yaml.safe_dump(tree))
    assert load(dump(layout)) == layout


@pytest.mark.parametrize("text", [SHOP, STARTER], ids=["shop", "starter"])
def test_a_dump_is_short(text: str) -> None:
    """What is default is not written, so that a dump is no longer than what people write."""
    dumped = dump(load(text))
    assert load(dumped) == load(text)
    assert "priority" not in dumped
    assert "single_active_consumer" not in dumped
    assert dumped.startswith("version: 1\ntopology: ")
