// Package rows turns the bindings' rows into the SDK's, and back. Nothing in them is copied.
package rows

import (
	wit "weir/internal/abi/types"
	bindings "weir/internal/bindings/weir_operator_rows"
	"weir/internal/wire"
)

// Fields are columns' names and types.
func Fields(theirs []bindings.Field) []wire.Field {
	ours := make([]wire.Field, len(theirs))
	for i, field := range theirs {
		ours[i] = wire.Field{Name: field.Name, Type: wire.Type(field.DataType), Nullable: field.Nullable}
	}
	return ours
}

// ToFields are columns' names and types.
func ToFields(ours []wire.Field) []bindings.Field {
	theirs := make([]bindings.Field, len(ours))
	for i, field := range ours {
		theirs[i] = bindings.Field{Name: field.Name, DataType: uint8(field.Type), Nullable: field.Nullable}
	}
	return theirs
}

// Batch is rows, column by column.
func Batch(theirs bindings.Batch) wire.Batch {
	ours := wire.Batch{Rows: int(theirs.RowCount), Columns: make([]wire.Column, len(theirs.Columns))}
	for i, column := range theirs.Columns {
		ours.Columns[i] = columnOf(column)
	}
	return ours
}

// ToBatch is rows, column by column.
func ToBatch(ours wire.Batch) bindings.Batch {
	return bindings.Batch{RowCount: uint32(ours.Rows), Columns: ToColumns(ours.Columns)}
}

// ToColumns are columns of values.
func ToColumns(ours []wire.Column) []bindings.Column {
	theirs := make([]bindings.Column, len(ours))
	for i := range ours {
		theirs[i] = bindings.Column{Values: valuesOf(&ours[i]), Validity: wit.None[[]uint8]()}
		if ours[i].Validity != nil {
			theirs[i].Validity = wit.Some(ours[i].Validity)
		}
	}
	return theirs
}

// ToRejects are the rows that cannot be taken.
func ToRejects(ours []wire.Reject) []bindings.Reject {
	theirs := make([]bindings.Reject, len(ours))
	for i, reject := range ours {
		theirs[i] = bindings.Reject{Row: reject.Row, Reason: reject.Reason}
	}
	return theirs
}

// Answer is what a call answers with.
func Answer[T any](answer T, err error) wit.Result[T, string] {
	if err != nil {
		return wit.Err[T](err.Error())
	}
	return wit.Ok[T, string](answer)
}

func columnOf(theirs bindings.Column) wire.Column {
	values := theirs.Values
	ours := wire.Column{Type: wire.Type(values.Tag())}
	if theirs.Validity.Tag() == wit.OptionSome {
		ours.Validity = theirs.Validity.Some()
	}
	switch ours.Type {
	case wire.Boolean:
		ours.Bits = values.Boolean()
	case wire.Int64:
		ours.Ints = values.Int64()
	case wire.Timestamp:
		ours.Ints = values.Timestamp()
	case wire.Float64:
		ours.Floats = values.Float64()
	case wire.Utf8:
		ours.Offsets, ours.Data = values.Utf8().Offsets, values.Utf8().Data
	case wire.Binary:
		ours.Offsets, ours.Data = values.Binary().Offsets, values.Binary().Data
	}
	return ours
}

func valuesOf(ours *wire.Column) bindings.Values {
	switch ours.Type {
	case wire.Boolean:
		return bindings.MakeValuesBoolean(ours.Bits)
	case wire.Int64:
		return bindings.MakeValuesInt64(ours.Ints)
	case wire.Timestamp:
		return bindings.MakeValuesTimestamp(ours.Ints)
	case wire.Float64:
		return bindings.MakeValuesFloat64(ours.Floats)
	case wire.Utf8:
		return bindings.MakeValuesUtf8(bindings.VarLen{Offsets: ours.Offsets, Data: ours.Data})
	case wire.Binary:
		return bindings.MakeValuesBinary(bindings.VarLen{Offsets: ours.Offsets, Data: ours.Data})
	default:
		return bindings.MakeValuesSlices(bindings.Slices{Column: ours.Of, Starts: ours.Starts, Lengths: ours.Lengths})
	}
}
