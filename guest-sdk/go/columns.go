package weir

import (
	"fmt"
	"reflect"
	"unsafe"

	"weir/internal/record"
	"weir/internal/wire"
)

// Bitmap is one bit a row. A nil one has all bits set.
type Bitmap []byte

// Has says whether a row's bit is set.
func (b Bitmap) Has(row int) bool {
	return b == nil || record.Bit(b, row)
}

// Ints is a column of 64-bit integers.
type Ints struct {
	Values []int64
	// Which are not null.
	Valid Bitmap
}

// Floats is a column of doubles.
type Floats struct {
	Values []float64
	Valid  Bitmap
}

// Timestamps is a column of points in time.
type Timestamps struct {
	Values []Timestamp
	Valid  Bitmap
}

// Bools is a column of bits.
type Bools struct {
	Values Bitmap
	Valid  Bitmap
}

// Text is a column of UTF-8. Value i is Data[Offsets[i]:Offsets[i+1]]; there is one offset more than there are rows. As
// an output it may have Slices instead.
type Text VarLen

// Blobs is a column of bytes, laid out as Text is.
type Blobs VarLen

// VarLen is values of varying length, one after the other.
type VarLen struct {
	Offsets []int32
	Data    []byte
	Valid   Bitmap
	Slices  *Slices
}

// Slices is values that are parts of an input column, which the host cuts out: nothing is copied by the operator.
type Slices struct {
	// The column's index among the fields of the input's struct.
	Column uint32
	// Where each begins in the column's Data, and how many bytes it has.
	Starts  []uint32
	Lengths []uint32
}

// At is a value. It lies in the column, and is not copied.
func (t *Text) At(row int) string {
	value := t.Data[t.Offsets[row]:t.Offsets[row+1]]
	return unsafe.String(unsafe.SliceData(value), len(value))
}

// Append adds a value to a column that is being made.
func (t *Text) Append(value string) {
	if t.Offsets == nil {
		t.Offsets = []int32{0}
	}
	t.Data = append(t.Data, value...)
	t.Offsets = append(t.Offsets, int32(len(t.Data)))
}

// At is a value. It lies in the column, and is not copied.
func (b *Blobs) At(row int) []byte {
	end := b.Offsets[row+1]
	return b.Data[b.Offsets[row]:end:end]
}

// Append adds a value to a column that is being made.
func (b *Blobs) Append(value []byte) {
	if b.Offsets == nil {
		b.Offsets = []int32{0}
	}
	b.Data = append(b.Data, value...)
	b.Offsets = append(b.Offsets, int32(len(b.Data)))
}

// Answer is what a [Columns] function answers with.
type Answer[Out any] struct {
	// Columns has as many values in each column as there are output rows.
	Columns Out
	// From is which input row each output row comes from, never decreasing; nil is a row for each that came.
	From []uint32

	rejects []wire.Reject
}

// Reject says that an input row cannot be taken. It should have no output.
func (a *Answer[Out]) Reject(row int, reason string) {
	a.rejects = append(a.rejects, wire.Reject{Row: uint32(row), Reason: reason})
}

// Columns makes an operator of a function over whole columns: In and Out are structs of [Text], [Blobs], [Ints], [Floats],
// [Timestamps] and [Bools]. An output column may have nulls where its tag says so: `weir:"name,null"`. An error stops the
// job. How many rows come in a call is the host's choice, and nothing may depend on it; nulls are the function's own
// affair.
func Columns[In, Out, Config any](
	f func(rows int, in *In, config *Config) (Answer[Out], error), options ...Option,
) *Transform {
	var (
		in, out *record.Record
		config  *Config
	)
	made := &Transform{}
	made.configure = func(text string, columns []wire.Field) (shape wire.TransformShape, err error) {
		if in, err = columnarOf[In](); err != nil {
			return shape, err
		}
		if out, err = columnarOf[Out](); err != nil {
			return shape, err
		}
		config = new(Config)
		if err = parseConfig(text, config); err != nil {
			return shape, err
		}
		return shapeOf(in, out, options, columns)
	}
	made.apply = func(batch wire.Batch) (wire.Emitted, error) {
		var taken In
		spread(in, unsafe.Pointer(&taken), batch.Columns)
		answer, err := f(batch.Rows, &taken, config)
		if err != nil {
			return wire.Emitted{}, err
		}
		rows := batch.Rows
		if answer.From != nil {
			rows = len(answer.From)
		}
		columns, err := collected(out, unsafe.Pointer(&answer.Columns), rows)
		return wire.Emitted{Same: answer.From == nil, From: answer.From, Columns: columns, Rejects: inOrder(answer.rejects)}, err
	}
	return made
}

var columnKinds = map[reflect.Type]wire.Type{
	reflect.TypeFor[Bools]():      wire.Boolean,
	reflect.TypeFor[Ints]():       wire.Int64,
	reflect.TypeFor[Floats]():     wire.Float64,
	reflect.TypeFor[Timestamps](): wire.Timestamp,
	reflect.TypeFor[Text]():       wire.Utf8,
	reflect.TypeFor[Blobs]():      wire.Binary,
}

// columnarOf says what a struct of columns is.
func columnarOf[T any]() (*record.Record, error) {
	return record.OfStruct(reflect.TypeFor[T](), func(name string, of reflect.Type) (record.Field, error) {
		kind, ok := columnKinds[of]
		if !ok {
			return record.Field{}, fmt.Errorf("a column cannot be %s: it is weir.Text, Blobs, Ints, Floats, Timestamps or Bools", of)
		}
		return record.Field{Name: name, Kind: kind}, nil
	})
}

// spread sets the columns of a struct.
func spread(of *record.Record, at unsafe.Pointer, columns []wire.Column) {
	for i, field := range of.Fields {
		column, into := &columns[i], unsafe.Add(at, field.Offset)
		switch field.Kind {
		case wire.Boolean:
			*(*Bools)(into) = Bools{column.Bits, column.Validity}
		case wire.Int64:
			*(*Ints)(into) = Ints{column.Ints, column.Validity}
		case wire.Float64:
			*(*Floats)(into) = Floats{column.Floats, column.Validity}
		case wire.Timestamp:
			values := unsafe.Slice((*Timestamp)(unsafe.SliceData(column.Ints)), len(column.Ints))
			*(*Timestamps)(into) = Timestamps{values, column.Validity}
		default:
			*(*VarLen)(into) = VarLen{Offsets: column.Offsets, Data: column.Data, Valid: column.Validity}
		}
	}
}

// collected takes the columns of a struct.
func collected(of *record.Record, at unsafe.Pointer, rows int) ([]wire.Column, error) {
	columns := make([]wire.Column, len(of.Fields))
	for i, field := range of.Fields {
		column, from, found := &columns[i], unsafe.Add(at, field.Offset), 0
		column.Type = field.Kind
		var valid Bitmap
		switch field.Kind {
		case wire.Boolean:
			bits := (*Bools)(from)
			column.Bits, valid, found = bits.Values, bits.Valid, min(len(bits.Values)*8, rows)
		case wire.Int64:
			ints := (*Ints)(from)
			column.Ints, valid, found = ints.Values, ints.Valid, len(ints.Values)
		case wire.Float64:
			floats := (*Floats)(from)
			column.Floats, valid, found = floats.Values, floats.Valid, len(floats.Values)
		case wire.Timestamp:
			times := (*Timestamps)(from)
			column.Ints = unsafe.Slice((*int64)(unsafe.SliceData(times.Values)), len(times.Values))
			valid, found = times.Valid, len(times.Values)
		default:
			values := (*VarLen)(from)
			valid = values.Valid
			if slices := values.Slices; slices != nil {
				column.Type = wire.Slices
				column.Of, column.Starts, column.Lengths = slices.Column, slices.Starts, slices.Lengths
				found = len(slices.Starts)
				break
			}
			column.Offsets, column.Data, found = values.Offsets, values.Data, max(len(values.Offsets)-1, 0)
			if found == 0 {
				column.Offsets = []int32{0}
			}
		}
		if found != rows {
			return nil, fmt.Errorf("column `%s` of the answer has %d values for %d rows", field.Name, found, rows)
		}
		if field.Nullable {
			column.Validity = valid
		}
	}
	return columns, nil
}
