"""Help texts: each command has an example, and each example is a command line that dlxctl takes."""

import shlex
from collections.abc import Iterator

import click
import pytest

from dlxctl.cli.main import COMMANDS, group


def commands() -> Iterator[tuple[tuple[str, ...], click.Command]]:
    """Every command with the words that call it, those in groups too."""
    context = click.Context(group)
    for name in COMMANDS:
        command = group.get_command(context, name)
        assert command is not None
        yield (name,), command
        if isinstance(command, click.Group):
            yield from (((name, sub), each) for sub, each in command.commands.items())


def examples(command: click.Command) -> list[list[str]]:
    """The words after `dlxctl` of each example line; without what a shell does further, and the remark."""
    lines = (line.strip() for line in (command.help or "").splitlines())
    first = (line.split("   ")[0] for line in lines if line.startswith("dlxctl "))
    return [shlex.split(line.partition("|")[0].partition(">")[0])[1:] for line in first]


ALL = dict(commands())


@pytest.mark.parametrize("words", ALL, ids=" ".join)
def test_each_help_has_an_example_that_parses(words: tuple[str, ...]) -> None:
    """Options and arguments of the examples are those of the command."""
    found = examples(ALL[words])
    assert found
    assert any(example[: len(words)] == list(words) for example in found)
    for example in found:
        path = next(path for path in sorted(ALL, key=len, reverse=True) if tuple(example[: len(path)]) == path)
        assert ALL[path].make_context(" ".join(path), example[len(path) :]).params is not None
