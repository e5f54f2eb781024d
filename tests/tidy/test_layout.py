"""Folders of one kind hold the same kinds of files, so that a reader finds a rule where it is looked for."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SERVICES = ("budget", "keepa_gateway", "discovery", "autosourcing")
KINDS = ("servicer", "requests", "responses")
API_FILE = re.compile(rf"({'|'.join(KINDS)})(_[a-z]+)?")


def api_files(service: str) -> list[Path]:
    """The modules of a service's `api` folder."""
    return [
        path
        for path in sorted((ROOT / "services" / service / "api").glob("*.py"))
        if path.stem != "__init__"
    ]


def siblings(path: Path, service: str) -> set[str]:
    """The modules of its own folder that a module imports."""
    package, found = f"services.{service}.api", set[str]()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module == package:
            found |= {name.name for name in node.names}
        elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith(f"{package}."):
            found.add(str(node.module).removeprefix(f"{package}."))
    return found


@pytest.mark.parametrize("service", SERVICES)
def test_an_api_folder_holds_servicers_requests_and_responses(service: str) -> None:
    """Four vocabularies for one idea make every reader learn four services."""
    names = {path.stem for path in api_files(service)}

    assert names >= set(KINDS)
    assert [name for name in names if not API_FILE.fullmatch(name)] == []


@pytest.mark.parametrize("service", SERVICES)
def test_what_comes_in_and_what_goes_out_do_not_know_each_other(service: str) -> None:
    """A file that knows both directions is the one in which nobody finds either."""
    mixed = [
        f"{path.name} imports {name}"
        for path in api_files(service)
        for name in siblings(path, service)
        if not path.stem.startswith("servicer")
        and name.partition("_")[0] != path.stem.partition("_")[0]
    ]

    assert mixed == []
