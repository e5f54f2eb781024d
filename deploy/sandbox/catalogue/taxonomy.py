"""The category tree of the generated catalogue, with what its books are about.

The ids of requirements.md section 7 are Keepa's own; the others are plausible.
"""

from collections.abc import Iterator
from dataclasses import dataclass

BOOKS = 283155
SUBJECTS = 1000


@dataclass(frozen=True)
class Category:
    """A node of the tree.

    Attributes:
        share: How many books it gets, relative to the others; 0 for inner nodes.
        median_cents: The middle of its new prices.
        textbook: Whether its demand follows the terms.
        topics: What its titles are made of.
    """

    id: int
    name: str
    parent: int
    share: int = 0
    median_cents: int = 2_200
    textbook: bool = False
    topics: tuple[str, ...] = ()


def _topics(text: str) -> tuple[str, ...]:
    return tuple(text.split("|"))


_INNER = (
    Category(BOOKS, "Books", 0),
    Category(SUBJECTS, "Subjects", BOOKS),
    Category(5, "Computers & Technology", SUBJECTS),
    Category(3, "Business & Money", SUBJECTS),
    Category(75, "Science & Math", SUBJECTS),
    Category(173507, "Engineering & Transportation", SUBJECTS),
    Category(10, "Health, Fitness & Dieting", SUBJECTS),
    Category(4, "Children's Books", SUBJECTS),
    Category(468226, "Discontinued Formats", SUBJECTS),
)

_LEAVES = (
    Category(3839, "Programming", 5, 9, 3_600, topics=_topics(
        "Python Programming|Python Patterns|Rust Services|Compilers|Typed Scripts|Concurrent Code|Testing at Work|"
        "Data Pipelines|Legacy Systems|Small Languages|Event Loops")),
    Category(3508, "Computer Science", 5, 7, 5_400, textbook=True, topics=_topics(
        "Computer Science|Algorithms|Distributed Systems|Computability|Graph Theory|Operating Systems|"
        "Information Retrieval|Formal Proof|Queueing")),
    Category(3654, "Networking & Cloud", 5, 3, 3_400, topics=_topics(
        "Routing|Clusters|Observability|Zero Trust|Edge Networks|Capacity")),
    Category(266117, "Accounting", 3, 6, 5_200, textbook=True, topics=_topics(
        "Business Statistics|Ledgers|Cost Accounting|Audit Practice|Bookkeeping|Tax Planning|Financial Statements")),
    Category(2675, "Management & Leadership", 3, 6, 2_300, topics=_topics(
        "Productivity|Small Teams|Quiet Leadership|Decisions|Meetings|Deep Work|Delegation|Habits")),
    Category(2665, "Investing", 3, 4, 2_600, topics=_topics(
        "Dividends|Index Funds|Market Cycles|Bonds|Risk|Family Wealth")),
    Category(173514, "Medical Books", SUBJECTS, 9, 6_200, textbook=True, topics=_topics(
        "Medical Physiology|Clinical Anatomy|Pharmacology|Patient Care|Pathology|Emergency Nursing|Radiology|"
        "Cardiac Rhythms|Medical Ethics")),
    Category(173515, "Engineering", 173507, 7, 6_000, textbook=True, topics=_topics(
        "Engineering Dynamics|Fluid Mechanics|Structural Steel|Control Theory|Circuits|Materials|Thermodynamics|"
        "Bridge Design|Signals")),
    Category(13611, "Automotive", 173507, 2, 2_800, topics=_topics(
        "Small Engines|Classic Trucks|Welding|Restoration|Diesel Repair")),
    Category(8975347011, "Education & Teaching", SUBJECTS, 7, 3_900, textbook=True, topics=_topics(
        "Classroom Practice|Early Reading|Curriculum Design|School Leadership|Assessment|"
        "Special Needs|Mathematics Teaching")),
    Category(13912, "Physics", 75, 4, 5_000, textbook=True, topics=_topics(
        "Physical Science|Optics|Quantum Fields|Classical Mechanics|Waves|Relativity|Plasma")),
    Category(13884, "Mathematics", 75, 5, 4_600, textbook=True, topics=_topics(
        "Linear Algebra|Statistics|Real Analysis|Probability|Topology|Number Theory")),
    Category(14333, "Biological Sciences", 75, 4, 4_400, textbook=True, topics=_topics(
        "Genetics|Marine Life|Cell Biology|Ecology|Field Botany|Evolution")),
    Category(10777, "Law", SUBJECTS, 4, 5_800, textbook=True, topics=_topics(
        "Business Law|Contracts|Civil Procedure|Evidence|Property Law|Constitutional Cases|Torts")),
    Category(11119, "Psychology & Counseling", 10, 4, 3_800, textbook=True, topics=_topics(
        "Social Psychology|Attachment|Cognitive Therapy|Memory|Group Counseling|Perception|Child Development")),
    Category(4612, "Exercise & Fitness", 10, 4, 2_000, topics=_topics(
        "Home Fitness|Strength|Mobility|Running Form|Kettlebells|Recovery|Core Training")),
    Category(4687, "Mental Health & Journals", 10, 4, 1_700, topics=_topics(
        "Wellness Journaling|Gratitude|Calm Evenings|Daily Reflection|Sleep|Breathing|Mood Tracking")),
    Category(6, "Cookbooks, Food & Wine", SUBJECTS, 6, 2_500, topics=_topics(
        "Healthy Weeknights|Weeknight Greens|Slow Bread|Sheet Pan Suppers|Fermenting|Pantry Soups|Mountain Cheese")),
    Category(2786, "Early Learning", 4, 5, 1_500, topics=_topics(
        "Preschool Numbers|First Numbers|Letter Tracing|Farm Animals|Shapes|Scissor Skills|Bedtime Colors")),
    Category(3119, "Children's Stories", 4, 4, 1_600, topics=_topics(
        "The Paper Fox|A Lantern for Otto|Seven Snails|The Night Ferry|Owl Weather")),
    Category(18, "Mystery, Thriller & Suspense", SUBJECTS, 6, 1_800, topics=_topics(
        "The Salt Witness|Cold Harbor|A Borrowed Name|The Ninth Door|Low Water|Ashgrove")),
    Category(23, "Romance", SUBJECTS, 5, 1_600, topics=_topics(
        "The Orchard Promise|Letters to Wren|One Winter in Siena|Almost June|The Tide House")),
    Category(4736, "Self-Help", SUBJECTS, 5, 1_900, topics=_topics(
        "Better Mornings|Boundaries|Focus|Starting Over|Confidence|Enough")),
    Category(9, "History", SUBJECTS, 4, 2_600, topics=_topics(
        "Harbor Cities|The Silver Roads|Forgotten Sieges|Village Courts|The Grain Trade")),
    Category(48, "Crafts, Hobbies & Home", SUBJECTS, 4, 2_300, topics=_topics(
        "Hand Quilting|Watercolor Birds|Joinery|Knitted Lace|Raised Beds|Bookbinding")),
)  # fmt: skip

CATEGORIES = {category.id: category for category in (*_INNER, *_LEAVES)}
LEAVES = _LEAVES


def lineage(category_id: int) -> list[Category]:
    """Return the path from the root to a category, both included."""
    return list(_upwards(category_id))[::-1]


def children(category_id: int) -> list[int]:
    """Return the ids directly below a category, in the order of the tree."""
    return [c.id for c in CATEGORIES.values() if c.parent == category_id]


def _upwards(category_id: int) -> Iterator[Category]:
    while category_id:
        category = CATEGORIES[category_id]
        yield category
        category_id = category.parent
