"""aio-pika, concurrently: `Queue.consume` runs each callback as a task, so 1000 confirms are awaited at once."""

import asyncio
import sys

import aio_pika
from aio_pika.abc import AbstractIncomingMessage

from bench.clients.clock import timed, url


async def main(count: int) -> None:
    """Move `count` messages."""
    connection = await aio_pika.connect_robust(url())
    async with connection:
        channel = await connection.channel(publisher_confirms=True)
        await channel.set_qos(prefetch_count=1000)
        queue = await channel.get_queue("dead", ensure=False)
        moved, done = 0, asyncio.Event()

        async def move(message: AbstractIncomingMessage) -> None:
            nonlocal moved
            async with message.process():  # acks at its end
                await channel.default_exchange.publish(message, "orders", mandatory=True)
            moved += 1
            if moved == count:
                done.set()

        with timed():
            tag = await queue.consume(move)
            await done.wait()
            await queue.cancel(tag)  # a round trip: the last ack is taken


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1])))
