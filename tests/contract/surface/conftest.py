"""The image that buf reads, with every comment of the contracts."""

from pathlib import Path

import pytest
from google.protobuf.descriptor_pb2 import FileDescriptorSet

from tests.contract.surface import contracts
from tools.generate import write_image


@pytest.fixture(scope="session")
def image_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The descriptor image of the contracts as they are written."""
    target = tmp_path_factory.mktemp("image") / "image.binpb"
    write_image(target)
    return target


@pytest.fixture(scope="session")
def comments(image_file: Path) -> dict[str, str]:
    """The comment of everything in the contracts, by full name."""
    return contracts.comments(FileDescriptorSet.FromString(image_file.read_bytes()))
