"""`dlxctl check`: everything that is wrong with a topology file, without a broker."""

import os
from pathlib import Path

import click

from dlxctl.cli.options import file_argument, format_option
from dlxctl.errors import ExitCode


@click.command("check")
@file_argument
@format_option
@click.option("--strict", is_flag=True, help="Treat warnings as errors.")
@click.option("--vhost", help="Which one, when FILE has RabbitMQ's definitions of several.")
def command(file: Path, output_format: str, strict: bool, vhost: str | None) -> int:
    """Check a topology file without a broker; or RabbitMQ's exported definitions (*.json) for how they lose messages.

    Each work queue is proved by a model of RabbitMQ's dead-lettering: whichever way a message fails, it ends in a
    dead-letter queue. If not, the walk is named, and `dlxctl trace` shows it.

    Every problem is reported at once, one line each on stdout: file:line:column: code, cause, remedy. With --format
    json: a list of objects {file, line, column, code, severity, cause, remedy}. Exit 0 when there are no errors
    (warnings are allowed, except under --strict), else 2. docs/checks.md explains every code.

    \b
    dlxctl check topology.yaml
    dlxctl check --strict --format json                       in CI
    rabbitmqctl export_definitions shop.json; dlxctl check shop.json --vhost shop
    """
    from dlxctl.model.diagnostics import Diagnostic, InvalidTopology, Severity
    from dlxctl.ops.topology_file import diagnosed
    from dlxctl.render.diagnostics import diagnostic_lines, diagnostics_json

    found: tuple[Diagnostic, ...]
    try:
        found = diagnosed(file, os.environ, vhost)
    except InvalidTopology as invalid:
        found = invalid.diagnostics
    text = diagnostics_json(str(file), found) + "\n" if output_format == "json" else diagnostic_lines(str(file), found)
    click.echo(text, nl=False)
    warnings = sum(diagnostic.severity is Severity.WARNING for diagnostic in found)
    click.echo(_summary(file, len(found) - warnings, warnings), err=True)
    failed = len(found) > warnings or (strict and warnings)
    return ExitCode.USAGE if failed else ExitCode.OK


def _summary(file: Path, errors: int, warnings: int) -> str:
    if not errors and not warnings:
        return f"{file} is sound"
    return f"{file}: {_count(errors, 'error')}, {_count(warnings, 'warning')}"


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
