"""Reading the roads that the generated settings carry."""

from typing import Any

from dlxctl.celery.road import SETTING, Road


def road_from(app: Any, queue: str | None) -> Road | None:
    """The road of `queue` in the settings of `app`; None where they do not know the queue."""
    data = (app.conf.get(SETTING) or {}).get(queue)
    return None if data is None else Road.from_data(data)
