"""The forms in which a picture is written, and the endings of files that ask for one."""

from enum import StrEnum


class Form(StrEnum):
    """What `--format` takes."""

    MERMAID = "mermaid"
    DOT = "dot"
    SVG = "svg"


BY_SUFFIX: dict[str, Form] = {
    ".mmd": Form.MERMAID,
    ".mermaid": Form.MERMAID,
    ".dot": Form.DOT,
    ".gv": Form.DOT,
    ".svg": Form.SVG,
}
