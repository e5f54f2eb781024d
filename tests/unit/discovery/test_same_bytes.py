"""The same inputs and version give the same bytes for ever: scores written down once, kept here.

A change that moves one byte needs a new ``SCORE_VERSION``, and a new file beside the old one:
``python -m tests.unit.discovery.test_same_bytes`` writes that of the version at hand, once.
"""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from services.discovery.domain.scoring.score import SCORE_VERSION, Inputs, Score, replay
from tests.unit.discovery.test_golden_vectors import GIVENS, scored
from tests.unit.discovery.test_lines import PRODUCTS

FOLDER = Path(__file__).parent / "scores"
FILE = FOLDER / f"{SCORE_VERSION}.jsonl"


def cases() -> Iterator[tuple[str, Score]]:
    """Every golden vector, and one score of every kind there is."""
    for name, given in GIVENS.items():
        yield name, scored(given)
    yield from PRODUCTS.items()


def written() -> str:
    """One line for each: its name and the whole score, which holds its inputs."""
    return "".join(
        json.dumps({"name": name, "score": score.encode().decode()}) + "\n"
        for name, score in cases()
    )


def kept() -> dict[str, str]:
    """The scores that were written down."""
    rows = map(json.loads, FILE.read_text("utf-8").splitlines())
    return {row["name"]: row["score"] for row in rows}


@pytest.mark.parametrize("name", [name for name, _ in cases()])
def test_a_score_of_this_version_is_the_same_to_the_byte_for_ever(name: str) -> None:
    """A score of last year can be defended only if it can be worked out again."""
    stored = kept()[name]

    again = replay(Score.decode(stored.encode()).inputs)

    assert again.encode().decode() == stored


def test_the_facts_of_a_product_still_give_the_same_inputs() -> None:
    """The first of the two steps, from a product to its figures, is part of the version too."""
    stored = kept()

    for name, score in cases():
        assert score.encode().decode() == stored[name], name


def test_scores_of_other_rules_are_not_worked_out_by_these() -> None:
    """They would come out otherwise, and nobody would know."""
    inputs = next(iter(PRODUCTS.values())).inputs
    other = inputs.encode().replace(SCORE_VERSION.encode(), b"2025.9", 1)

    with pytest.raises(ValueError, match=r"2025\.9"):
        replay(Inputs.decode(other))


if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    with FILE.open("x", encoding="utf-8") as file:
        file.write(written())
