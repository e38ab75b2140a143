"""The options that choose dead letters, shared by the commands that work on some of them."""

import time
from collections.abc import Callable
from typing import Any, TypeVar

import click

from dlxctl.replay.selection import Selection, group_criterion, header_criterion, moment
from dlxctl.replay.where import Where

Command = TypeVar("Command", bound=Callable[..., Any])

_OPTIONS: tuple[tuple[str, str, dict[str, Any]], ...] = (
    ("--origin", "origin", {"multiple": True, "metavar": "PATTERN", "help": "Those of this work queue."}),
    ("--task", "task", {"multiple": True, "metavar": "PATTERN", "help": "Those of this Celery task: 'shop.*'."}),
    ("--reason", "reason", {"multiple": True, "metavar": "PATTERN", "help": "Those that died of this: expired."}),
    (
        "--exception", "exception",
        {"multiple": True, "metavar": "PATTERN", "help": "Those that failed with this: '*.Timeout'."},
    ),
    ("--id", "ids", {"multiple": True, "metavar": "ID", "help": "The one with this task or message id."}),
    ("--group", "groups", {"multiple": True, "metavar": "KEY", "help": "Those of this group of `dlxctl inspect`."}),
    (
        "--since", "since",
        {"metavar": "TIME", "help": "Those that died at or after this: 2026-11-21T14:30 (UTC), or 2h (ago)."},
    ),
    ("--until", "until", {"metavar": "TIME", "help": "Those that died before this."}),
    ("--header", "headers", {"multiple": True, "metavar": "NAME=VALUE", "help": "Those with this header."}),
    (
        "--where", "where",
        {"metavar": "EXPR", "help": "Those for which this JMESPath expression is true: docs/selecting.md."},
    ),
)  # fmt: skip
"""Flag, parameter name, and what click is told; in the order of the help."""


def selection_options(command: Command) -> Command:
    """Add the options. Their values are taken by `selection_of`, so let the command catch them in `**choices`."""
    for flag, name, told in reversed(_OPTIONS):
        command = click.option(flag, name, **told)(command)
    return command


def selection_of(choices: dict[str, Any]) -> Selection:
    """What the options ask for. Raises UsageError."""
    now = time.time()
    since, until, where = choices["since"], choices["until"], choices["where"]
    return Selection(
        origin=choices["origin"],
        task=choices["task"],
        reason=choices["reason"],
        exception=choices["exception"],
        ids=frozenset(choices["ids"]),
        groups=tuple(map(group_criterion, choices["groups"])),
        since=None if since is None else moment(since, now),
        until=None if until is None else moment(until, now),
        headers=tuple(map(header_criterion, choices["headers"])),
        where=None if where is None else Where(where),
    )
