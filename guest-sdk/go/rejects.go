package weir

import (
	"cmp"
	"slices"

	"weir/internal/wire"
)

// inOrder has each row at most once: its first reason counts.
func inOrder(rejects []wire.Reject) []wire.Reject {
	slices.SortStableFunc(rejects, func(a, b wire.Reject) int { return cmp.Compare(a.Row, b.Row) })
	return slices.CompactFunc(rejects, func(a, b wire.Reject) bool { return a.Row == b.Row })
}
