"""Write docs/broker-facts.md: `python -m tests.facts.page`. `make facts` measures first."""

import importlib

from tests.conftest import ROOT
from tests.facts.record import page

PAGE = ROOT / "docs" / "broker-facts.md"
MODULES = ("deaths", "returns", "publishing", "declarations", "policies", "celery")


def written() -> str:
    """The page as it should be."""
    return page({name: importlib.import_module(f"tests.facts.test_{name}") for name in MODULES})


if __name__ == "__main__":
    PAGE.write_text(written(), encoding="utf-8")
