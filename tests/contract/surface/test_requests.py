"""What every request keeps: ids on what changes, pages on what lists, whole cents, names."""

import re
from collections.abc import Iterator

from buf.validate import validate_pb2
from google.protobuf.descriptor import Descriptor, FieldDescriptor

from tests.contract.surface import contracts

# Reads; all else changes something or spends. A read that may spend carries an id too.
READS = re.compile(r"(Get|List|Watch|Check|Estimate|Explain|Export|Verify|Preview|Import)")
SPENDS = {
    "DiscoverNiches",
    "DiscoverProducts",
    "DiscoverScoredProducts",
    "EstimateStock",
    "FindProducts",
    "FindSellers",
    "GetCategories",
    "GetProductMetrics",
    "GetProducts",
    "GetSellers",
    "GetStrategicView",
    "ListBestSellers",
    "ListDeals",
    "ListLightningDeals",
    "ListTopSellers",
    "ScoreProducts",
    "SearchCategories",
    "SearchProducts",
    "VerifyProduct",
}
NO_ID_OF_ITS_OWN = {
    "BatchReserveTokens",  # each of its requests has one
    "CheckConnection",  # asks for free and reports what Keepa said; repeating it does no harm
}
# Lists that are Keepa's own, in its own pages or as a stream.
KEEPAS_OWN_LISTS = {"ListBestSellers", "ListDeals"}


def rules(field: FieldDescriptor) -> validate_pb2.FieldRules:
    """What protovalidate checks of a field."""
    found: validate_pb2.FieldRules = field.GetOptions().Extensions[validate_pb2.field]
    return found


def test_every_call_that_changes_or_spends_carries_a_required_uuid() -> None:
    """Without it a caller that times out cannot ask again without paying again (T7)."""
    without = []
    for method in contracts.methods():
        needs = method.name in SPENDS or not READS.match(method.name)
        field = method.input_type.fields_by_name.get("request_id")
        given = field is not None and rules(field).required and rules(field).string.uuid
        if needs != bool(given) and method.name not in NO_ID_OF_ITS_OWN:
            without.append(method.full_name)

    assert without == []


def test_the_request_id_is_the_first_field() -> None:
    """One place for it in every language and on every command line."""
    numbers = {
        field.number
        for field in contracts.fields()
        if field.name == "request_id" and field.full_name.endswith("Request.request_id")
    }

    assert numbers == {1}


def test_every_call_that_spends_says_on_whose_account() -> None:
    """A job's calls draw on its envelope; a call that could not would bypass its limit."""
    spending = "arbitragevault.keepa_gateway.v1.Spending"
    without = [
        method.full_name
        for method in contracts.methods()
        if method.name in SPENDS
        and getattr(method.input_type.fields_by_name["spending"].message_type, "full_name", "")
        != spending
    ]

    assert without == []


def test_every_list_comes_in_pages() -> None:
    """A list without pages works until the day it does not fit into one answer."""
    without = [
        method.full_name
        for method in contracts.methods()
        if method.name.startswith("List") and method.name not in KEEPAS_OWN_LISTS
        if not _pages(method.input_type, method.output_type)
    ]

    assert without == []


def test_pages_say_their_default_and_their_most(comments: dict[str, str]) -> None:
    """A caller that asks for a million items must know how many it gets."""
    form = re.compile(r"Items per page\. Default \d+, at most (\d+); more is cut to \1\.")
    wrong = [
        field.full_name
        for field in contracts.fields()
        if field.name == "page_size"
        and not (form.search(comments[field.full_name]) and rules(field).int32.gte == 0)
    ]

    assert wrong == []


def test_money_is_whole_cents() -> None:
    """Binary fractions lose cents; what is called cents is a 64-bit integer everywhere."""
    wrong = [
        field.full_name
        for field in contracts.fields()
        if re.search(r"(^|_)cents(_|$)", field.name)
        and not field.name.endswith("centiounces")
        and field.message_type is None
        and field.type != FieldDescriptor.TYPE_INT64
    ]

    assert wrong == []


def test_resource_names_and_etags_are_first_class() -> None:
    """A resource that can be deleted or updated has a name; one with an etag gives it back."""
    wrong = []
    for method in contracts.methods():
        if method.name.startswith(("Update", "Delete")):
            inner = [field.message_type for field in method.input_type.fields if field.message_type]
            known = {field.name for kind in (method.input_type, *inner) for field in kind.fields}
            if not ({"name", "asin", "config"} & known):
                wrong.append(method.full_name)
            if method.name.startswith("Update") and "etag" not in known:
                wrong.append(method.full_name)

    assert wrong == []


def test_times_and_durations_have_their_types() -> None:
    """A number of seconds without a unit has crashed more than one probe."""
    wrong = [
        field.full_name
        for field in contracts.fields()
        if (field.name.endswith("_time") and _type(field) != "google.protobuf.Timestamp")
        or (field.name.endswith("_duration") and _type(field) != "google.protobuf.Duration")
    ]

    assert wrong == []


def test_no_number_is_unsigned() -> None:
    """Not every language has them, and a balance may be negative."""
    unsigned = {
        FieldDescriptor.TYPE_UINT32,
        FieldDescriptor.TYPE_UINT64,
        FieldDescriptor.TYPE_FIXED32,
        FieldDescriptor.TYPE_FIXED64,
    }

    assert [field.full_name for field in contracts.fields() if field.type in unsigned] == []


def test_everything_in_a_request_has_an_end(comments: dict[str, str]) -> None:
    """A text without a limit is a way to fill a database for free."""
    requests = [method.input_type for method in contracts.methods()]

    assert [field.full_name for field in _taken(requests, comments) if not _bounded(field)] == []


def _taken(messages: list[Descriptor], comments: dict[str, str]) -> Iterator[FieldDescriptor]:
    """Every field of ours that a caller can fill; what the service sets is ignored from outside."""
    seen = set()
    while messages:
        message = messages.pop()
        if message.full_name in seen or not message.full_name.startswith("arbitragevault."):
            continue
        seen.add(message.full_name)
        for field in message.fields:
            if "Set by the service." not in comments.get(field.full_name, ""):
                yield field
                inner = field.message_type
                messages += [inner] if inner and not inner.GetOptions().map_entry else []


def _bounded(field: FieldDescriptor) -> bool:
    found = rules(field)
    if field.message_type and field.message_type.GetOptions().map_entry:
        return found.map.max_pairs > 0
    if field.is_repeated:
        items = found.repeated.items
        return found.repeated.max_items > 0 and _text_ends(field, items)
    return _text_ends(field, found)


def _text_ends(field: FieldDescriptor, found: validate_pb2.FieldRules) -> bool:
    text = found.string
    if field.type == FieldDescriptor.TYPE_STRING:
        return bool(text.max_len or text.pattern or text.uuid or getattr(text, "in"))
    return field.type != FieldDescriptor.TYPE_BYTES or found.bytes.max_len > 0


def _pages(request: Descriptor, response: Descriptor) -> bool:
    asked = {"page_size", "page_token"} <= set(request.fields_by_name)
    return asked and "next_page_token" in response.fields_by_name


def _type(field: FieldDescriptor) -> str:
    return field.message_type.full_name if field.message_type else ""
