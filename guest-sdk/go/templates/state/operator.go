// A row whenever a sensor has moved away from what it last told.
package main

import (
	"fmt"
	"math"

	"weir"
)

// Reading is what is read of a row. Other columns do not cross into the sandbox.
type Reading struct {
	Value float64 `weir:"value"`
}

// Told is what is kept of a key from batch to batch. Raise the version below when it changes.
type Told struct {
	Value float64 `weir:"value"`
}

// Move is the answer, before which the host puts the key.
type Move struct {
	// The value that was told before; null for the first.
	Before weir.Null[float64] `weir:"before"`
	// The value now.
	Now float64 `weir:"now"`
}

// Moves is the operator, and its `config` in the pipeline file.
type Moves struct {
	// Smaller moves are not told.
	By float64 `json:"by"`
}

func (m *Moves) Update(_ weir.None, told *Told, readings *weir.Group[Reading], turn *weir.Turn[Move]) weir.Fate {
	if turn.Cause() == weir.IsIdle {
		// No reading for the pipeline's `timeout`: the last call.
		return weir.Remove
	}
	fate := weir.Unchanged // Which costs the host nothing.
	last := weir.Null[float64]{V: told.Value, Valid: !turn.IsNew()}
	for reading := range readings.All() {
		switch {
		case math.IsNaN(reading.Value) || math.IsInf(reading.Value, 0):
			readings.Reject(fmt.Sprintf("%v is no measurement", reading.Value))
		case !last.Valid || math.Abs(reading.Value-last.V) > m.By:
			turn.Emit(Move{Before: last, Now: reading.Value})
			last = weir.Some(reading.Value)
			told.Value = reading.Value
			fate = weir.Replace
		}
	}
	return fate
}

var operator = weir.Update(&Moves{}, 1)

func init() { weir.Export(operator) }

// A component has no use for it, but Go wants one.
func main() {}
