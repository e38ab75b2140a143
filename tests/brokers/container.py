"""A broker in a container, by testcontainers; it lives as long as the process that asked for it.

`DLXCTL_TEST_IMAGE` names another image, `{version}` in it stands for the release (4 where none is asked for).
"""

import atexit
import os
from typing import TYPE_CHECKING

from tests.brokers.running import NoBroker, RunningBroker, say

if TYPE_CHECKING:
    from testcontainers.core.container import DockerContainer

IMAGE = "rabbitmq:{version}-management"
AMQP, MANAGEMENT = 5672, 15672
START_SECONDS = 120.0


def image_of(version: str) -> str:
    """`4.0` -> `rabbitmq:4.0-management`."""
    template = os.environ.get("DLXCTL_TEST_IMAGE") or IMAGE
    return template.replace("{version}", "4" if version == "at-hand" else version)


def from_docker(version: str) -> RunningBroker:
    """Start a container. Raises NoBroker when Docker does not answer or has no such image and cannot pull it."""
    import docker
    from docker.errors import DockerException
    from testcontainers.core.container import DockerContainer
    from testcontainers.core.exceptions import ContainerConnectException, ContainerStartException

    image = image_of(version)
    try:
        docker.from_env(timeout=10).ping()
    except (DockerException, OSError) as error:
        raise NoBroker("it does not answer") from error
    try:
        say(f"RabbitMQ {version}: starting {image} in Docker")
        container = DockerContainer(image).with_exposed_ports(AMQP, MANAGEMENT).start()
    except (DockerException, ContainerStartException, ContainerConnectException, OSError) as error:
        raise NoBroker(_first_line(error)) from error
    atexit.register(container.stop)
    broker = _broker(container).await_start(START_SECONDS)
    _enable(container, "rabbitmq_shovel", "rabbitmq_shovel_management")
    return broker


def _broker(container: "DockerContainer") -> RunningBroker:
    host = container.get_container_host_ip()
    amqp, management = container.get_exposed_port(AMQP), container.get_exposed_port(MANAGEMENT)
    return RunningBroker("", f"amqp://guest:guest@{host}:{amqp}", f"http://{host}:{management}")


def _enable(container: "DockerContainer", *plugins: str) -> None:
    """Turn plugins on that the image ships but does not enable."""
    code, output = container.exec(["rabbitmq-plugins", "enable", *plugins])
    if code:
        raise NoBroker(f"rabbitmq-plugins ended with {code}: {output.decode(errors='replace')}")


def _first_line(error: BaseException) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]
