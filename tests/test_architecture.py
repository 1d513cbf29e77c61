"""The house: imports point down, floors have no circles, the lower floors touch nothing outside."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "evidence_kit"
FLOORS = ("cli", "jobs", "platforms", "gather", "seal", "core")
"""From the top down. The demo stands beside: it may use gather, seal and core."""

MAY_IMPORT = {
    **{floor: set(FLOORS[number:]) for number, floor in enumerate(FLOORS)},
    "demo": {"demo", "gather", "seal", "core"},
}
MAY_IMPORT["cli"] |= {"demo"}
MAY_IMPORT["jobs"] |= {"demo"}

OUTSIDE = {"socket", "ssl", "requests", "urllib3", "http", "playwright", "subprocess", "secrets"}
"""Modules that core and seal never import: network, programs, randomness."""

CLOCKS = {("time", "time"), ("datetime", "now"), ("datetime", "utcnow"), ("date", "today")}
RANDOM = {("os", "urandom"), ("uuid", "uuid4"), ("uuid", "uuid1")}

WRITERS = {
    "evidence_kit.seal.container_write",
    "evidence_kit.seal.cades",
    "evidence_kit.seal.signer",
    "evidence_kit.seal.warc",
    "evidence_kit.seal.wacz",
    "evidence_kit.seal.redact",
    "evidence_kit.seal.netlog",
    "evidence_kit.jobs.bundle",
    "evidence_kit.jobs.capture",
    "evidence_kit.jobs.delivery",
    "evidence_kit.core.write_once",
}
"""What makes bundles; verifying must not depend on it, nor share its mistakes."""


def _modules() -> dict[str, Path]:
    found = {}
    for path in sorted(PACKAGE.rglob("*.py")):
        parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
        name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
        found[name] = path
    return found


MODULES = _modules()


def _floor(module: str) -> str:
    parts = module.split(".")
    return parts[1] if len(parts) > 1 and (PACKAGE / parts[1]).is_dir() else ""


def _tree(module: str) -> ast.Module:
    return ast.parse(MODULES[module].read_text("utf-8"))


def _imports(module: str, *, types: bool = True) -> Iterator[str]:
    """Every import of a module, also inside functions; ``types`` also those for typing only."""
    tree = _tree(module)
    skipped: set[ast.AST] = set()
    if not types:
        for node in ast.walk(tree):
            if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
                skipped |= set(ast.walk(node))
    for node in ast.walk(tree):
        if node in skipped:
            continue
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            for alias in node.names:
                inner = f"{node.module}.{alias.name}"
                yield inner if inner in MODULES else node.module


def test_the_package_was_found() -> None:
    assert len(MODULES) > 40
    assert {_floor(module) for module in MODULES} >= {*FLOORS, "demo"}


@pytest.mark.parametrize("module", [one for one in MODULES if _floor(one)])
def test_imports_point_down(module: str) -> None:
    allowed = MAY_IMPORT[_floor(module)] | {""}
    for imported in _imports(module):
        if imported.split(".")[0] == "evidence_kit":
            assert _floor(imported) in allowed, f"{module} imports {imported}"


def test_no_circles() -> None:
    graph = {
        module: {one for one in _imports(module, types=False) if one in MODULES and one != module}
        for module in MODULES
    }
    done: set[str] = set()

    def visit(module: str, above: tuple[str, ...]) -> None:
        assert module not in above, " -> ".join((*above[above.index(module) :], module))
        if module in done:
            return
        for imported in sorted(graph[module]):
            visit(imported, (*above, module))
        done.add(module)

    for module in sorted(graph):
        if module != "evidence_kit":
            visit(module, ())


@pytest.mark.parametrize("module", [one for one in MODULES if _floor(one) in ("core", "seal")])
def test_core_and_seal_touch_nothing_outside(module: str) -> None:
    for imported in _imports(module):
        assert imported.split(".")[0] not in OUTSIDE, f"{module} imports {imported}"
    for node in ast.walk(_tree(module)):
        if isinstance(node, ast.Attribute):
            owner = ast.unparse(node.value).rpartition(".")[2]
            assert (owner, node.attr) not in CLOCKS, f"{module} reads a clock: {ast.unparse(node)}"
            assert (owner, node.attr) not in RANDOM, f"{module} draws: {ast.unparse(node)}"


@pytest.mark.parametrize("module", MODULES)
def test_only_the_command_line_prints_or_ends_the_process(module: str) -> None:
    if _floor(module) == "cli" or module in ("evidence_kit.__main__",):
        return
    for node in ast.walk(_tree(module)):
        if isinstance(node, ast.Call):
            assert ast.unparse(node.func) not in ("print", "sys.exit", "exit", "quit"), module


@pytest.mark.parametrize("module", MODULES)
def test_no_error_is_swallowed_whole(module: str) -> None:
    """``except Exception`` (or bare) is allowed only where it raises again or reports a bug."""
    for node in ast.walk(_tree(module)):
        if not isinstance(node, ast.ExceptHandler):
            continue
        caught = ast.unparse(node.type) if node.type else "BaseException"
        if caught in ("Exception", "BaseException"):
            assert any(isinstance(one, ast.Raise) for one in ast.walk(node)), (
                f"{module}:{node.lineno}"
            )


def _loaded(code: str) -> set[str]:
    ended = subprocess.run(
        [sys.executable, "-c", f"{code}\nimport sys\nprint('\\n'.join(sys.modules))"],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    return set(ended.stdout.split())


@pytest.mark.parametrize("job", ["verify", "show", "trust"])
def test_verifying_loads_no_writer_and_nothing_that_reaches_outside(job: str) -> None:
    loaded = _loaded(f"import evidence_kit.jobs.{job}")
    writers = WRITERS - ({"evidence_kit.core.write_once"} if job == "trust" else set())
    assert not loaded & writers
    assert not {one for one in loaded if one.startswith("evidence_kit.gather")}
    assert not loaded & {"requests", "urllib3", "playwright", "websockets", "aiohttp"}


def test_verify_reaches_only_seal_and_core() -> None:
    names = [one for one in MODULES if one.startswith("evidence_kit.jobs.verify")]
    assert names
    readers = ("show", "extract", "extract_streams")
    for module in (*names, *(f"evidence_kit.jobs.{name}" for name in readers)):
        for imported in _imports(module):
            if imported in MODULES:
                own = imported.startswith(("evidence_kit.jobs.verify", "evidence_kit.jobs.extract"))
                assert own or _floor(imported) in ("seal", "core"), f"{module}: {imported}"
