"""Real RabbitMQ brokers for the tests: which versions are asked for, and how each is had."""

from tests.brokers.provide import asked_versions, obtain
from tests.brokers.running import NoBroker, RunningBroker

__all__ = ["NoBroker", "RunningBroker", "asked_versions", "obtain"]
