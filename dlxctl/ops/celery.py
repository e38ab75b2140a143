"""The use case behind `dlxctl celery`: topology file -> text of the Celery module, written or compared."""

import os
import tempfile
from collections.abc import Mapping
from pathlib import Path

from dlxctl.celery.module import module_text
from dlxctl.errors import UsageError
from dlxctl.ops.topology_file import checked


def generate(file: Path, environment: Mapping[str, str], *, namespace: str | None = None) -> str:
    """The module for a topology file. Raises UsageError and InvalidTopology."""
    layout, desired, _warnings = checked(file, environment)
    return module_text(layout, desired, namespace=namespace)


def is_stale(output: Path, text: str) -> bool:
    """Whether the module at `output` is missing or differs from `text`. Raises UsageError when it cannot be read."""
    try:
        return output.read_text(encoding="utf-8") != text
    except FileNotFoundError:
        return True
    except UnicodeDecodeError:
        return True
    except OSError as error:
        remedy = "Name the generated module: -o FILE."
        raise UsageError(f"{output} cannot be read", why=error.strerror or str(error), remedy=remedy) from None


def write(output: Path, text: str) -> None:
    """Put `text` at `output` in one step: a worker that starts meanwhile sees the old module or the new one, whole.

    Raises UsageError.
    """
    try:
        descriptor, name = tempfile.mkstemp(dir=output.parent, prefix=f".{output.name}.")
        try:
            with os.fdopen(descriptor, "w", encoding="utf-8") as new:
                new.write(text)
            temporary = Path(name)
            temporary.chmod(output.stat().st_mode if output.exists() else 0o644)
            temporary.replace(output)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise
    except OSError as error:
        raise UsageError(
            f"{output} cannot be written", why=error.strerror or str(error), remedy="Name another file with -o."
        ) from None
