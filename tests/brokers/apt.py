"""apt and debootstrap: what is installed, installing rabbitmq-server here, and making a root of another Debian release.

Uses the mirror and the proxies that the machine is set up with. A service that a package would start is held back.
"""

import contextlib
import os
import platform
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

from tests.brokers.running import NoBroker, say

NO_SERVICES = "#!/bin/sh\nexit 101\n"
"""A policy-rc.d that forbids starting services (invoke-rc.d(8)): RabbitMQ's standing service would take port 5672."""

FALLBACK_MIRROR = "http://deb.debian.org/debian"


def rabbitmq_release(root: Path) -> str | None:
    """Major and minor of the rabbitmq-server installed under `root`, e.g. "4.0"; None when there is none."""
    query = ["dpkg-query", f"--admindir={root}/var/lib/dpkg", "-W", "-f", "${db:Status-Status} ${Version}"]
    try:
        answer = subprocess.run([*query, "rabbitmq-server"], capture_output=True, text=True)
    except FileNotFoundError:
        return None
    found = re.match(r"installed (?:\d+:)?(\d+\.\d+)\.", answer.stdout)
    return found[1] if found and (root / "usr/lib/rabbitmq/bin/rabbitmq-server").exists() else None


def install_rabbitmq() -> None:
    """Install the machine's own rabbitmq-server, without starting or enabling its service. Needs root."""
    install("rabbitmq-server")


def install(package: str) -> None:
    """Install a package whose service has its name, without starting or enabling that. Needs root. Raises NoBroker."""
    say(f"installing {package} by apt (once)")
    with _services_held_back(Path("/")):
        _apt_get(["update"])
        _apt_get(["install", "-y", "--no-install-recommends", package])
    if Path("/run/systemd/system").is_dir():
        _run(["systemctl", "disable", "--quiet", package])


def make_root(suite: str, root: Path) -> None:
    """Make or finish the debootstrap root of `suite` at `root`, with rabbitmq-server in it. Needs root."""
    if shutil.which("debootstrap") is None:
        _apt_get(["update"])
        _apt_get(["install", "-y", "--no-install-recommends", "debootstrap"])
    if not (root / "var/lib/dpkg/status").exists() or (root / "debootstrap").exists():
        shutil.rmtree(root, ignore_errors=True)  # half made: debootstrap cannot go on from there
        root.mkdir(parents=True)
        _run(["debootstrap", "--variant=minbase", "--include=ca-certificates", suite, str(root), _mirror()])
    _dress(root)
    with _services_held_back(root):
        # sid's release file may be past its date.
        _apt_get(["-o", "Acquire::Check-Valid-Until=false", "update"], root)
        _apt_get(["install", "-y", "--no-install-recommends", "rabbitmq-server"], root)


def _mirror() -> str:
    """The mirror of the machine's own release, whether apt has it from a .list or a .sources file."""
    codename = platform.freedesktop_os_release().get("VERSION_CODENAME", "")
    targets = ["apt-get", "indextargets", "--format", "$(RELEASE) $(REPO_URI)", "Created-By: Packages"]
    answer = subprocess.run(targets, capture_output=True, text=True)
    uris = [line.split(" ", 1)[1] for line in answer.stdout.splitlines() if line.startswith(f"{codename} ")]
    return next((uri for uri in uris if uri.startswith("http")), FALLBACK_MIRROR)


def _dress(root: Path) -> None:
    """Give a root the machine's name resolution and apt proxies, and a /proc, which Erlang reads."""
    shutil.copy("/etc/resolv.conf", root / "etc/resolv.conf")
    (root / "etc/hosts").write_text(f"127.0.0.1 localhost {platform.node()}\n")
    for settings in Path("/etc/apt/apt.conf.d").iterdir():
        if re.search(r"^\s*Acquire::\w+::Proxy", settings.read_text(errors="replace"), re.MULTILINE):
            shutil.copy(settings, root / "etc/apt/apt.conf.d" / settings.name)
    mount_proc(root)


def mount_proc(root: Path) -> None:
    """Mount /proc into a root, unless it is there."""
    if not os.path.ismount(root / "proc"):
        _run(["mount", "--bind", "/proc", str(root / "proc")])


@contextlib.contextmanager
def _services_held_back(root: Path) -> Iterator[None]:
    policy = root / "usr/sbin/policy-rc.d"
    ours = not policy.exists()
    if ours:
        policy.write_text(NO_SERVICES)
        policy.chmod(0o755)
    try:
        yield
    finally:
        if ours:
            policy.unlink()


def _apt_get(arguments: list[str], root: Path | None = None) -> None:
    chroot = ["chroot", str(root)] if root else []
    _run([*chroot, "apt-get", "-q", "-o", "Acquire::Retries=3", *arguments])


def _run(command: list[str]) -> None:
    """Run to the end; a failure shows the last lines. Raises NoBroker."""
    environment = os.environ | {"DEBIAN_FRONTEND": "noninteractive", "LC_ALL": "C"}
    try:
        answer = subprocess.run(
            command,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
    except FileNotFoundError as error:
        raise NoBroker(f"{error.filename} is not on this machine") from error
    if answer.returncode:
        tail = "\n".join(answer.stdout.splitlines()[-8:])
        raise NoBroker(f"`{' '.join(command)}` failed with {answer.returncode}:\n{tail}")
