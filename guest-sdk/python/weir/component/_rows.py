"""Between the bindings' rows and the SDK's."""

from wit_world.imports import rows

from .. import _wire

_TYPES = {kind: kind.name.lower() for kind in rows.DataType}
_KINDS = {name: kind for kind, name in _TYPES.items()}
_NAMES = {
    rows.Values_Boolean: "boolean",
    rows.Values_Int64: "int64",
    rows.Values_Float64: "float64",
    rows.Values_Timestamp: "timestamp",
    rows.Values_Utf8: "utf8",
    rows.Values_Binary: "binary",
}
_VALUES = {name: values for values, name in _NAMES.items()}


def fields(theirs: list[rows.Field]) -> list[_wire.Field]:
    return [_wire.Field(field.name, _TYPES[field.data_type], field.nullable) for field in theirs]


def to_fields(ours: list[_wire.Field]) -> list[rows.Field]:
    return [rows.Field(field.name, _KINDS[field.type], field.nullable) for field in ours]


def batch(theirs: rows.Batch) -> _wire.Batch:
    return _wire.Batch(theirs.row_count, [_column(column) for column in theirs.columns])


def to_batch(ours: _wire.Batch) -> rows.Batch:
    return rows.Batch(ours.row_count, to_columns(ours.columns))


def to_columns(ours: list[_wire.Column]) -> list[rows.Column]:
    return [rows.Column(_values(column), column.validity) for column in ours]


def to_rejects(ours: list[tuple[int, str]]) -> list[rows.Reject]:
    return [rows.Reject(row, reason) for row, reason in ours]


def _column(theirs: rows.Column) -> _wire.Column:
    values = theirs.values.value
    if isinstance(values, rows.VarLen):
        values = _wire.VarLen(values.offsets, values.data)
    return _wire.Column(_NAMES[type(theirs.values)], values, theirs.validity)


def _values(ours: _wire.Column) -> rows.Values:
    values = ours.values
    if isinstance(values, _wire.Slices):
        return rows.Values_Slices(rows.Slices(values.column, values.starts, values.lengths))
    if isinstance(values, _wire.VarLen):
        values = rows.VarLen(values.offsets, values.data)
    return _VALUES[ours.type](values)
