"""The tasks: ordinary Celery, nothing in them says how they are retried."""

from celery import shared_task


@shared_task(name="shop.charge")
def charge(number: int) -> dict[str, int]:
    """Charge an order. Number 13 is a bug: retried, and then a dead letter."""
    if number == 13:
        raise ValueError("no such order")
    return {"charged": number}
