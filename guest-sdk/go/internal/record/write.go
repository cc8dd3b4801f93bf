package record

import (
	"time"
	"unsafe"

	"weir/internal/wire"
)

// Columns takes rows apart. Text and bytes that are parts of a column of `input`, all of them of the same, are answered
// with as slices: nothing is copied.
func Columns[T any](record *Record, rows []T, input []wire.Column) []wire.Column {
	columns := make([]wire.Column, len(record.Fields))
	first := unsafe.Pointer(unsafe.SliceData(rows))
	for i := range record.Fields {
		field := &record.Fields[i]
		column := &columns[i]
		column.Type = field.Kind
		if len(rows) == 0 {
			column.Offsets = []int32{0}
			continue
		}
		values := strided{unsafe.Add(first, field.Offset), record.size, len(rows)}
		field.gather(column, values, input)
		if field.Nullable {
			column.Validity = packed(strided{unsafe.Add(first, field.valid), record.size, len(rows)})
		}
	}
	return columns
}

// strided is a field of rows that lie one after the other.
type strided struct {
	at     unsafe.Pointer
	stride uintptr
	rows   int
}

func at[V any](s strided, row int) V {
	return *(*V)(unsafe.Add(s.at, uintptr(row)*s.stride))
}

func (f *Field) gather(column *wire.Column, values strided, input []wire.Column) {
	switch f.Kind {
	case wire.Boolean:
		column.Bits = packed(values)
	case wire.Int64, wire.Timestamp:
		column.Ints = make([]int64, values.rows)
		for row := range column.Ints {
			if f.isTime {
				column.Ints[row] = at[time.Time](values, row).UnixMicro()
			} else {
				column.Ints[row] = at[int64](values, row)
			}
		}
	case wire.Float64:
		column.Floats = make([]float64, values.rows)
		for row := range column.Floats {
			column.Floats[row] = at[float64](values, row)
		}
	case wire.Utf8, wire.Binary:
		if !slicesOf(column, values, input) {
			copied(column, values)
		}
	}
}

func packed(values strided) []byte {
	bitmap := NewBitmap(values.rows)
	for row := range values.rows {
		if at[bool](values, row) {
			SetBit(bitmap, row)
		}
	}
	return bitmap
}

// bytesAt is text or bytes: a string begins as a slice does.
func bytesAt(values strided, row int) string {
	return at[string](values, row)
}

// slicesOf says which parts of an input column the values are, if they are.
func slicesOf(column *wire.Column, values strided, input []wire.Column) bool {
	of := -1
	for row := 0; row < values.rows && of < 0; row++ {
		if value := bytesAt(values, row); value != "" {
			if of = holder(value, column.Type, input); of < 0 {
				return false
			}
		}
	}
	if of < 0 {
		return false
	}
	data := input[of].Data
	base := uintptr(unsafe.Pointer(unsafe.SliceData(data)))
	starts, lengths := make([]uint32, values.rows), make([]uint32, values.rows)
	for row := range values.rows {
		value := bytesAt(values, row)
		if value == "" {
			continue
		}
		start := uintptr(unsafe.Pointer(unsafe.StringData(value))) - base
		// A start before the column wraps round, and is beyond its end.
		if start+uintptr(len(value)) > uintptr(len(data)) || start > uintptr(len(data)) {
			return false
		}
		starts[row], lengths[row] = uint32(start), uint32(len(value))
	}
	column.Type = wire.Slices
	column.Of, column.Starts, column.Lengths = uint32(of), starts, lengths
	return true
}

// holder is the column of a type that a value is a part of; -1 if there is none.
func holder(value string, kind wire.Type, input []wire.Column) int {
	begin := uintptr(unsafe.Pointer(unsafe.StringData(value)))
	for i := range input {
		data := input[i].Data
		base := uintptr(unsafe.Pointer(unsafe.SliceData(data)))
		if input[i].Type == kind && begin >= base && begin+uintptr(len(value)) <= base+uintptr(len(data)) {
			return i
		}
	}
	return -1
}

func copied(column *wire.Column, values strided) {
	size := 0
	for row := range values.rows {
		size += len(bytesAt(values, row))
	}
	column.Offsets = make([]int32, 1, values.rows+1)
	column.Data = make([]byte, 0, size)
	for row := range values.rows {
		column.Data = append(column.Data, bytesAt(values, row)...)
		column.Offsets = append(column.Offsets, int32(len(column.Data)))
	}
}
