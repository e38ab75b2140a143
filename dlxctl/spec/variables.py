"""`${NAME}` and `${NAME:-default}` in scalar values; `$${` stands for a plain `${`. Pure: takes the environment."""

import re
from collections.abc import Mapping

_REFERENCE = re.compile(r"\$\$\{|\$\{([A-Za-z_][A-Za-z0-9_]*)(?::-([^{}]*))?\}|\$\{")


class VariableProblem(ValueError):
    """A reference that cannot be resolved: `cause` and `remedy` as a diagnostic words them."""

    def __init__(self, cause: str, remedy: str) -> None:
        super().__init__(cause)
        self.cause, self.remedy = cause, remedy


def substitute(text: str, environment: Mapping[str, str]) -> str:
    """`text` with its references resolved, once: values are not searched again. Raises VariableProblem."""

    def value(match: re.Match[str]) -> str:
        whole, name, default = match.group(0), match.group(1), match.group(2)
        if whole == "$${":
            return "${"
        if name is None:
            raise VariableProblem(
                '"${" begins no variable.', "Write ${NAME} or ${NAME:-default}, or $${ for a plain ${."
            )
        if default is not None:
            return environment.get(name) or default
        if name not in environment:
            raise VariableProblem(
                f"the environment variable {name} is not set.", f"Set it, or give a default: ${{{name}:-...}}."
            )
        return environment[name]

    return _REFERENCE.sub(value, text)
