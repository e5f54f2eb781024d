"""The contracts keep their own rules: fresh code, clean lint, comments, names, files."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
from google.protobuf.descriptor_pb2 import FileDescriptorSet

from tests.contract.surface import contracts
from tools.generate import write_image

ROOT = Path(__file__).resolve().parents[2]
PROTOS = ROOT / "protos"
BUF = Path(sys.executable).with_name("buf")


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The descriptor image of the contracts as they are written."""
    target = tmp_path_factory.mktemp("image") / "image.binpb"
    write_image(target)
    return target


def run(*command: str | Path) -> str:
    """Run a tool at the root and give all it says; silence means that all is well."""
    done = subprocess.run(
        [str(part) for part in command], cwd=ROOT, capture_output=True, text=True, check=False
    )
    said = f"{done.stdout}{done.stderr}".strip()
    return said or ("" if done.returncode == 0 else f"exit code {done.returncode}")


def test_the_generated_code_is_what_the_contracts_say() -> None:
    """Code that was generated from another contract lies about the wire."""
    assert run(sys.executable, "tools/generate.py", "--check") == ""


def test_the_contracts_pass_lint(image: Path) -> None:
    """Names, prefixes and a comment on everything: STANDARD and COMMENTS of buf."""
    assert run(BUF, "lint", image, "--config", "protos/buf.yaml") == ""


def test_the_contracts_are_formatted() -> None:
    """One form, so that a difference is always a difference in meaning."""
    assert run(BUF, "format", "--diff", "protos") == ""


def test_nothing_released_was_broken(image: Path) -> None:
    """Clients that were built against a release go on working."""
    released = PROTOS / "released.binpb"
    against = released if released.exists() else image

    assert run(BUF, "breaking", image, "--against", against, "--config", "protos/buf.yaml") == ""


def test_a_break_would_be_noticed(image: Path, tmp_path: Path) -> None:
    """The check above must fail when a field is taken away."""
    broken = FileDescriptorSet.FromString(image.read_bytes())
    (events,) = (file for file in broken.file if file.name.endswith("budget/v1/events.proto"))
    del events.message_type[0].field[0]
    target = tmp_path / "broken.binpb"
    target.write_bytes(broken.SerializeToString())

    said = run(BUF, "breaking", target, "--against", image, "--config", "protos/buf.yaml")

    assert "BalanceChanged" in said


def test_every_service_has_the_same_three_files() -> None:
    """Whoever knows one service finds everything in the others."""
    found = {str(path.relative_to(PROTOS)) for path in PROTOS.rglob("*.proto")}

    assert found == {
        f"arbitragevault/{service}/v1/{name}.proto"
        for service in contracts.SERVICES
        for name in (service, "events", "error_reason")
    }


def test_every_comment_is_a_sentence(image: Path) -> None:
    """A comment begins in upper case and ends with a full stop, so that it says something."""
    comments = contracts.comments(FileDescriptorSet.FromString(image.read_bytes()))
    # Marketplaces begin as they write themselves.
    form = re.compile(r"([A-Z0-9`]|amazon\.).*\.$")

    assert [name for name, text in comments.items() if not form.match(text)] == []


def test_enums_begin_with_unspecified_and_bear_their_prefix() -> None:
    """Zero is what a reader sees of a value that it does not know; it must mean nothing else."""
    wrong = []
    for enum in contracts.enums():
        prefix = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", enum.name).upper() + "_"
        names = {value.number: value.name for value in enum.values}
        if names[0] != f"{prefix}UNSPECIFIED":
            wrong.append(f"{enum.full_name}: 0 is {names[0]}")
        wrong += [name for name in names.values() if not name.startswith(prefix)]

    assert wrong == []


def test_enums_say_whether_values_may_be_added(image: Path) -> None:
    """A client that switches over an enum must know whether it needs a default branch."""
    comments = contracts.comments(FileDescriptorSet.FromString(image.read_bytes()))

    silent = [
        enum.full_name
        for enum in contracts.enums()
        if "alues may be added." not in comments[enum.full_name]
    ]

    assert silent == []
