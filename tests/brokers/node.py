"""One RabbitMQ node as a local process on loopback: its ports, its files, its start and its end.

A node stays up after the test run, so the next one starts in seconds; `python -m tests.brokers down` stops all.
Rules learned the hard way: each node needs its own node name, dist port, epmd port, data, log, config and plugins
file; Debian's /etc/rabbitmq/rabbitmq-env.conf must not be read; a node in a root needs `127.0.0.1 localhost` there.
"""

import os
import shutil
import signal
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

from tests.brokers.apt import mount_proc
from tests.brokers.running import NoBroker, RunningBroker, say

MARK = "DLXCTL_TEST_NODE"
"""An environment variable of every process of a node; by it they are found again."""

PLUGINS = "[rabbitmq_management,rabbitmq_shovel,rabbitmq_shovel_management].\n"
START_SECONDS = 120.0
STOP_SECONDS = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """A node of `release` ("4.0") whose programs lie under `root` ("/" or a debootstrap root)."""

    release: str
    root: Path
    cache: Path

    @property
    def port(self) -> int:
        """AMQP; management, dist and epmd follow it. 3.10 -> 23100, 4.3 -> 24030: below the ephemeral ports."""
        major, minor = map(int, self.release.split("."))
        return 20000 + 1000 * major + 10 * minor

    @property
    def mark(self) -> str:
        """What finds the processes of this node and of no other."""
        return self.release

    @property
    def base(self) -> Path:
        """The node's directory as the node sees it: rabbitmq's own home, or the cache of an ordinary user."""
        return Path("/var/lib/rabbitmq/dlxctl") if os.geteuid() == 0 else self.cache / f"node-{self.release}"

    @property
    def broker(self) -> RunningBroker:
        """Where the node answers; its version is not known before it does."""
        return RunningBroker("", f"amqp://guest:guest@127.0.0.1:{self.port}", f"http://127.0.0.1:{self.port + 1}")

    def ensure(self) -> RunningBroker:
        """The node, running and healthy: adopted if it is, started afresh if not. Raises NoBroker."""
        if ready := self.broker.if_ready():
            return ready
        stop(self.mark)
        say(f"starting RabbitMQ {self.release} on 127.0.0.1:{self.port}, management {self.port + 1}")
        self._write_files()
        process = self._launch()
        try:
            return self.broker.await_start(START_SECONDS)
        except NoBroker as error:
            state = "runs" if process.poll() is None else f"ended with {process.returncode}"
            raise NoBroker(f"{error}; the process {state}; its log:\n{self._log_tail()}") from error

    def _outside(self, *parts: str) -> Path:
        """A file of the node as this process sees it."""
        return self.root / self.base.relative_to("/") / Path(*parts)

    def _write_files(self) -> None:
        """A fresh data directory: nothing of an earlier run, least of all a half-upgraded one, can stand in the way."""
        shutil.rmtree(self._outside(), ignore_errors=True)
        self._outside("mnesia").mkdir(parents=True)
        self._outside("rabbitmq.conf").write_text(
            f"listeners.tcp.default = 127.0.0.1:{self.port}\n"
            f"management.tcp.ip = 127.0.0.1\nmanagement.tcp.port = {self.port + 1}\n"
            "loopback_users = none\n"
        )
        self._outside("enabled_plugins").write_text(PLUGINS)
        if os.geteuid() == 0:
            own = ["chown", "-R", "rabbitmq:rabbitmq", str(self.base)]
            subprocess.run(["chroot", str(self.root), *own], check=True)

    def _environment(self) -> dict[str, str]:
        name, base = f"dlxctl-{self.release.replace('.', '-')}@localhost", str(self.base)
        return {
            MARK: self.mark, "PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "HOME": base, "LC_ALL": "C.UTF-8",
            "RABBITMQ_NODENAME": name, "RABBITMQ_BASE": base, "RABBITMQ_MNESIA_BASE": f"{base}/mnesia",
            "RABBITMQ_LOG_BASE": f"{base}/log", "RABBITMQ_CONFIG_FILE": f"{base}/rabbitmq",
            "RABBITMQ_ENABLED_PLUGINS_FILE": f"{base}/enabled_plugins", "RABBITMQ_CONF_ENV_FILE": "/dev/null",
            "RABBITMQ_DIST_PORT": str(self.port + 2), "ERL_EPMD_PORT": str(self.port + 3),
            "ERL_EPMD_ADDRESS": "127.0.0.1", "ERL_CRASH_DUMP": f"{base}/erl_crash.dump",
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "-kernel inet_dist_use_interface {127,0,0,1}",
        }  # fmt: skip

    def _launch(self) -> subprocess.Popen[bytes]:
        """Start the node in a session of its own, as the user rabbitmq when this is root."""
        command = ["/usr/lib/rabbitmq/bin/rabbitmq-server"]
        if os.geteuid() == 0:
            if self.root != Path("/"):
                mount_proc(self.root)
            command = ["chroot", "--userspec=rabbitmq:rabbitmq", str(self.root), *command]
        with self._outside("stdout").open("wb") as log:
            return subprocess.Popen(
                command, env=self._environment(), cwd="/", stdin=subprocess.DEVNULL, stdout=log,
                stderr=subprocess.STDOUT, start_new_session=True,
            )  # fmt: skip

    def _log_tail(self) -> str:
        return "\n".join(self._outside("stdout").read_text(errors="replace").splitlines()[-15:])


def stop(release: str | None = None) -> int:
    """Stop the nodes of a release, or all that carry our mark; returns how many processes there were."""
    found = _processes(release)
    for process in found:
        _signal(process, signal.SIGTERM)
    deadline = time.monotonic() + STOP_SECONDS
    while left := _processes(release):
        if time.monotonic() > deadline:
            for process in left:
                _signal(process, signal.SIGKILL)
        time.sleep(0.2)
    return len(found)


def _processes(release: str | None) -> list[int]:
    """The processes whose environment carries our mark: the node, its epmd and its children."""
    marks = f"{MARK}={release}\0" if release else f"{MARK}="
    found = []
    for entry in Path("/proc").glob("[0-9]*/environ"):
        try:
            environment = f"\0{entry.read_text(errors='replace')}"
        except OSError:  # gone meanwhile, or another user's
            continue
        if f"\0{marks}" in environment and int(entry.parent.name) != os.getpid():
            found.append(int(entry.parent.name))
    return found


def _signal(process: int, number: signal.Signals) -> None:
    try:
        os.kill(process, number)
    except ProcessLookupError:
        return
