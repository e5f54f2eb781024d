"""Files of picks: what a spreadsheet and a script can rely on."""

import csv
import io
import json
from dataclasses import replace
from decimal import Decimal
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.autosourcing.domain.exports import NAMES, Line, values
from services.autosourcing.domain.picks import Action, Finding, Pick, Recommendation, judge
from services.autosourcing.domain.spec import Thresholds
from services.chassis.files.cells import BYTE_ORDER_MARK, csv_header, csv_lines, json_lines

FINDING = Finding(
    asin="0470820942",
    title="Économie, 3rd \u201cEdition\u201d",
    recommendation=Recommendation.BUY,
    buy_price_known=True,
    currency_code="USD",
    sell_price_cents=4205,
    buy_price_cents=1200,
    profit_cents=-7,
    max_buy_cents=1619,
    roi_percent=Decimal("70.67"),
    velocity=Decimal("75.62"),
    stability=Decimal(80),
    confidence=Decimal(82),
    sales_rank=95_000,
    buy_basis="OFFER",
)


def line(*, title: str = FINDING.title, notes: str = "") -> Line:
    pick = judge(uuid4(), replace(FINDING, title=title), Thresholds())
    assert isinstance(pick, Pick)
    return Line(pick, Action.TO_BUY, notes)


def parsed(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text.removeprefix(BYTE_ORDER_MARK))))


def test_a_spreadsheet_reads_the_file_as_utf_8() -> None:
    """A9: without the mark, Excel shows "Ã‰conomie"."""
    assert csv_header(NAMES).encode().startswith(b"\xef\xbb\xbfasin,title,")


def test_money_is_exact_to_the_cent() -> None:
    row = parsed(csv_header(NAMES) + csv_lines([values(line())]))[0]

    assert (row["sell_price"], row["profit"], row["max_buy"]) == ("42.05", "-0.07", "16.19")


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r", "\uff1d"])
def test_no_text_of_a_stranger_runs_as_a_formula(start: str) -> None:
    """Titles come from anybody who lists a product on Amazon."""
    text = start + "cmd|' /C calc'!A0"

    row = parsed(csv_header(NAMES) + csv_lines([values(line(title=text, notes=text))]))[0]

    assert row["title"].startswith("'")
    assert row["notes"].startswith("'")


@given(title=st.text(max_size=40), notes=st.text(max_size=40))
def test_every_text_survives_the_file(title: str, notes: str) -> None:
    """A quote, a comma or a line break in a title must not shift the columns."""
    stream = io.StringIO(
        csv_header(NAMES) + csv_lines([values(line(title=title, notes=notes))]), newline=""
    )

    rows = list(csv.reader(stream))

    assert len(rows) == 2
    assert rows[1][1].removeprefix("'") == title.removeprefix("'")


def test_each_json_line_is_one_object() -> None:
    text = json_lines(NAMES, map(values, [line(), line(notes='said "yes"\n')]))

    objects = [json.loads(each) for each in text.splitlines()]

    assert [one["asin"] for one in objects] == ["0470820942", "0470820942"]
    assert objects[1]["notes"] == 'said "yes"\n'
