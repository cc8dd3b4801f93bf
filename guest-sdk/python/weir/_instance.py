"""An instance of an operator that is a class: its config, if it is a dataclass."""

import dataclasses
from typing import Any

from . import _config


def instance(decorated: type, config: str) -> Any:
    """Made of a config, as JSON."""
    if dataclasses.is_dataclass(decorated):
        return _config.parse(config, decorated)
    _config.parse(config, None)
    return decorated()
