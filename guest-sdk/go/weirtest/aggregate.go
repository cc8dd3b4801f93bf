package weirtest

import (
	"slices"

	"weir"
	"weir/internal/wire"
)

// RunAggregate runs an aggregate on the rows of each group, with a config as JSON; "" is none. Each group is folded in two
// parts, which are merged. There is a row of the answer for each group of which not all rows were rejected. Rejects count
// rows over all groups.
func RunAggregate[In, Out any](operator *weir.Aggregate, config string, groups ...[]In) (answer Answer[Out], err error) {
	input, err := tableOf(slices.Concat(groups...))
	if err != nil {
		return answer, err
	}
	var shape wire.AggregateShape
	var finished wire.Batch
	answer.Log, err = logging(func() (err error) {
		if shape, err = operator.Configure(config, input.fields); err != nil {
			return err
		}
		parts, owners := halves(groups)
		accumulators, rejects, err := operator.Create(parts, input.selected(shape.Reads))
		if err != nil {
			return err
		}
		answer.Rejects = rejects
		taken, bounds := takenOf(parts, owners, rejects)
		merged, err := operator.Merge(bounds, chosen(accumulators, taken))
		if err != nil {
			return err
		}
		finished, err = operator.Finish(merged)
		return err
	})
	if err != nil {
		return answer, err
	}
	answer.Rows, err = rowsOf[Out](shape.Output, finished, nil)
	return answer, err
}

// halves cuts each group in two; says where the parts are, and of which group each is.
func halves[In any](groups [][]In) (bounds []uint32, owners []int) {
	bounds = []uint32{0}
	at := 0
	for owner, group := range groups {
		for _, size := range []int{(len(group) + 1) / 2, len(group) / 2} {
			if size > 0 {
				at += size
				bounds, owners = append(bounds, uint32(at)), append(owners, owner)
			}
		}
	}
	return bounds, owners
}

// takenOf are the parts of which not all rows were rejected, and where the groups are among them.
func takenOf(parts []uint32, owners []int, rejects []Reject) (taken []int, bounds []uint32) {
	bounds = []uint32{0}
	for part, owner := range owners {
		rejected := 0
		for _, reject := range rejects {
			if parts[part] <= reject.Row && reject.Row < parts[part+1] {
				rejected++
			}
		}
		if uint32(rejected) == parts[part+1]-parts[part] {
			continue
		}
		if len(taken) > 0 && owners[taken[len(taken)-1]] != owner {
			bounds = append(bounds, uint32(len(taken)))
		}
		taken = append(taken, part)
	}
	if len(taken) > 0 {
		bounds = append(bounds, uint32(len(taken)))
	}
	return taken, bounds
}

// chosen has these rows of a batch.
func chosen(batch wire.Batch, rows []int) wire.Batch {
	made := wire.Batch{Rows: len(rows), Columns: make([]wire.Column, len(batch.Columns))}
	for i := range batch.Columns {
		made.Columns[i] = rowsChosen(&batch.Columns[i], rows)
	}
	return made
}
