"""The only floor that opens a socket: AMQP by pika, the management API by urllib3; errors converted here."""
