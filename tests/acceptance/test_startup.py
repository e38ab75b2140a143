"""The command starts fast, because it imports nothing that it does not need."""

import subprocess
import sys

import pytest

from dlxctl import __version__

HEAVY = ("pika", "pydantic", "rich", "celery", "kombu", "yaml", "urllib3", "tenacity", "jmespath")


@pytest.mark.parametrize("arguments", [["--version"], ["--help"]])
def test_version_and_help_import_no_heavy_library(arguments: list[str]) -> None:
    """Neither loads a broker client, a validator, or a table printer."""
    code = f"import sys; from dlxctl.cli.main import run; run({arguments!r}); print(*sys.modules, file=sys.stderr)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    loaded = {name.split(".")[0] for name in done.stderr.split()}
    assert loaded.isdisjoint(HEAVY), loaded & set(HEAVY)
    assert __version__ in done.stdout or "Commands" in done.stdout
