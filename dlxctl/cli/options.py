"""Options that several commands share, and the connection made of them: flag, then environment, then default."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from dlxctl.broker.address import Access

Command = TypeVar("Command", bound=Callable[..., Any])

URL_VARIABLES = ("DLXCTL_URL", "RABBITMQ_URL", "CELERY_BROKER_URL")
DEFAULT_URL = "amqp://guest:guest@localhost:5672/"
DEFAULT_FILE = "topology.yaml"


def connection_options(command: Command) -> Command:
    """Add `--url` and `--management-url`."""
    command = click.option(
        "--management-url", metavar="URL", help="Management API. [env: DLXCTL_MANAGEMENT_URL; default: port 15672]"
    )(command)
    return click.option("--url", metavar="URL", help="AMQP URL. [env: DLXCTL_URL, RABBITMQ_URL, CELERY_BROKER_URL]")(
        command
    )


def format_option(command: Command) -> Command:
    """Add `--format text|json`, as `output_format`."""
    return _format(command, "text", "json")


def plan_format_option(command: Command) -> Command:
    """The same, with `markdown` for a comment on a pull request."""
    return _format(command, "text", "json", "markdown")


def _format(command: Command, *formats: str) -> Command:
    return click.option(
        "--format", "output_format", type=click.Choice(formats), default="text", show_default=True,
        help="What stdout gets; talk goes to stderr.",
    )(command)  # fmt: skip


def file_argument(command: Command) -> Command:
    """Add the positional FILE, default topology.yaml, as `file`, and the options for its variables."""
    return variable_options(new_file_argument(command))


def new_file_argument(command: Command) -> Command:
    """Add the positional FILE alone, for a command that writes it."""
    return click.argument("file", type=click.Path(path_type=Path), default=DEFAULT_FILE)(command)


def variable_options(command: Command) -> Command:
    """Add `--set NAME=VALUE` and `--values FILE`: variables of this process's environment, before FILE is read.

    `--set` goes before `--values`, and both before what the environment says already.
    """
    command = click.option(
        "--set", "settings", multiple=True, metavar="NAME=VALUE", expose_value=False, callback=_set,
        help="Value of ${NAME} in FILE. Repeatable.",
    )(command)  # fmt: skip
    return click.option(
        "--values", multiple=True, metavar="FILE", type=click.Path(path_type=Path), expose_value=False, is_eager=True,
        callback=_values, help="Values of ${NAME} in FILE, as lines NAME: value.",
    )(command)  # fmt: skip


def _values(context: click.Context, _: click.Parameter, paths: tuple[Path, ...]) -> None:
    if paths:
        from dlxctl.ops.topology_file import read_text
        from dlxctl.spec.values import values_of

        for path in paths:
            os.environ.update(values_of(read_text(path), str(path)))


def _set(context: click.Context, _: click.Parameter, given: tuple[str, ...]) -> None:
    if given:
        from dlxctl.spec.values import settings_of

        os.environ.update(settings_of(given))


def broker_access(url: str | None, management_url: str | None) -> "Access":
    """`--url` > DLXCTL_URL > RABBITMQ_URL > CELERY_BROKER_URL > the default. Raises UsageError."""
    from dlxctl.broker.address import access

    chosen = url or next(filter(None, map(os.environ.get, URL_VARIABLES)), DEFAULT_URL)
    return access(chosen, management_url or os.environ.get("DLXCTL_MANAGEMENT_URL"))


def access_for(vhost: str, url: str | None, management_url: str | None) -> "Access":
    """The connection for a topology file that names `vhost`; a URL that names another vhost is refused (exit 2)."""
    from dlxctl.errors import UsageError

    found = broker_access(url, management_url)
    if found.amqp[0].vhost not in (None, vhost):
        raise UsageError(
            f"the URL names vhost {found.amqp[0].vhost!r}, the topology file names {vhost!r}",
            remedy="Leave the vhost out of the URL, or set it in the file (vhost: ${DLXCTL_VHOST:-/}).",
        )
    return found.in_vhost(vhost)
