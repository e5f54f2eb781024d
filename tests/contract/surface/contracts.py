"""The contracts as their descriptors say them, for every test of the surface."""

import importlib
from collections.abc import Iterator
from typing import Any

from google.protobuf.descriptor import (
    Descriptor,
    EnumDescriptor,
    FieldDescriptor,
    FileDescriptor,
    MethodDescriptor,
    ServiceDescriptor,
)
from google.protobuf.descriptor_pb2 import FileDescriptorProto, FileDescriptorSet

SERVICES = {
    "autosourcing": "AutoSourcingService",
    "budget": "BudgetService",
    "discovery": "DiscoveryService",
    "keepa_gateway": "KeepaGatewayService",
}


def file(service: str, name: str) -> FileDescriptor:
    """One contract file of a service: its own name, ``events`` or ``error_reason``."""
    module = importlib.import_module(f"arbitragevault.{service}.v1.{name}_pb2")
    descriptor: FileDescriptor = module.DESCRIPTOR
    return descriptor


def files() -> Iterator[FileDescriptor]:
    """Every contract file."""
    for service in SERVICES:
        for name in (service, "events", "error_reason"):
            yield file(service, name)


def service(name: str) -> ServiceDescriptor:
    """The gRPC service of a service folder."""
    descriptor: ServiceDescriptor = file(name, name).services_by_name[SERVICES[name]]
    return descriptor


def methods() -> Iterator[MethodDescriptor]:
    """Every RPC of the product."""
    for name in SERVICES:
        yield from service(name).methods


def messages() -> Iterator[Descriptor]:
    """Every message, map entries left out."""
    for descriptor in files():
        yield from descriptor.message_types_by_name.values()


def fields() -> Iterator[FieldDescriptor]:
    """Every field of every message."""
    for message in messages():
        yield from message.fields


def enums() -> Iterator[EnumDescriptor]:
    """Every enum."""
    for descriptor in files():
        yield from descriptor.enum_types_by_name.values()


def events(service_name: str) -> list[str]:
    """The names of the events that a service publishes, sorted."""
    return sorted(file(service_name, "events").message_types_by_name)


def comments(image: FileDescriptorSet) -> dict[str, str]:
    """The comment of every message, field, enum, value, service and RPC, by full name."""
    found: dict[str, str] = {}
    for descriptor in image.file:
        if descriptor.package.startswith("arbitragevault."):
            for location in descriptor.source_code_info.location:
                name = _name(descriptor, list(location.path))
                if name:
                    text = " ".join(location.leading_comments.split())
                    found[f"{descriptor.package}.{name}"] = text
    return found


def _name(descriptor: FileDescriptorProto, path: list[int]) -> str:
    """The name of what a path of the source information leads to; empty for anything else."""
    # The numbers are those of descriptor.proto; field, value and method are all number 2.
    kinds: dict[int, tuple[Any, str]] = {
        4: (descriptor.message_type, "field"),
        5: (descriptor.enum_type, "value"),
        6: (descriptor.service, "method"),
    }
    if len(path) not in {2, 4} or path[0] not in kinds:
        return ""
    things, inner = kinds[path[0]]
    thing = things[path[1]]
    if len(path) == 2:
        return str(thing.name)
    return f"{thing.name}.{getattr(thing, inner)[path[3]].name}" if path[2] == 2 else ""
