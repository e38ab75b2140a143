"""pika's blocking consumer with a prefetch of 1000; each publish waits for its confirm, as BlockingChannel does."""

import sys

import pika

from bench.clients.clock import timed, url


def main(count: int) -> None:
    """Move `count` messages."""
    connection = pika.BlockingConnection(pika.URLParameters(url()))
    channel = connection.channel()
    channel.confirm_delivery()
    channel.basic_qos(prefetch_count=1000)
    with timed():
        for number, (method, properties, body) in enumerate(channel.consume("dead"), 1):
            channel.basic_publish("", "orders", body, properties, mandatory=True)  # raises unless confirmed
            channel.basic_ack(method.delivery_tag)
            if number == count:
                break
        channel.cancel()  # a round trip: the last ack is taken
    connection.close()


if __name__ == "__main__":
    main(int(sys.argv[1]))
