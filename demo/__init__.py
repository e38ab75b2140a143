"""`make demo`: the whole job of dlxctl on a real RabbitMQ with a real Celery worker, told and asserted step by step."""
