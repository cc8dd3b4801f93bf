package record

import (
	"time"
	"unsafe"

	"weir/internal/wire"
)

// Rows puts rows together from their columns, column by column. Text and bytes lie where the host has put them.
func Rows[T any](record *Record, batch wire.Batch) ([]T, Missing) {
	rows := make([]T, batch.Rows)
	var lacking Missing
	if len(rows) == 0 {
		return rows, lacking
	}
	first := unsafe.Pointer(unsafe.SliceData(rows))
	for i := range record.Fields {
		field, column := &record.Fields[i], &batch.Columns[i]
		field.fill(unsafe.Add(first, field.Offset), record.size, column, len(rows))
		switch {
		case field.Nullable:
			field.fillValid(unsafe.Add(first, field.valid), record.size, column.Validity, len(rows))
		case column.Validity != nil:
			lacking.note(field, column.Validity, len(rows))
		}
	}
	return rows, lacking
}

// fill writes a column's values into the rows, of which the first has its value at `at`, and each further one `stride`
// bytes after the one before.
func (f *Field) fill(at unsafe.Pointer, stride uintptr, column *wire.Column, rows int) {
	switch f.Kind {
	case wire.Boolean:
		for row := range rows {
			*(*bool)(unsafe.Add(at, uintptr(row)*stride)) = Bit(column.Bits, row)
		}
	case wire.Int64, wire.Timestamp:
		if f.isTime {
			for row, value := range column.Ints {
				*(*time.Time)(unsafe.Add(at, uintptr(row)*stride)) = time.UnixMicro(value).UTC()
			}
			return
		}
		for row, value := range column.Ints {
			*(*int64)(unsafe.Add(at, uintptr(row)*stride)) = value
		}
	case wire.Float64:
		for row, value := range column.Floats {
			*(*float64)(unsafe.Add(at, uintptr(row)*stride)) = value
		}
	case wire.Utf8:
		start := column.Offsets[0]
		for row, end := range column.Offsets[1:] {
			value := column.Data[start:end]
			*(*string)(unsafe.Add(at, uintptr(row)*stride)) = unsafe.String(unsafe.SliceData(value), len(value))
			start = end
		}
	case wire.Binary:
		start := column.Offsets[0]
		for row, end := range column.Offsets[1:] {
			*(*[]byte)(unsafe.Add(at, uintptr(row)*stride)) = column.Data[start:end:end]
			start = end
		}
	}
}

func (f *Field) fillValid(at unsafe.Pointer, stride uintptr, validity []byte, rows int) {
	for row := range rows {
		*(*bool)(unsafe.Add(at, uintptr(row)*stride)) = validity == nil || Bit(validity, row)
	}
}

// Missing is which rows have a null where none may be.
type Missing struct {
	// For each row the field, or nil; nil if no row lacks anything.
	of []*Field
}

func (m *Missing) note(of *Field, validity []byte, rows int) {
	for row := range rows {
		if Bit(validity, row) {
			continue
		}
		if m.of == nil {
			m.of = make([]*Field, rows)
		}
		if m.of[row] == nil {
			m.of[row] = of
		}
	}
}

// Reason says why a row is none, if it is none.
func (m *Missing) Reason(row int) (string, bool) {
	if m.of == nil || m.of[row] == nil {
		return "", false
	}
	return "`" + m.of[row].Name + "` is null", true
}
