"""AMQP content headers as bytes: a bounded, never-raising reader and a splicer; pure."""
