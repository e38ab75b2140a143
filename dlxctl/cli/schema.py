"""`dlxctl schema`: the JSON Schema of topology.yaml, for editors."""

import click

from dlxctl.errors import ExitCode


@click.command("schema")
def command() -> int:
    """Print the JSON Schema (draft 7) of topology.yaml.

    \b
    dlxctl schema > topology.schema.json
    Then begin the file with: # yaml-language-server: $schema=./topology.schema.json
    """
    import json

    from dlxctl.spec.json_schema import json_schema

    click.echo(json.dumps(json_schema(), indent=2))
    return ExitCode.OK
