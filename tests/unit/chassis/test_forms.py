"""Files leave in the forms that the contracts name, each under a name of its own."""

from collections.abc import Callable
from datetime import UTC, datetime

import pytest
from arbitragevault.autosourcing.v1 import autosourcing_pb2
from arbitragevault.discovery.v1 import discovery_pb2

from services.autosourcing.api import requests as of_picks
from services.chassis.files.forms import FORMS, Form
from services.discovery.api import requests as of_searches

DAY = datetime(2026, 11, 21, tzinfo=UTC)


@pytest.mark.parametrize(
    ("form", "words"),
    [
        (of_picks.form, autosourcing_pb2.ExportFormat.values()),
        (of_searches.form, discovery_pb2.ExportFormat.values()),
    ],
)
def test_every_form_of_a_contract_can_be_written(
    form: Callable[[int], Form], words: list[int]
) -> None:
    """A word without a form fails only when somebody asks for that file."""
    assert [form(word) for word in words if word] == list(FORMS.values())


def test_a_file_is_named_after_what_it_holds_and_its_day() -> None:
    """Two files of one folder must not be taken for each other."""
    names = {form.file_name("picks", DAY) for form in FORMS.values()}

    assert names == {"picks-2026-11-21.csv", "picks-2026-11-21.jsonl", "picks-2026-11-21.xlsx"}
