// Package wire has what crosses between host and operator, as plain Go: the generated bindings exist only within a
// component, and the SDK is tested without one.
package wire

// Type is that of a column's values, numbered as the interface numbers them.
type Type uint8

// The types of the interface, and Slices, which only an answer has.
const (
	Boolean Type = iota
	Int64
	Float64
	Timestamp
	Utf8
	Binary
	Slices
)

// String spells it as the interface and pipeline files do.
func (t Type) String() string {
	return [...]string{"boolean", "int64", "float64", "timestamp", "utf8", "binary", "slices"}[t]
}

// Field is a column's name and type.
type Field struct {
	Name     string
	Type     Type
	Nullable bool
}

// Column is the values of a column: of the fields those that its type needs.
type Column struct {
	Type Type
	// Boolean.
	Bits []byte
	// Int64 and Timestamp.
	Ints []int64
	// Float64.
	Floats []float64
	// Utf8 and Binary: value i is Data[Offsets[i]:Offsets[i+1]].
	Offsets []int32
	Data    []byte
	// Slices: parts of a column of the input.
	Of      uint32
	Starts  []uint32
	Lengths []uint32
	// A bit for each value that is not null; nil if none is.
	Validity []byte
}

// Batch is rows, column by column.
type Batch struct {
	Rows    int
	Columns []Column
}

// Reject is a row that the operator cannot take.
type Reject struct {
	Row    uint32
	Reason string
}

// TransformShape is what a transform reads, keeps and adds.
type TransformShape struct {
	Reads []uint32
	Keeps []uint32
	Adds  []Field
}

// Emitted is a transform's answer; where Same is set, a row for each that came.
type Emitted struct {
	Same    bool
	From    []uint32
	Columns []Column
	Rejects []Reject
}

// AggregateShape is what an aggregate reads, folds into and answers with.
type AggregateShape struct {
	Reads       []uint32
	Accumulator []Field
	Output      []Field
	Retracts    bool
}

// StateShape is what an operator with state reads, remembers and answers with.
type StateShape struct {
	Reads   []uint32
	State   []Field
	Version uint32
	Output  []Field
}

// Touched is the keys of a call, with their rows and states.
type Touched struct {
	Keys     Batch
	Groups   []uint32
	Input    Batch
	Previous Batch
	Present  []byte
	Causes   []uint8
}

// Updated is what becomes of the keys of a call.
type Updated struct {
	Next    Batch
	Fates   []uint8
	Timers  []uint64
	Output  Batch
	From    []uint32
	Rejects []Reject
}
