"""R12: the user's password is changed, or the vhost deleted, in the middle of a run."""

import pytest

from tests.faults.conftest import Judge
from tests.faults.proxy import Proxy
from tests.faults.scene import Scene

FAULT = "R12"
LETTERS = 1_000
SECRET = "canary-secret-47"


@pytest.fixture
def user(scene: Scene) -> str:
    """A user of the scene's own with everything it needs."""
    name = f"u-{scene.reach.vhost}"
    everything = {"configure": ".*", "write": ".*", "read": ".*"}
    scene.broker.api("PUT", f"users/{name}", {"password": SECRET, "tags": "management"})
    scene.broker.api("PUT", f"permissions/{scene.reach.vhost}/{name}", everything)
    return name


def test_a_changed_password_is_named_and_not_shown(scene: Scene, judge: Judge, proxy: Proxy, user: str) -> None:
    """The lost connection cannot be had again: exit 1, the user's name, no password, nothing lost."""
    scene.declare()
    scene.fill(LETTERS)
    process = scene.frozen(proxy, login=f"{user}:{SECRET}")
    scene.broker.api("PUT", f"users/{user}", {"password": "another", "tags": "management"})
    proxy.reset()
    proxy.silent = False
    done = scene.ended(process)
    scene.broker.api("DELETE", f"users/{user}")
    assert done.code == 1, done
    assert user in done.report["trouble"]
    assert SECRET not in done.errors + str(done.report)
    scene.resume()
    assert judge(kills=1).moved >= LETTERS


def test_a_deleted_vhost_is_named(scene: Scene, proxy: Proxy) -> None:
    """Exit 1 and the vhost's name; what was in it is gone with it."""
    scene.declare()
    scene.fill(LETTERS)
    process = scene.frozen(proxy)
    scene.broker.api("DELETE", f"vhosts/{scene.reach.vhost}")
    proxy.silent = False
    done = scene.ended(process)
    scene.broker.api("PUT", f"vhosts/{scene.reach.vhost}", {})  # for the end of the test, which deletes it
    assert done.code == 1, done
    assert scene.reach.vhost in done.report["trouble"]
