"""The world `state`."""

from wit_world.exports import state
from wit_world.imports import rows

from .. import _wire
from . import _plugin, _rows

_operator = _plugin.load("state")
_CAUSES = {cause: cause.name.lower() for cause in state.Cause}
_FATES = {fate.name.lower(): fate for fate in state.Fate}


class State:
    def configure(self, config: str, keys: list[rows.Field], input: list[rows.Field]) -> state.Shape:
        shape = _plugin.configured(_operator.configure, config, _rows.fields(keys), _rows.fields(input))
        kept, output = _rows.to_fields(shape.state), _rows.to_fields(shape.output)
        return state.Shape(shape.reads, kept, shape.version, output)

    def update(self, batch_time: int, touched: state.Touched) -> state.Updated:
        ours = _wire.Touched(
            _rows.batch(touched.keys),
            touched.groups,
            _rows.batch(touched.input),
            _rows.batch(touched.previous),
            touched.present,
            [_CAUSES[cause] for cause in touched.causes],
        )
        updated = _plugin.guarded(_operator.update, batch_time, ours)
        return state.Updated(
            _rows.to_batch(updated.next),
            [_FATES[fate] for fate in updated.fates],
            updated.timers,
            _rows.to_batch(updated.output),
            updated.output_from,
            _rows.to_rejects(updated.rejects),
        )
