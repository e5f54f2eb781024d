"""Redoes a score from its written lines alone: a reader with a pencil, who knows no code of ours."""

import ast
import math
from collections.abc import Callable, Mapping, Sequence
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

Value = Decimal | bool | str

OPERATORS: Mapping[type, Callable[[Any, Any], Any]] = {
    ast.Add: lambda a, b: a + b,
    ast.Sub: lambda a, b: a - b,
    ast.Mult: lambda a, b: a * b,
    ast.Div: lambda a, b: a / b,
    ast.GtE: lambda a, b: a >= b,
    ast.LtE: lambda a, b: a <= b,
    ast.Eq: lambda a, b: a == b,
}


def half_up(value: Decimal) -> Decimal:
    return value.quantize(Decimal(1), rounding=ROUND_HALF_UP)


def before_tax(room: Decimal, percent: Decimal) -> Decimal:
    """The highest price that, with its tax, is at most ``room``: found by trying."""
    if room < 0:
        return room
    price = room
    while price + half_up(price * percent / 100) > room:
        price -= 1
    return price


FUNCTIONS: Mapping[str, Callable[..., Any]] = {
    "half_up": half_up,
    "least": lambda *values: min(values),
    "greatest": lambda *values: max(values),
    "floor": lambda value: Decimal(math.floor(value)),
    "ceil": lambda value: Decimal(math.ceil(value)),
    "ln": lambda value: Decimal(math.log(value)),
    "power": lambda base, exponent: Decimal(math.pow(base, exponent)),
    "before_tax": before_tax,
}


def read(text: str) -> Value:
    """Read a value as it is written."""
    if text in {"true", "false"}:
        return text == "true"
    try:
        return Decimal(text)
    except ArithmeticError:
        return text


def worked_out(formula: str, known: Mapping[str, Value]) -> Value:
    """Work out one formula from the lines above it."""
    return _value(ast.parse(formula, mode="eval").body, known)  # type: ignore[no-any-return]


def _value(node: ast.expr, known: Mapping[str, Value]) -> Any:  # noqa: PLR0911 - one each
    match node:
        case ast.Constant(value):
            return value if isinstance(value, str) else Decimal(str(value))
        case ast.Name(name):
            return known[name]
        case ast.UnaryOp(ast.USub(), operand):
            return -_value(operand, known)
        case ast.BinOp(left, operator, right):
            return OPERATORS[type(operator)](_value(left, known), _value(right, known))
        case ast.Compare(left, [operator], [right]):
            return OPERATORS[type(operator)](_value(left, known), _value(right, known))
        case ast.BoolOp(ast.And(), values):
            return all(_value(each, known) for each in values)
        case ast.IfExp(test, body, orelse):
            return _value(body if _value(test, known) else orelse, known)
        case ast.Call(ast.Name(name), arguments):
            return FUNCTIONS[name](*(_value(each, known) for each in arguments))
        case _:
            raise AssertionError(f"nobody can read {ast.unparse(node)}")


def redo(lines: Sequence[tuple[str, str, str]]) -> dict[str, Value]:
    """Redo a calculation of (key, value, formula) lines; every value must come out again.

    Returns:
        Every line's value by its key, each of which was worked out from those above.
    """
    known: dict[str, Value] = {}
    for key, text, formula in lines:
        assert key not in known, f"{key} is written twice"
        told = read(text)
        found = worked_out(formula, known) if formula else told
        assert _same(found, told), f"{key}: {formula} is {found} and not {text}"
        known[key] = told
    return known


def _same(one: Value, other: Value) -> bool:
    if isinstance(one, Decimal) and isinstance(other, Decimal):
        exact = other == other.to_integral_value() and abs(other) >= 1
        near = abs(one - other) <= Decimal("1e-9") * max(abs(one), abs(other), Decimal(1))
        return one == other or (near and not (exact and one == one.to_integral_value()))
    return one == other
