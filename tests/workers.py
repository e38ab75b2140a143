"""Real Celery workers as processes: started on a module's text, their log kept, their end guaranteed."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

READY_SECONDS, STOP_SECONDS = 60, 30


class Worker:
    """A running `celery worker`; `log` is everything it has written so far."""

    def __init__(self, process: subprocess.Popen[bytes], log_file: Path) -> None:
        self.process, self._log_file = process, log_file

    @property
    def log(self) -> str:
        return self._log_file.read_text(errors="replace")

    def stop(self) -> int:
        """Warm shutdown (SIGTERM): returns the exit code. Raises AssertionError when it does not end in time."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"the worker did not stop; its log:\n{self.log}") from None

    def kill(self) -> None:
        """End the worker and its pool at once; nothing is left of the process group."""
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait(STOP_SECONDS)


@contextmanager
def start_worker(
    directory: Path, module: str = "app", *options: str, environment: dict[str, str] | None = None,
    pool: str = "prefork", concurrency: int = 2,
) -> Iterator[Worker]:  # fmt: skip
    """`celery -A module worker` in `directory`, which is importable; yields when it is ready to take tasks.

    `options` follow, e.g. "-Q", "orders". Raises AssertionError with the log when it ends instead.
    """
    log_file = directory / f"worker-{time.monotonic_ns()}.log"
    command = [
        str(Path(sys.executable).parent / "celery"), "-A", module, "worker", "-P", pool, "-c", str(concurrency),
        "--without-mingle",  # a second saved: there are no neighbours
        "--loglevel", "INFO", "--hostname", f"w{time.monotonic_ns()}@test", *options,
    ]  # fmt: skip
    variables = os.environ | {"PYTHONPATH": str(directory), "PYTHONUNBUFFERED": "1", "C_FORCE_ROOT": "1"}
    with log_file.open("wb") as log:
        process = subprocess.Popen(
            command, cwd=directory, env=variables | (environment or {}), stdout=log, stderr=log, start_new_session=True
        )
    worker = Worker(process, log_file)
    try:
        wait_until(lambda: " ready." in worker.log or process.poll() is not None, READY_SECONDS)
        assert process.poll() is None, f"the worker ended with {process.returncode}; its log:\n{worker.log}"
        yield worker
    finally:
        worker.kill()


def wait_until(condition: Callable[[], bool], seconds: float = 30, pause: float = 0.05) -> None:
    """Poll `condition`. Raises AssertionError when it is not true in time."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"not true within {seconds} s"
        time.sleep(pause)
