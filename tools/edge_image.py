"""Writes the descriptor image from which the edge translates HTTP/JSON into calls.

`python tools/edge_image.py FILE` takes every contract, the error details that refusals carry, and
the standard health service, which gets the one route that it cannot name itself: `/api/v1/health`.
"""

import argparse
from pathlib import Path

from google.api import annotations_pb2
from google.protobuf import descriptor_pb2
from grpc_health.v1 import health_pb2

from tools.generate import write_image

HEALTH_ROUTE = "/api/v1/health"
# Envoy needs these to write the details of an error as JSON; without them the body is empty.
ERROR_PROTOS = ("google/rpc/status.proto", "google/rpc/error_details.proto")


def main() -> int:
    """Run the command line; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("target", type=Path)
    target: Path = parser.parse_args().target
    write_image(target, *ERROR_PROTOS)
    image = descriptor_pb2.FileDescriptorSet.FromString(target.read_bytes())
    image.file.add().CopyFrom(_health())
    for file in image.file:
        file.ClearField("source_code_info")
    target.write_bytes(image.SerializeToString())
    return 0


def _health() -> descriptor_pb2.FileDescriptorProto:
    """Give the standard health service with a route to `Check`."""
    file = descriptor_pb2.FileDescriptorProto()
    health_pb2.DESCRIPTOR.CopyToProto(file)
    file.dependency.append(annotations_pb2.DESCRIPTOR.name)
    (check,) = (method for method in file.service[0].method if method.name == "Check")
    check.options.Extensions[annotations_pb2.http].get = HEALTH_ROUTE
    return file


if __name__ == "__main__":
    raise SystemExit(main())
