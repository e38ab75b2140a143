"""The entry point: the table of commands, loaded only when called, and errors turned into lines and exit codes.

`dlxctl --version` and `--help` must import none of pika, pydantic, rich and celery, so a command is named here by
its module, and its one-line help stands in the table too.
"""

import importlib
import keyword
import os
import sys
from typing import Any

import click

from dlxctl import __version__
from dlxctl.errors import DlxctlError, ExitCode
from dlxctl.render.escape import harmless

COMMANDS: dict[str, str] = {
    "init": "Write a commented topology.yaml.",
    "check": "Check a topology file without a broker.",
    "schema": "Print the JSON Schema of topology.yaml.",
    "plan": "Show what apply would change.",
    "apply": "Make the broker what the file says.",
    "migrate": "Show or revert migrations, which apply --allow migrate carries out.",
    "destroy": "Delete all that a topology owns on the broker.",
    "permissions": "Print what each user needs on the broker.",
    "import": "Write a vhost down as a topology file.",
    "celery": "Generate the Celery configuration module.",
    "doctor": "Tell which failures of a Celery app's tasks reach their dead-letter queue.",
    "trace": "Walk a failing message through the topology, without a broker.",
    "graph": "Draw the topology as Mermaid, DOT or SVG.",
    "inspect": "List and group the dead letters of a queue, leaving them there.",
    "replay": "Move dead letters back to the queues they came from.",
    "export": "Copy dead letters into an archive file.",
    "restore": "Put the messages of an archive back into a queue.",
    "discard": "Delete dead letters that an archive holds.",
    "park": "Move dead letters to the parking queue, with a note.",
    "edit": "Edit one dead letter and replay the edited copy.",
    "status": "Show how much is in the queues, and whether that is too much.",
    "runs": "List and show past replay runs.",
}
"""name -> one-line help; the command itself is `dlxctl.cli.<name>.command`."""


class LazyGroup(click.Group):
    """A group that imports a command's module only to run it."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        module = f"{cmd_name}_" if keyword.iskeyword(cmd_name) else cmd_name
        command = importlib.import_module(f"dlxctl.cli.{module}").command
        assert isinstance(command, click.Command)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args[0] not in COMMANDS and not args[0].startswith("-"):
            raise click.UsageError(f"No such command {args[0]!r}. Did you mean {_nearest(args[0])!r}?", ctx)
        return super().resolve_command(ctx, args)


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(__version__, prog_name="dlxctl", message="%(prog)s %(version)s")
def group() -> None:
    """Retries, dead letters and replay for Celery on RabbitMQ, from one topology.yaml.

    \b
    dlxctl apply topology.yaml          make the broker what the file says
    dlxctl replay --queue dead_letter   put dead letters back where they came from
    """


def main(argv: list[str] | None = None) -> None:
    """Run, and end the process with a code of the one table."""
    sys.exit(run(argv))


def run(argv: list[str] | None = None) -> int:
    """Run one command line; returns the exit code. Errors are lines on stderr; DLXCTL_DEBUG=1 shows the traceback."""
    try:
        result: Any = group.main(args=argv, prog_name="dlxctl", standalone_mode=False)
    except click.exceptions.Exit as stop:
        return stop.exit_code
    except click.ClickException as error:
        error.show()
        return int(ExitCode.USAGE)
    except (click.Abort, KeyboardInterrupt):
        click.echo("dlxctl: interrupted", err=True)
        return int(ExitCode.INTERRUPTED)
    except BrokenPipeError:
        sys.stdout = open(os.devnull, "w")  # noqa: SIM115, PTH123 - nobody reads on; silences the flush at exit
        return int(ExitCode.OK)
    except DlxctlError as error:
        if os.environ.get("DLXCTL_DEBUG"):
            raise
        click.echo(harmless(str(error) if error.placed else f"dlxctl: {error}"), err=True)
        return int(error.exit_code)
    return int(result or ExitCode.OK)


def _nearest(word: str) -> str:
    import difflib

    return next(iter(difflib.get_close_matches(word, COMMANDS, n=1, cutoff=0.0)))
