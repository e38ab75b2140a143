"""dlxctl: retries, dead letters and replay for Celery on RabbitMQ, from one topology.yaml."""

__version__ = "0.1.0"
