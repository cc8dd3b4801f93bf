"""The world `aggregate`."""

from wit_world.exports import aggregate
from wit_world.imports import rows

from . import _plugin, _rows

_operator = _plugin.load("aggregate")


class Aggregate:
    def configure(self, config: str, input: list[rows.Field]) -> aggregate.Shape:
        shape = _plugin.configured(_operator.configure, config, _rows.fields(input))
        accumulator, output = _rows.to_fields(shape.accumulator), _rows.to_fields(shape.output)
        return aggregate.Shape(shape.reads, accumulator, output, shape.retracts)

    def create(self, groups: list[int], input: rows.Batch) -> aggregate.Created:
        accumulators, rejects = _plugin.guarded(_operator.create, groups, _rows.batch(input))
        return aggregate.Created(_rows.to_batch(accumulators), _rows.to_rejects(rejects))

    def merge(self, groups: list[int], accumulators: rows.Batch) -> rows.Batch:
        return _rows.to_batch(_plugin.guarded(_operator.merge, groups, _rows.batch(accumulators)))

    def retract(self, total: rows.Batch, part: rows.Batch) -> tuple[rows.Batch, bytes]:
        left, nothing = _plugin.guarded(_operator.retract, _rows.batch(total), _rows.batch(part))
        return _rows.to_batch(left), nothing

    def finish(self, accumulators: rows.Batch) -> rows.Batch:
        return _rows.to_batch(_plugin.guarded(_operator.finish, _rows.batch(accumulators)))
