"""Use case: examine a Celery app. Reads it in a child process, reads the broker once, and judges both."""

import importlib.util
import json
import re
import subprocess
import sys
from typing import Any

from dlxctl.broker.admin import Reader
from dlxctl.celery.doctor.examination import Examination, examine
from dlxctl.celery.doctor.scene import Scene
from dlxctl.celery.doctor.values import AppFacts
from dlxctl.errors import UsageError
from dlxctl.model.layout import Layout
from dlxctl.spec.expand import expand

IMPORT_SECONDS = 120
"""How long an app may take to be imported."""
_PASSWORD = re.compile(r"(://[^/\s:@]*):\S*@")


def examined(app: AppFacts, layout: Layout | None, reader: Reader | None) -> Scene:
    """What doctor judges; without `reader` the broker is not asked. Raises what `Reader` raises."""
    if reader is None:
        return Scene(app=app, layout=layout, desired=expand(layout) if layout else None)
    version = reader.server().version
    desired = expand(layout, version=version) if layout else None
    return Scene(app=app, layout=layout, desired=desired, observed=reader.read(), version=version)


def diagnose(scene: Scene) -> Examination:
    """The judgement."""
    return examine(scene)


def read_app(name: str, pool: str | None = None) -> AppFacts:
    """The app that `celery -A name` would load, read in a process of its own.

    Raises UsageError: Celery is not installed here, or the app cannot be imported.
    """
    answer = run_apart("dlxctl.celery.worker.examine", name, *([pool] if pool else []))
    return AppFacts.from_data(answer["app"])


def run_apart(module: str, name: str, *arguments: str) -> dict[str, Any]:
    """Run a module of the worker side on app `name`; what it answers. What the app prints goes to stderr.

    Raises UsageError.
    """
    if importlib.util.find_spec("celery") is None:
        raise UsageError(
            "Celery is not installed beside dlxctl", why="doctor imports your app, as a worker does",
            remedy="Install dlxctl into the environment of the app: pip install 'dlxctl[celery]'.",
        )  # fmt: skip
    command = [sys.executable, "-m", module, name, *arguments]
    try:
        done = subprocess.run(command, stdout=subprocess.PIPE, timeout=IMPORT_SECONDS, check=False)
        answer: dict[str, Any] = json.loads(done.stdout)
    except subprocess.TimeoutExpired:
        raise UsageError(
            f"the app {name!r} was not imported within {IMPORT_SECONDS} s", remedy="What does its import wait for?"
        ) from None
    except ValueError:
        raise UsageError(
            f"the app {name!r} ended the process that imported it", why=f"exit code {done.returncode}",
            remedy=f'It is the same with: python -c "import {name.partition(":")[0]}"',
        ) from None  # fmt: skip
    if "error" in answer:
        raise _not_imported(name, answer)
    return answer


def _not_imported(name: str, answer: dict[str, Any]) -> UsageError:
    lines = "\n    ".join(map(_without_password, answer["traceback"]))
    return UsageError(
        f"the app {name!r} cannot be loaded", why=_without_password(answer["error"]),
        remedy="Start doctor where `celery -A` starts the worker, in the same environment, with the same variables.\n"
        f"  The end of the traceback:\n    {lines}",
    )  # fmt: skip


def _without_password(text: str) -> str:
    return _PASSWORD.sub(r"\1:***@", text)
