"""The world `transform`."""

from wit_world.exports import transform
from wit_world.imports import rows

from . import _plugin, _rows

_operator = _plugin.load("transform")


class Transform:
    def configure(self, config: str, input: list[rows.Field]) -> transform.Shape:
        shape = _plugin.configured(_operator.configure, config, _rows.fields(input))
        return transform.Shape(shape.reads, shape.keeps, _rows.to_fields(shape.adds))

    def apply(self, batch_time: int, input: rows.Batch) -> transform.Emitted:
        emitted = _plugin.guarded(_operator.apply, batch_time, _rows.batch(input))
        origin = emitted.origin
        return transform.Emitted(
            transform.Origin_Same() if origin is None else transform.Origin_From(origin),
            _rows.to_columns(emitted.columns),
            _rows.to_rejects(emitted.rejects),
        )
