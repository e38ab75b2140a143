"""A model of how RabbitMQ dead-letters, by version: values in, values out, virtual time, no broker.

`world` plays events on a topology; `walk` follows one message; `prove` asks of every queue where its messages can end.
tests/differential/ holds the model to real brokers. Not modelled: priorities, `CC` and `BCC`, lengths in octets,
`x-expires`, consumers that hold more than they work on, and what a full cluster does.
"""
