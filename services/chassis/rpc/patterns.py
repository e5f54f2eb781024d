"""The contract's patterns in words, for whoever sent something else."""

import re

_DATE, _UUID = "[0-9]{4}-[0-9]{2}-[0-9]{2}", "[0-9a-f-]{36}"
_CHARACTERS = re.compile(r"\[([^]]+)\](?:\{(\d+)(?:,(\d+))?\}|(\*))?")
# Each is tried behind what a pattern begins with.
_EXAMPLES = ("Europe/Paris", "example", "EXAMPLE", "0123456789", "2026-11-20")


def in_words(pattern: str) -> str:
    """Say a pattern in the way the contract's comments write it, such as ``jobs/{uuid}, or empty``.

    An example follows where one is known: everybody knows what a UUID is, few read a pattern.
    """
    pattern = pattern.removeprefix("^").removesuffix("$")
    optional = re.fullmatch(r"\((.*)\)\?", pattern)
    shapes = _alternatives(optional[1] if optional else pattern)
    told = " or ".join(map(_told, shapes))
    example = next(filter(None, map(_example, shapes)), "")
    return told + (f", such as {example}" if example else "") + (", or empty" if optional else "")


def _alternatives(shape: str) -> list[str]:
    """Write out each choice of a group with what stands before and behind it."""
    group = re.fullmatch(r"([^(]*)\(([^()]*)\)(.*)", shape)
    if group is None:
        return [shape]
    before, choices, behind = group.groups()
    return [before + choice + behind for choice in choices.split("|")]


def _told(shape: str) -> str:
    words = shape.replace(_DATE, "YYYY-MM-DD").replace(_UUID, "{uuid}")
    alone = _CHARACTERS.fullmatch(words)
    if alone is not None:
        return _characters(alone)
    return _CHARACTERS.sub(lambda found: f"{{{_characters(found)}}}", words)


def _characters(found: "re.Match[str]") -> str:
    """Say how many characters of which kinds."""
    kinds, least, most, any_number = found.groups()
    *others, last = re.findall(".-.|.", kinds)
    allowed = f"{', '.join(others)} or {last}" if others else last
    if any_number:
        return f"any number of characters of {allowed}"
    if least is None:
        return f"1 character of {allowed}"
    count = least
    if most is not None:
        count = f"up to {most}" if least == "0" else f"{least} to {most}"
    return f"{count} characters of {allowed}"


def _example(shape: str) -> str | None:
    beginning = shape.partition("[")[0]
    tried = (beginning + example for example in _EXAMPLES)
    return next((each for each in tried if re.fullmatch(shape, each)), None)
