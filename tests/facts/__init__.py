"""What dlxctl relies on in RabbitMQ and Celery, one test a rule; docs/broker-facts.md is made of them.

No dlxctl code: a fact must not be tested with what is built on it.
"""
