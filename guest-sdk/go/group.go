package weir

import (
	"iter"

	"weir/internal/record"
	"weir/internal/wire"
)

// Group is the rows of a group of a call: a key's, or a part of them.
type Group[In any] struct {
	rows    []In
	missing record.Missing
	rejects []wire.Reject
	// The rows of the group at hand, and the one that was yielded last.
	start, end, last int
}

func groupsOf[In any](of *record.Record, batch wire.Batch) *Group[In] {
	rows, missing := record.Rows[In](of, batch)
	return &Group[In]{rows: rows, missing: missing}
}

func (g *Group[In]) begin(start, end uint32) {
	g.start, g.end, g.last = int(start), int(end), int(start)
}

// Len is how many rows the group has.
func (g *Group[In]) Len() int {
	return g.end - g.start
}

// All yields the rows in order. One with a null where none may be is rejected and left out.
func (g *Group[In]) All() iter.Seq[In] {
	return func(yield func(In) bool) {
		for row := g.start; row < g.end; row++ {
			g.last = row
			if reason, ok := g.missing.Reason(row); ok {
				g.Reject(reason)
				continue
			}
			if !yield(g.rows[row]) {
				return
			}
		}
	}
}

// Reject rejects the row that was yielded last. It must not be in what comes of the group.
func (g *Group[In]) Reject(reason string) {
	g.rejects = append(g.rejects, wire.Reject{Row: uint32(g.last), Reason: reason})
}

// rejectAll rejects every row.
func (g *Group[In]) rejectAll(reason string) {
	for g.last = g.start; g.last < g.end; g.last++ {
		g.Reject(reason)
	}
}
