"""Titles, people and publishers, invented from short word lists."""

import random

from deploy.sandbox.catalogue.taxonomy import Category

_OPENINGS = (
    "Practical", "Modern", "Essential", "The Complete", "Advanced", "Everyday", "The Art of",
    "Understanding", "Foundations of", "Mastering", "A Field Guide to", "Rethinking",
    "Introduction to", "Principles of", "The Working", "Notes on",
)  # fmt: skip
_ENDINGS = (
    "A Step-by-Step Companion", "Theory and Practice", "Tools for Busy People",
    "From First Ideas to Real Work", "A Workbook", "Cases and Exercises", "What Experts Do",
    "The Second Look", "Lessons from the Workshop", "An Illustrated Course",
    "Questions and Answers", "A Pocket Reference",
)  # fmt: skip
_STORY_ENDINGS = {
    18: ("A Thriller", "A Mystery", "A Novel", "A Harbor Thriller", "Book One", "Book Two"),
    23: ("A Romance", "A Novel", "A Small Town Romance", "A Novella", "Book One", "Book Two"),
    3119: ("A Story", "A Bedtime Story", "A Picture Book", "Book One", "The Tall Edition"),
}
_GIVEN = (
    "Amara", "Bela", "Corin", "Delphine", "Edda", "Farid", "Greta", "Hollis", "Imre", "Junia",
    "Kaspar", "Lorna", "Matteo", "Nadia", "Oskar", "Priya", "Quentin", "Rosalind", "Soren",
    "Tamsin", "Umar", "Viola", "Wendell", "Xenia", "Yusuf", "Zelda",
)  # fmt: skip
_FAMILY = (
    "Abernal", "Brandvold", "Castellane", "Dorsey-Hale", "Eklund", "Fairweather", "Gallowin",
    "Harrowgate", "Ivarsen", "Jessop", "Kovalenk", "Lindqvist", "Marchetti", "Nakagawa-Bell",
    "Okonjo", "Pellerin", "Quill", "Rademaker", "Santorelli", "Thistlewood", "Umbridge-Cole",
    "Vantongeren", "Wexcombe", "Yarrow", "Zielinska",
)  # fmt: skip
_PUBLISHERS = (
    "Alder & Finch", "Bluegate Press", "Cartwheel House", "Dunmere University Press",
    "Eastlight", "Foxglove Academic", "Greywater Books", "Halyard", "Inkstone", "Juniper Lane",
    "Kestrel Technical", "Larkspur Medical", "Millrace", "Northbank Editions",
)  # fmt: skip


def title(rng: random.Random, category: Category, edition: int) -> str:
    """Return a title that fits the category."""
    topic = rng.choice(category.topics)
    if category.id in _STORY_ENDINGS:
        return f"{topic}: {rng.choice(_STORY_ENDINGS[category.id])}"
    numbered = f" ({_ordinal(edition)} Edition)" if edition > 1 else ""
    return f"{rng.choice(_OPENINGS)} {topic}: {rng.choice(_ENDINGS)}{numbered}"


def author(rng: random.Random) -> str:
    """Return an author as Keepa writes one: family name first."""
    return f"{rng.choice(_FAMILY)}, {rng.choice(_GIVEN)}"


def publisher(rng: random.Random) -> str:
    """Return a publisher."""
    return rng.choice(_PUBLISHERS)


def slug(text: str) -> str:
    """Return a title as it stands in a product's address."""
    words = "".join(c if c.isalnum() else " " for c in text).split()
    return "-".join(words[:6])


def _ordinal(number: int) -> str:
    endings = {1: "st", 2: "nd", 3: "rd"}
    return f"{number}{endings.get(number, 'th')}"
