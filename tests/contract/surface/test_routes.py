"""HTTP reaches what it must: each route of the requirements once, and no two that meet."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path

import pytest
from buf.validate import validate_pb2
from google.api import annotations_pb2
from google.protobuf.descriptor import Descriptor, FieldDescriptor, MethodDescriptor
from google.protobuf.descriptor_pb2 import FileDescriptorSet

from tests.contract.surface import contracts
from tools import edge_image

# E1 of the requirements, and where each leads.
REQUIRED = {
    "GET /api/v1/keepa/health": "GetTokenStatus",
    "POST /api/v1/keepa/test": "CheckConnection",
    "GET /api/v1/keepa/{asin}/metrics": "GetProductMetrics",
    "POST /api/v1/products/discover": "DiscoverProducts",
    "POST /api/v1/products/discover-with-scoring": "DiscoverScoredProducts",
    "POST /api/v1/products/discover_with_scoring": "DiscoverScoredProducts",
    "POST /api/v1/products/{asin}/favorite": "SaveFavorite",
    "DELETE /api/v1/products/{asin}/favorite": "DeleteFavorite",
    "POST /api/v1/products/{asin}/verify": "VerifyProduct",
    "GET /api/v1/products/{asin}/stock-estimate": "EstimateStock",
    "POST /api/v1/niches/discover": "DiscoverNiches",
    "GET /api/v1/niches": "ListNicheTemplates",
    "POST /api/v1/{name=views/*}": "GetStrategicView",
    "GET /api/v1/bookmarks": "ListSavedNiches",
    "POST /api/v1/bookmarks": "CreateSavedNiche",
    "GET /api/v1/{name=bookmarks/*}": "GetSavedNiche",
    "PATCH /api/v1/{saved_niche.name=bookmarks/*}": "UpdateSavedNiche",
    "DELETE /api/v1/{name=bookmarks/*}": "DeleteSavedNiche",
    "POST /api/v1/autosourcing/estimate": "EstimateJob",
    "POST /api/v1/autosourcing/run-custom": "CreateJob",
    "POST /api/v1/autosourcing/run_custom": "CreateJob",
    "GET /api/v1/autosourcing/jobs": "ListJobs",
    "GET /api/v1/autosourcing/{name=jobs/*}": "GetJob",
    "GET /api/v1/autosourcing/profiles": "ListProfiles",
    "PATCH /api/v1/autosourcing/{name=picks/*}/action": "UpdatePick",
    "GET /api/v1/config": "GetScoringConfig",
    "PATCH /api/v1/config": "UpdateScoringConfig",
    "GET /api/v1/config/stats": "GetScoringConfigStats",
    "GET /api/v1/analyses": "ListScores",
    "POST /api/v1/batches": "CreateJob",
}
SEGMENT = re.compile(r"\{[^}]*\}|[^/{]+")
UUID = "6ba7b810-9dad-41d1-80b4-00c04fd430c8"
TRIALS = ("0593655036", UUID, "283155", "manual_search", "default", "textbook-standard-general")


@dataclass(frozen=True)
class Route:
    """One HTTP route of one RPC.

    Attributes:
        segments: The path, each part a regular expression.
        verb: What stands behind a colon at the end; may be empty.
    """

    name: str
    method: MethodDescriptor
    http: str
    segments: tuple[str, ...]
    verb: str


def routes() -> list[Route]:
    """Every route of every RPC."""
    found = []
    for method in contracts.methods():
        rule = method.GetOptions().Extensions[annotations_pb2.http]
        for binding in (rule, *rule.additional_bindings):
            http = binding.WhichOneof("pattern")
            if http:
                found.append(_route(method, http.upper(), getattr(binding, http)))
    return found


@pytest.mark.parametrize("route", REQUIRED)
def test_every_required_route_leads_to_its_rpc(route: str) -> None:
    """E1: resellers' scripts and the console call these by path."""
    assert [found.method.name for found in routes() if found.name == route] == [REQUIRED[route]]


def test_the_edge_answers_health(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """E1: the route that load balancers ask; the standard service cannot name it itself."""
    target = tmp_path / "edge.binpb"
    monkeypatch.setattr("sys.argv", ["edge_image.py", str(target)])

    assert edge_image.main() == 0

    image = FileDescriptorSet.FromString(target.read_bytes())
    health = [file for file in image.file if file.package == "grpc.health.v1"]
    check = health[0].service[0].method[0]
    assert (len(health), check.name) == (1, "Check")
    assert check.options.Extensions[annotations_pb2.http].get == "/api/v1/health"
    assert "google/rpc/error_details.proto" in {file.name for file in image.file}


def test_no_two_routes_meet() -> None:
    """A path that two RPCs could answer is answered by whichever the proxy read first."""
    meeting = [
        (one.name, other.name)
        for one, other in combinations(routes(), 2)
        if one.http == other.http and _meet(one, other)
    ]

    assert meeting == []


def test_every_route_is_under_the_version() -> None:
    """A second version can then stand beside the first."""
    assert [route.name for route in routes() if route.segments[:2] != ("api", "v1")] == []


def test_what_a_path_names_is_a_field_with_a_form() -> None:
    """A path segment that takes anything would swallow its neighbours."""
    loose = [route.name for route in routes() if "[^/:]+" in route.segments]

    assert loose == []


def test_reads_are_get_and_changes_are_not() -> None:
    """Browsers and proxies repeat and prefetch what is a GET."""
    wrong = [
        route.name
        for route in routes()
        if route.http == "GET"
        and not re.match(
            r"Get|List|Search|Watch|Check|Explain|Export|Verify|Estimate", route.method.name
        )
    ]

    assert wrong == []


def _route(method: MethodDescriptor, http: str, template: str) -> Route:
    path, _, verb = (
        template.rpartition(":") if ":" in template.rpartition("}")[2] else (template, "", "")
    )
    segments = tuple(_segments(method.input_type, path))
    return Route(f"{http} {template}", method, http, segments, verb)


def _segments(request: Descriptor, path: str) -> Iterator[str]:
    for part in SEGMENT.findall(path):
        if not part.startswith("{"):
            yield re.escape(part)
            continue
        name, _, pattern = part[1:-1].partition("=")
        form = _form(_field(request, name))
        for piece in (pattern or "*").split("/"):
            yield form if piece == "*" else re.escape(piece)


def _field(request: Descriptor, path: str) -> FieldDescriptor:
    *outer, last = path.split(".")
    for name in outer:
        inner = request.fields_by_name[name].message_type
        assert inner is not None
        request = inner
    return request.fields_by_name[last]


def _form(field: FieldDescriptor) -> str:
    """What one segment may be: the last part of the field's own pattern."""
    if field.type == FieldDescriptor.TYPE_INT64:
        return r"-?\d+"
    text = field.GetOptions().Extensions[validate_pb2.field].string
    choices = [re.escape(choice.rpartition("/")[2]) for choice in getattr(text, "in")]
    pattern = text.pattern.strip("^$").removeprefix("(").removesuffix(")?")
    return "|".join(choices) or pattern.rpartition("/")[2] or "[^/:]+"


def _meet(one: Route, other: Route) -> bool:
    if one.verb != other.verb or len(one.segments) != len(other.segments):
        return False
    return all(_overlap(*pair) for pair in zip(one.segments, other.segments, strict=True))


def _overlap(one: str, other: str) -> bool:
    """Whether some segment fits both: a word of one of them, or one of the usual ids."""
    words = (*TRIALS, one.replace("\\", ""), other.replace("\\", ""))
    return any(re.fullmatch(one, word) and re.fullmatch(other, word) for word in words)
