// Package export_weir_operator_state is what the bindings call for the world `state`.
package export_weir_operator_state

import (
	wit "weir/internal/abi/types"
	_ "weir/internal/bindings/log"
	"weir/internal/bindings/rows"
	theirs "weir/internal/bindings/weir_operator_rows"
	bindings "weir/internal/bindings/weir_operator_state"
	"weir/internal/host"
	"weir/internal/wire"
)

func Configure(config string, keys, columns []theirs.Field) wit.Result[bindings.Shape, string] {
	return rows.Answer(host.Call(func() (shape bindings.Shape, err error) {
		if host.State == nil {
			return shape, host.Unexported("state")
		}
		ours, err := host.State.Configure(config, rows.Fields(keys), rows.Fields(columns))
		shape.Reads, shape.Version = wit.Some(ours.Reads), ours.Version
		shape.State, shape.Output = rows.ToFields(ours.State), rows.ToFields(ours.Output)
		return shape, err
	}))
}

func Update(batchTime uint64, touched bindings.Touched) wit.Result[bindings.Updated, string] {
	return rows.Answer(host.Call(func() (updated bindings.Updated, err error) {
		ours, err := host.State.Update(batchTime, wire.Touched{
			Keys:     rows.Batch(touched.Keys),
			Groups:   touched.Groups,
			Input:    rows.Batch(touched.Input),
			Previous: rows.Batch(touched.Previous),
			Present:  touched.Present,
			Causes:   touched.Causes,
		})
		if err != nil {
			return updated, err
		}
		return bindings.Updated{
			Next:       rows.ToBatch(ours.Next),
			Fates:      ours.Fates,
			Timers:     ours.Timers,
			Output:     rows.ToBatch(ours.Output),
			OutputFrom: ours.From,
			Rejects:    rows.ToRejects(ours.Rejects),
		}, nil
	}))
}
