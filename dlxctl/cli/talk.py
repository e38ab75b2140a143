"""What commands say on stderr, beside what they were asked for: lines in which no name steers a terminal."""

import click

from dlxctl.render.escape import harmless


def say(text: str) -> None:
    """`text` on stderr, without a name before it: how far something is."""
    click.echo(harmless(text), err=True)


def remark(text: str) -> None:
    """`dlxctl: text` on stderr."""
    say(f"dlxctl: {text}")
