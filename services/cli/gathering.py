"""Commands that share options: each group of them is written once, and comes as one value."""

import inspect
from collections.abc import Callable
from typing import Any

Command = Callable[..., None]


def gathers(**builders: Callable[..., Any]) -> Callable[[Command], Command]:
    """Give a command the options of some functions, and their results as its own arguments.

    An option that two functions share is asked for once. What a person gets wrong is raised by
    the function, before the command begins.

    Args:
        builders: By the name of the command's argument that takes the result.
    """
    wanted = {name: inspect.signature(each).parameters for name, each in builders.items()}

    def decorate(command: Command) -> Command:
        own = inspect.signature(command)
        shared = {key: value for each in wanted.values() for key, value in each.items()}
        mine = {key: value for key, value in own.parameters.items() if key not in builders}

        def gathered(**given: Any) -> None:
            built = {
                name: builders[name](**{key: given[key] for key in keys})
                for name, keys in wanted.items()
            }
            command(**built, **{key: given[key] for key in mine})

        offered = [
            each.replace(kind=inspect.Parameter.KEYWORD_ONLY)
            for each in {**mine, **shared, **mine}.values()
        ]
        gathered.__name__, gathered.__doc__ = command.__name__, command.__doc__
        gathered.__annotations__ = {each.name: each.annotation for each in offered}
        gathered.__signature__ = own.replace(parameters=offered)  # type: ignore[attr-defined]
        return gathered

    return decorate
