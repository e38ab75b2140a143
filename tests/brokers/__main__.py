"""`python -m tests.brokers up|down`: start the asked brokers and say where they are, or stop those that we started."""

import sys

from tests.brokers.node import stop
from tests.brokers.provide import asked_versions, obtain
from tests.brokers.running import NoBroker


def main(arguments: list[str]) -> int:
    """`up` prints a DLXCTL_TEST_URLS for the shell; `down` stops every node of ours. Returns the exit code."""
    if arguments == ["down"]:
        print(f"stopped {stop()} processes")
        return 0
    if arguments != ["up"]:
        print(__doc__, file=sys.stderr)
        return 2
    try:
        brokers = [obtain(version) for version in asked_versions()]
    except NoBroker as error:
        print(error, file=sys.stderr)
        return 1
    named = (f"{'.'.join(map(str, b.release))}={b.amqp_url}+{b.management_url}" for b in brokers)
    print(f'export DLXCTL_TEST_URLS="{",".join(named)}"')
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
