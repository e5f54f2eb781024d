"""Generates the Python of every contract into `protos/gen`, or checks that it is fresh.

`python tools/generate.py` writes; `python tools/generate.py --check` compares and names each file
that differs; `python tools/generate.py --image FILE` writes the descriptor image that buf reads.

The rules of protovalidate come from the descriptor inside its wheel, so no third-party contract
is copied into this repository and nothing is fetched.
"""

import argparse
import filecmp
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from pathlib import Path

import protovalidate._gen.buf.validate.validate_pb as validate
from google.protobuf import (
    descriptor_pb2,
    duration_pb2,
    field_mask_pb2,
    timestamp_pb2,
)

ROOT = Path(__file__).resolve().parent.parent
PROTOS = ROOT / "protos"
GENERATED = PROTOS / "gen"
PURELIB = Path(sysconfig.get_paths()["purelib"])


def main() -> int:
    """Run the command line; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="compare instead of writing")
    parser.add_argument("--image", type=Path, help="write a descriptor image for buf instead")
    arguments = parser.parse_args()
    if arguments.image:
        write_image(arguments.image)
        return 0
    with tempfile.TemporaryDirectory() as scratch:
        rules = Path(scratch) / "validate.binpb"
        _write_validate_descriptor(rules)
        fresh = Path(scratch) / "gen"
        fresh.mkdir()
        _generate(rules, fresh)
        differences = _differences(fresh, GENERATED)
        if arguments.check:
            return _report(differences)
        for name in differences:
            _replace(GENERATED / name, fresh / name)
        return 0


def write_image(target: Path, *further: str) -> None:
    """Write the descriptors of every contract, of what it imports, and of ``further`` files."""
    target.parent.mkdir(parents=True, exist_ok=True)
    options = ["--include_imports", "--include_source_info", f"--descriptor_set_out={target}"]
    with tempfile.TemporaryDirectory() as scratch:
        rules = Path(scratch) / "validate.binpb"
        _write_validate_descriptor(rules)
        _protoc(rules, *options, *_contracts(), *further)


def _write_validate_descriptor(target: Path) -> None:
    """Write `buf/validate/validate.proto` and what it imports as a descriptor set."""
    files = descriptor_pb2.FileDescriptorSet()
    for imported in (descriptor_pb2, duration_pb2, timestamp_pb2, field_mask_pb2):
        imported.DESCRIPTOR.CopyToProto(files.file.add())
    own = bytes(validate._DESC.proto.to_binary())  # noqa: SLF001 - the wheel ships no .proto
    files.file.add().ParseFromString(own)
    target.write_bytes(files.SerializeToString())


def _contracts() -> list[str]:
    return sorted(
        str(path.relative_to(PROTOS)) for path in (PROTOS / "arbitragevault").rglob("*.proto")
    )


def _generate(rules: Path, target: Path) -> None:
    python = [f"--python_out={target}"]
    typed = [f"--mypy_out=quiet:{target}"]
    _protoc(rules, *python, *typed, "buf/validate/validate.proto")
    # Concrete: an RPC that a service does not answer yet inherits UNIMPLEMENTED.
    stubs = f"--mypy_grpc_out=quiet,generate_concrete_servicer_stubs:{target}"
    services = [f"--grpc_python_out={target}", stubs]
    _protoc(rules, *python, *typed, *services, *_contracts())
    for folder in sorted(path for path in target.rglob("*") if path.is_dir()):
        (folder / "__init__.py").touch()
    for empty in target.rglob("*_pb2_grpc.py*"):
        if "Stub" not in empty.read_text():
            empty.unlink()


def _protoc(rules: Path, *arguments: str) -> None:
    command = [sys.executable, "-m", "grpc_tools.protoc", f"--descriptor_set_in={rules}"]
    scripts = Path(sys.executable).parent
    plugins = [
        f"--plugin=protoc-gen-{name}={scripts / f'protoc-gen-{name}'}"
        for name in ("mypy", "mypy_grpc")
    ]
    include = [f"-I{PROTOS}", f"-I{PURELIB}"]
    subprocess.run([*command, *plugins, *include, *arguments], check=True)


def _differences(fresh: Path, committed: Path) -> list[str]:
    names = {
        str(path.relative_to(root))
        for root in (fresh, committed)
        for path in root.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    _, differ, missing = filecmp.cmpfiles(fresh, committed, sorted(names), shallow=False)
    return sorted({*differ, *missing})


def _replace(committed: Path, fresh: Path) -> None:
    """Put one file in its place at once, so that whoever imports it meanwhile finds it whole."""
    if not fresh.exists():
        committed.unlink()
        return
    committed.parent.mkdir(parents=True, exist_ok=True)
    waiting = committed.with_name(f"{committed.name}.new")
    shutil.copyfile(fresh, waiting)
    waiting.replace(committed)


def _report(differences: list[str]) -> int:
    for name in differences:
        print(f"protos/gen/{name} is not what its contract generates")
    if differences:
        print("Run `make gen` and commit the result.")
    return 1 if differences else 0


if __name__ == "__main__":
    raise SystemExit(main())
