"""The Celery app, configured by Django's settings."""

import os

from celery import Celery

from dlxctl.celery import RetryTask

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "shop.settings")

app = Celery("shop", task_cls=RetryTask)
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks(["shop"])
