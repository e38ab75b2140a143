"""A Django project with a Celery app; the app is made when Django starts, so that shared tasks find it."""

from shop.celery import app

__all__ = ["app"]
