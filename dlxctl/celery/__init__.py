"""The generated Celery configuration (pure), and under `worker` the side that runs inside Celery."""
