// Package export_weir_operator_aggregate is what the bindings call for the world `aggregate`.
package export_weir_operator_aggregate

import (
	wit "weir/internal/abi/types"
	_ "weir/internal/bindings/log"
	"weir/internal/bindings/rows"
	bindings "weir/internal/bindings/weir_operator_aggregate"
	theirs "weir/internal/bindings/weir_operator_rows"
	"weir/internal/host"
	"weir/internal/wire"
)

type retracted = wit.Tuple2[theirs.Batch, []uint8]

func Configure(config string, columns []theirs.Field) wit.Result[bindings.Shape, string] {
	return rows.Answer(host.Call(func() (shape bindings.Shape, err error) {
		if host.Aggregate == nil {
			return shape, host.Unexported("aggregate")
		}
		ours, err := host.Aggregate.Configure(config, rows.Fields(columns))
		shape.Reads = wit.Some(ours.Reads)
		shape.Accumulator, shape.Output = rows.ToFields(ours.Accumulator), rows.ToFields(ours.Output)
		shape.Retracts = ours.Retracts
		return shape, err
	}))
}

func Create(groups []uint32, batch theirs.Batch) wit.Result[bindings.Created, string] {
	return rows.Answer(host.Call(func() (bindings.Created, error) {
		accumulators, rejects, err := host.Aggregate.Create(groups, rows.Batch(batch))
		return bindings.Created{Accumulators: rows.ToBatch(accumulators), Rejects: rows.ToRejects(rejects)}, err
	}))
}

func Merge(groups []uint32, accumulators theirs.Batch) wit.Result[theirs.Batch, string] {
	return batch(func() (wire.Batch, error) { return host.Aggregate.Merge(groups, rows.Batch(accumulators)) })
}

func Retract(total, part theirs.Batch) wit.Result[retracted, string] {
	return rows.Answer(host.Call(func() (retracted, error) {
		left, nothing, err := host.Aggregate.Retract(rows.Batch(total), rows.Batch(part))
		return retracted{F0: rows.ToBatch(left), F1: nothing}, err
	}))
}

func Finish(accumulators theirs.Batch) wit.Result[theirs.Batch, string] {
	return batch(func() (wire.Batch, error) { return host.Aggregate.Finish(rows.Batch(accumulators)) })
}

func batch(call func() (wire.Batch, error)) wit.Result[theirs.Batch, string] {
	return rows.Answer(host.Call(func() (theirs.Batch, error) {
		ours, err := call()
		return rows.ToBatch(ours), err
	}))
}
