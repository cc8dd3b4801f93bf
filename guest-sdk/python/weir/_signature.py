"""What the annotations of an operator's function say."""

import inspect
from collections.abc import Callable
from typing import Any, get_type_hints


class Signature:
    """The parameters of a function, or of a class's method, and what it returns."""

    def __init__(self, function: Callable, *, method: bool = False):
        self.of = f"`{function.__qualname__}`"
        hints = get_type_hints(function)
        names = list(inspect.signature(function).parameters)[1 if method else 0 :]
        self.names = names
        self._hints = {name: hints.get(name) for name in names}
        self.returns: Any = hints.get("return")

    def of_parameter(self, name: str, what: str) -> Any:
        """The annotation of a parameter, which says `what`."""
        hint = self._hints[name]
        if hint is None:
            raise TypeError(f"{self.of} does not say what `{name}` is: annotate it with {what}")
        return hint

    def row_and_config(self) -> tuple[Any, Any]:
        """Those of `(row)` or `(row, config)`."""
        if len(self.names) not in (1, 2):
            raise TypeError(
                f"{self.of} takes ({', '.join(self.names)}); it is to take a row, and a config if it needs one"
            )
        row = self.of_parameter(self.names[0], "the row's class")
        config = self.of_parameter(self.names[1], "the config's class") if len(self.names) == 2 else None
        return row, config

    def returned(self, what: str) -> Any:
        """The annotation of what it returns, which is to be `what`."""
        if self.returns is None:
            raise TypeError(f"{self.of} does not say what it returns: annotate it with {what}")
        return self.returns
