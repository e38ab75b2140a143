"""The house holds: floors, forbidden imports, no cycles, sizes of files and functions (design section 8)."""

import ast
import itertools
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "dlxctl"
FILES = sorted(PACKAGE.rglob("*.py"))

FLOORS = {
    "errors": 0, "model": 1, "wire": 2, "spec": 3, "lint": 3,
    "plan": 4, "replay": 4, "celery": 4, "sim": 4,
    "render": 5, "broker": 6, "ops": 7, "cli": 8, "web": 8,
}  # fmt: skip

ONLY_IN = {
    "click": {"cli"},
    "pika": {"broker"},
    "urllib3": {"broker"},
    "socket": {"broker"},
    "ssl": {"broker"},
    "rich": {"render", "cli"},
    "pydantic": {"spec"},
    "yaml": {"spec"},
    "jmespath": {"replay"},
    "redis": {"celery"},
    "sqlalchemy": {"celery"},
}
WORKER_ONLY = {"celery", "kombu", "amqp", "billiard", "vine"}
MODEL_FORBIDS = {"click", "pika", "urllib3", "rich", "pydantic", "yaml", *WORKER_ONLY}
FILE_LIMIT, FUNCTION_LIMIT = 300, 40


def module_name(path: Path) -> str:
    parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def floor_of(module: str) -> str | None:
    """`dlxctl.wire.table` -> `wire`; None for the package itself."""
    parts = module.split(".")
    return parts[1] if len(parts) > 1 else None


def imports(path: Path) -> set[str]:
    """Every absolute module that the file imports, also inside functions."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import; write the whole name"
            assert node.module is not None
            found.add(node.module)
            found.update(f"{node.module}.{alias.name}" for alias in node.names)
    return found


@pytest.mark.parametrize("path", FILES, ids=module_name)
def test_a_floor_imports_only_lower_floors(path: Path) -> None:
    """A module imports its own floor and lower ones, never a sibling."""
    own = floor_of(module_name(path))
    if own is None:
        return
    assert own in FLOORS, f"{path}: {own} is no floor of the design"
    for name in imports(path):
        other = floor_of(name) if name.startswith("dlxctl.") else None
        if other in FLOORS and other != own:
            assert FLOORS[other] < FLOORS[own], f"{path} ({own}) imports {name} ({other})"


@pytest.mark.parametrize("path", FILES, ids=module_name)
def test_a_library_is_imported_only_on_its_floor(path: Path) -> None:
    """pika and sockets live in broker/, click in cli/, pydantic and yaml in spec/, Celery on the worker side."""
    own = floor_of(module_name(path)) or ""
    for name in {name.split(".")[0] for name in imports(path)}:
        if name in ONLY_IN:
            assert own in ONLY_IN[name], f"{path} imports {name}"
        if name in WORKER_ONLY:
            parts = path.relative_to(PACKAGE).parts
            assert parts[:2] in {("celery", "worker"), ("celery", "worker.py")}, f"{path} imports {name}"
        if own == "model":
            assert name not in MODEL_FORBIDS, f"{path} imports {name}; model is standard library only"


def test_no_import_cycles() -> None:
    """No module reaches itself by imports at module level."""
    names = {module_name(path) for path in FILES}
    graph = {module_name(path): imports(path) & names for path in FILES}
    state: dict[str, int] = {}

    def visit(module: str, trail: tuple[str, ...]) -> None:
        if state.get(module) == 2:
            return
        assert state.get(module) != 1, f"cycle: {' -> '.join((*trail, module))}"
        state[module] = 1
        for other in sorted(graph[module] - {module}):
            if not module.startswith(f"{other}."):
                visit(other, (*trail, module))
        state[module] = 2

    for name in sorted(graph):
        visit(name, ())


@pytest.mark.parametrize("path", FILES, ids=module_name)
def test_files_and_functions_stay_small(path: Path) -> None:
    """Files stop at 300 lines, functions at 40."""
    text = path.read_text()
    assert len(text.splitlines()) <= FILE_LIMIT, f"{path} has more than {FILE_LIMIT} lines"
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            assert node.end_lineno is not None
            length = node.end_lineno - node.lineno + 1
            assert length <= FUNCTION_LIMIT, f"{path}:{node.lineno} {node.name} has {length} lines"


@pytest.mark.parametrize("path", FILES, ids=module_name)
def test_every_module_and_public_name_says_what_it_is(path: Path) -> None:
    """Modules, public classes and public functions carry a docstring."""
    tree = ast.parse(path.read_text())
    assert ast.get_docstring(tree), f"{path} has no docstring"
    for node in tree.body:
        if isinstance(node, ast.ClassDef | ast.FunctionDef) and not node.name.startswith("_"):
            assert ast.get_docstring(node), f"{path}:{node.lineno} {node.name} has no docstring"


def test_no_drawer_for_odds_and_ends() -> None:
    """No module is called utils, helpers, common or misc."""
    words = itertools.chain.from_iterable(path.relative_to(PACKAGE).with_suffix("").parts for path in FILES)
    assert not {"utils", "util", "helpers", "common", "misc"} & set(words)
