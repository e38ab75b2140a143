"""Scenarios that are played each time, for what the model, or the facts that it was made from, once had wrong."""

from tests.differential.scenario import Data

KNOWN: dict[str, Data] = {
    "at least once into itself: RabbitMQ 3.10 delivers the dead letter and keeps it stuck": {
        "exchanges": [],
        "queues": [["S.q0", "quorum", {
            "x-dead-letter-exchange": "", "x-dead-letter-strategy": "at-least-once", "x-overflow": "reject-publish",
        }]],
        "policies": [],
        "bindings": [],
        "operations": [["publish", "", "S.q0", {}, None], ["get", "S.q0", "reject"], ["get", "S.q0", "reject"]],
    },
    "at least once into itself, and full: RabbitMQ 3.10 does not hear itself refuse either": {
        "exchanges": [],
        "queues": [["S.q0", "quorum", {
            "x-dead-letter-exchange": "", "x-dead-letter-strategy": "at-least-once", "x-overflow": "reject-publish",
            "x-max-length": 2,
        }]],
        "policies": [],
        "bindings": [],
        "operations": [["publish", "", "S.q0", {}, None], ["publish", "", "S.q0", {}, None],
                       ["get", "S.q0", "reject"], ["get", "S.q0", "reject"]],
    },
    "a limit of -1 and one of 1: RabbitMQ 3.10 takes the lower, which drops, the others the positive": {
        "exchanges": [],
        "queues": [["S.q0", "quorum", {"x-delivery-limit": -1, "x-dead-letter-exchange": "",
                                       "x-dead-letter-routing-key": "S.q1"}], ["S.q1", "classic", {}]],
        "policies": [["S.p", "^S.q0$", 5, {"delivery-limit": 1}]],
        "bindings": [],
        "operations": [["publish", "", "S.q0", {}, None], ["get", "S.q0", "return"]],
    },
    "without a limit a returned message goes to the back, but on 4.3 before all others, after its delay": {
        "exchanges": [],
        "queues": [["S.q0", "quorum", {"x-delivery-limit": -1}], ["S.q1", "quorum", {
            "x-delivery-limit": -1, "x-delayed-retry-type": "all", "x-delayed-retry-min": 30_000,
        }], ["S.q2", "quorum", {"x-delivery-limit": -1}]],
        "policies": [],
        "bindings": [],
        "operations": [
            ["publish", "", "S.q0", {}, None], ["publish", "", "S.q0", {}, None], ["publish", "", "S.q1", {}, None],
            ["publish", "", "S.q2", {}, None], ["publish", "", "S.q2", {}, None], ["get", "S.q0", "nack"],
            ["get", "S.q1", "nack"], ["get", "S.q2", "return"],
        ],
    },
    "a void policy sets nothing, and -1 stays what it is": {
        "exchanges": [],
        "queues": [["S.q0", "quorum", {"x-delivery-limit": -1}]],
        "policies": [["S.p", "^S.q0$", 5, {"dead-letter-exchange": "", "queue-mode": "lazy"}]],
        "bindings": [],
        "operations": [["publish", "", "S.q0", {}, None], ["get", "S.q0", "return"]],
    },
    "delayed retry holds back what is rejected for requeue, and not what is nacked": {
        "exchanges": [],
        "queues": [
            ["S.q0", "quorum", {"x-delayed-retry-type": "failed", "x-delayed-retry-min": 1500, "x-delivery-limit": 1,
                                "x-dead-letter-exchange": "", "x-dead-letter-routing-key": "S.q1"}],
            ["S.q1", "quorum", {}],
        ],
        "policies": [],
        "bindings": [],
        "operations": [
            ["publish", "", "S.q0", {}, None], ["get", "S.q0", "nack"], ["get", "S.q0", "return"],
            ["get", "S.q0", "return"], ["wait"], ["get", "S.q0", "crash"], ["get", "S.q1", "nack"],
        ],
    },
    "a longer time to live keeps the shorter one behind it": {
        "exchanges": [],
        "queues": [["S.q0", "quorum", {"x-dead-letter-exchange": "", "x-dead-letter-routing-key": "S.q1"}],
                   ["S.q1", "classic", {}]],
        "policies": [],
        "bindings": [],
        "operations": [["publish", "", "S.q0", {}, 3300], ["publish", "", "S.q0", {}, 300], ["get", "S.q1", "ack"],
                       ["wait"], ["get", "S.q1", "ack"]],
    },
}  # fmt: skip
