// Package host is where the operator and the component's exports meet: the SDK puts the operator here, and what is
// generated at the build calls it.
package host

import (
	"fmt"
	"os"

	"weir/internal/wire"
)

// Transform is the operator, if it is one.
var Transform interface {
	Configure(config string, columns []wire.Field) (wire.TransformShape, error)
	Apply(batchTime uint64, batch wire.Batch) (wire.Emitted, error)
}

// Aggregate is the operator, if it is one.
var Aggregate interface {
	Configure(config string, columns []wire.Field) (wire.AggregateShape, error)
	Create(groups []uint32, batch wire.Batch) (wire.Batch, []wire.Reject, error)
	Merge(groups []uint32, accumulators wire.Batch) (wire.Batch, error)
	Retract(total, part wire.Batch) (wire.Batch, []byte, error)
	Finish(accumulators wire.Batch) (wire.Batch, error)
}

// State is the operator, if it is one.
var State interface {
	Configure(config string, keys, columns []wire.Field) (wire.StateShape, error)
	Update(batchTime uint64, touched wire.Touched) (wire.Updated, error)
}

// Log takes a level, numbered as the interface does, and a line.
var Log = func(level uint8, message string) {
	fmt.Fprintf(os.Stderr, "%s: %s\n", [...]string{"debug", "info", "warn", "error"}[level], message)
}
