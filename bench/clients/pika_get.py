"""The loop of most scripts: basic_get, publish and wait for its confirm, ack; one message at a time."""

import sys

import pika

from bench.clients.clock import timed, url


def main(count: int) -> None:
    """Move `count` messages."""
    connection = pika.BlockingConnection(pika.URLParameters(url()))
    channel = connection.channel()
    channel.confirm_delivery()
    with timed():
        for _ in range(count):
            method, properties, body = channel.basic_get("dead")
            channel.basic_publish("", "orders", body, properties, mandatory=True)  # raises unless confirmed
            channel.basic_ack(method.delivery_tag)
        channel.basic_qos(prefetch_count=1)  # a round trip: the last ack is taken
    connection.close()


if __name__ == "__main__":
    main(int(sys.argv[1]))
