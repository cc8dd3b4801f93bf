// The lowest and the highest value of a key.
package main

import (
	"fmt"

	"weir"
)

// Reading is what is read of a row. Other columns, the key's too, do not cross into the sandbox.
type Reading struct {
	Value float64 `weir:"value"`
}

// Range is what rows are folded into; here also the answer, before which the host puts the key.
type Range struct {
	Lowest  float64 `weir:"lowest"`
	Highest float64 `weir:"highest"`
}

// Extremes is the operator, and its `config` in the pipeline file.
type Extremes struct {
	// Values above it are rejected.
	Limit *float64 `json:"limit"`
}

func (e *Extremes) Create(row Reading) (Range, error) {
	if e.Limit != nil && row.Value > *e.Limit {
		return Range{}, fmt.Errorf("%v is above %v", row.Value, *e.Limit)
	}
	return Range{row.Value, row.Value}, nil
}

func (e *Extremes) Merge(total *Range, part Range) {
	total.Lowest = min(total.Lowest, part.Lowest)
	total.Highest = max(total.Highest, part.Highest)
}

func (e *Extremes) Finish(total Range) Range { return total }

var operator = weir.Fold(&Extremes{})

func init() { weir.Export(operator) }

// A component has no use for it, but Go wants one.
func main() {}
