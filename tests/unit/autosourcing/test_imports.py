"""Lists that people bring: everything that can be used is, and the rest is told line by line."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.autosourcing.domain import imports, prices

BOOK, OTHER, TOY = "0306406152", "0134093410", "B00005N5PF"


def read(text: str, **columns: str) -> list[tuple[str, int, int]]:
    found = imports.read(text.encode(), **columns)
    return [(asin, each.item.buy_cents, each.line) for asin, each in found.products.items()]


def reasons(text: str) -> dict[int, str]:
    return {each.line: each.reason for each in imports.read(text.encode()).rejected}


@pytest.mark.parametrize("mark", ["", "\ufeff"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("parted", [",", ";", "\t"])
def test_a_list_is_read_however_it_was_saved(mark: str, end: str, parted: str) -> None:
    """A9: every spreadsheet writes its own kind of CSV."""
    lines = (("ISBN", "Title", "Cost"), ("978-0-306-40615-7", '"A, b; c"', "$12.50"), (TOY, "", ""))

    found = read(mark + end.join(parted.join(line) for line in lines))

    assert found == [(BOOK, 1250, 2), (TOY, 0, 3)]


def test_every_bad_line_is_told_and_the_good_ones_stay() -> None:
    """A9: unknown lines reported one by one, with the number that an editor shows."""
    text = f"asin,cost\n{BOOK},3\n\n0306406153,3\nnonsense,1\n{TOY},cheap\n,4\n306406152,2\n9.78E+12,2\n"

    assert read(text) == [(BOOK, 300, 2)]
    told = reasons(text)
    assert list(told) == [4, 5, 6, 7, 8, 9]
    assert told[4] == "the check digit of this ISBN-10 is wrong"
    assert told[6] == "'cheap' is no price"
    assert "zero in front" in told[8]
    assert "rounded" in told[9]


def test_without_headings_the_price_stands_behind_the_identifier() -> None:
    assert read(f"{BOOK},12.50\n{TOY},7") == [(BOOK, 1250, 1), (TOY, 700, 2)]
    assert read(f"{BOOK},A title\n{TOY},7") == [(BOOK, 0, 1), (TOY, 0, 2)]


@pytest.mark.parametrize("line", [f"{BOOK},12,50", f"title,{BOOK},12,50"])
def test_a_decimal_comma_in_a_list_parted_by_commas_is_told(line: str) -> None:
    """A9: 12.00 for a book that cost 12.50 would make a loss look like a profit."""
    headings = "asin,cost\n" if line.startswith(BOOK) else "title,asin,cost\n"
    said = "the price 12,50 can be read in two ways; put it in quotes"

    assert reasons(headings + line) == {2: said}
    assert reasons(f"{BOOK},12,50") == {1: said}


def test_a_number_behind_the_price_is_no_part_of_it_where_it_cannot_be() -> None:
    """It has a heading of its own, or there is no doubt where the price ends."""
    assert read(f"asin,cost,pieces\n{BOOK},12,50") == [(BOOK, 1200, 2)]
    assert read(f'{BOOK},"12,50",10\n{TOY},12.00,50') == [(BOOK, 1250, 1), (TOY, 1200, 2)]
    assert read(f"{BOOK};12;50") == [(BOOK, 1200, 1)]


def test_a_bad_first_line_is_not_taken_for_headings() -> None:
    assert reasons(f"0306406153\n{BOOK}") == {1: "the check digit of this ISBN-10 is wrong"}


def test_columns_can_be_named() -> None:
    text = f"Other;Mine;Paid\n{TOY};{BOOK};1,5"

    assert read(text, identifier_column="mine", cost_column="PAID ") == [(BOOK, 150, 2)]
    with pytest.raises(imports.NoColumnError, match="other, mine, paid") as refused:
        read(text, cost_column="none")
    assert refused.value.field == "cost_column"


def test_a_product_counts_once_and_its_first_price_holds() -> None:
    found = imports.read(f"{BOOK},1\n9780306406157,2\n{BOOK},3".encode())

    assert found.products[BOOK].item.buy_cents == 100
    assert (found.lines, found.duplicates, found.rejections) == (3, 2, 0)


def test_zeros_that_were_armoured_for_a_spreadsheet_stay() -> None:
    assert read(f'="{BOOK}",1\n\'{TOY},2') == [(BOOK, 100, 1), (TOY, 200, 2)]


def test_a_quote_that_is_never_closed_costs_its_own_line() -> None:
    assert [asin for asin, _, _ in read(f'"oops,1\n{BOOK},2\n{TOY},3')] == [BOOK, TOY]


def test_what_is_too_much_is_counted_and_told_up_to_a_limit() -> None:
    """A job takes 1,000 products; an answer tells 1,000 lines."""
    many = "\n".join(f"B{number:09d}" for number in range(2500))

    found = imports.read(many.encode())

    assert (len(found.products), len(found.rejected), found.rejections) == (1000, 1000, 1500)
    assert found.rejected[0].reason.startswith("more than 1,000 products")
    assert "longer than" in reasons("x" * 20_000)[1]


@pytest.mark.parametrize(
    "content", [b"", b" \n\r\n;;\n", b"\xff\xfea\x00", b"a\x00b", b"\xe9t\xe9", b"a\n" * 20_001]
)
def test_what_is_no_text_is_refused(content: bytes) -> None:
    with pytest.raises(imports.NoTextError):
        imports.read(content)


@given(st.binary(max_size=200))
def test_no_file_breaks_the_reader(content: bytes) -> None:
    """Every line that is not empty is a product, a repetition, told as bad, or the headings."""
    try:
        found = imports.read(content)
        lines = len(imports.rows(content))
    except imports.NoTextError:
        return

    assert found.lines == len(found.products) + found.duplicates + found.rejections
    assert lines - found.lines in (0, 1)


@pytest.mark.parametrize(
    ("text", "cents"),
    [
        *(
            ("12.50", 1250),
            ("$12.50", 1250),
            ("12,5 €", 1250),
            ("USD 3", 300),
            ("3eur", 300),
            ("0.01", 1),
        ),
        *(("1,250.00", 125_000), ("1.250,00", 125_000), ("1\u00a0250,00", 125_000)),
    ],
)
def test_a_price_is_read_as_people_write_it(text: str, cents: int) -> None:
    assert prices.cents(text) == cents


@pytest.mark.parametrize(
    "text",
    ["", "0", "-3", "free", "1.2.3", "12.505", "1,250", "1.250", "1e3", "NaN", "9" * 40, "٣"],
)
def test_what_may_be_another_price_is_none(text: str) -> None:
    """Money is never guessed: 1,250 is twelve hundred here and one and a quarter there."""
    with pytest.raises(prices.BadPriceError):
        prices.cents(text)


@given(st.integers(min_value=1, max_value=prices.MOST_CENTS))
def test_every_price_survives_its_writing(cents: int) -> None:
    written = Decimal(cents).scaleb(-2)

    assert prices.cents(f"{written:.2f}") == cents
    assert prices.cents(f"${written:,.2f}") == cents
