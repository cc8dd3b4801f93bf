"""What `weir.testing` offers."""

from ._aggregate import aggregate
from ._answer import Answer
from ._state import state
from ._transform import transform

__all__ = ["Answer", "aggregate", "state", "transform"]
