"""Use case: draw the topology of a file, with the depths of a broker's queues if one is given."""

from pathlib import Path
from typing import assert_never

from dlxctl.broker.admin import Reader
from dlxctl.errors import UsageError
from dlxctl.model.layout import Layout
from dlxctl.render.graph.dot import dot
from dlxctl.render.graph.forms import Form
from dlxctl.render.graph.mermaid import mermaid
from dlxctl.render.graph.picture import picture
from dlxctl.render.graph.svg import svg


def graph(layout: Layout, form: Form, broker: Reader | None = None) -> str:
    """The text of the picture. Raises what `Reader.depths` raises."""
    drawn = picture(layout, broker.depths() if broker is not None else None)
    match form:
        case Form.MERMAID:
            return mermaid(drawn)
        case Form.DOT:
            return dot(drawn)
        case Form.SVG:
            return svg(drawn)
        case _:
            assert_never(form)


def write(path: Path, text: str) -> None:
    """Write the picture. Raises UsageError where that cannot be done."""
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise UsageError(
            f"cannot write {path}", why=error.strerror or str(error), remedy="Name another: -o FILE."
        ) from None
