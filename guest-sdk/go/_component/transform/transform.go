// Package export_weir_operator_transform is what the bindings call for the world `transform`.
package export_weir_operator_transform

import (
	wit "weir/internal/abi/types"
	_ "weir/internal/bindings/log"
	"weir/internal/bindings/rows"
	theirs "weir/internal/bindings/weir_operator_rows"
	bindings "weir/internal/bindings/weir_operator_transform"
	"weir/internal/host"
)

func Configure(config string, columns []theirs.Field) wit.Result[bindings.Shape, string] {
	return rows.Answer(host.Call(func() (shape bindings.Shape, err error) {
		if host.Transform == nil {
			return shape, host.Unexported("transform")
		}
		ours, err := host.Transform.Configure(config, rows.Fields(columns))
		return bindings.Shape{Reads: wit.Some(ours.Reads), Keeps: ours.Keeps, Adds: rows.ToFields(ours.Adds)}, err
	}))
}

func Apply(batchTime uint64, batch theirs.Batch) wit.Result[bindings.Emitted, string] {
	return rows.Answer(host.Call(func() (emitted bindings.Emitted, err error) {
		ours, err := host.Transform.Apply(batchTime, rows.Batch(batch))
		if err != nil {
			return emitted, err
		}
		emitted.Origin = bindings.MakeOriginSame()
		if !ours.Same {
			emitted.Origin = bindings.MakeOriginFrom(ours.From)
		}
		emitted.Columns, emitted.Rejects = rows.ToColumns(ours.Columns), rows.ToRejects(ours.Rejects)
		return emitted, nil
	}))
}
