package weirtest

import (
	"weir"
	"weir/internal/record"
	"weir/internal/wire"
)

// Run runs a transform on rows, with a config as JSON; "" is none. The structs of In and Out have the columns of the
// stream before and after it, or those that matter.
func Run[In, Out any](operator *weir.Transform, config string, rows []In) (answer Answer[Out], err error) {
	input, err := tableOf(rows)
	if err != nil {
		return answer, err
	}
	var shape wire.TransformShape
	var emitted wire.Emitted
	var read wire.Batch
	answer.Log, err = logging(func() (err error) {
		if shape, err = operator.Configure(config, input.fields); err != nil {
			return err
		}
		read = input.selected(shape.Reads)
		emitted, err = operator.Apply(0, read)
		return err
	})
	if err != nil {
		return answer, err
	}
	answer.Rejects = emitted.Rejects
	from := emitted.From
	if emitted.Same {
		from = make([]uint32, len(rows))
		for row := range from {
			from[row] = uint32(row)
		}
	}
	fields, columns, err := kept(rows, from, shape.Keeps, input.fields)
	if err != nil {
		return answer, err
	}
	batch := wire.Batch{Rows: len(from), Columns: append(columns, emitted.Columns...)}
	answer.Rows, err = rowsOf[Out](append(fields, shape.Adds...), batch, &read)
	return answer, err
}

// kept are the columns of the input that are kept, for each output row.
func kept[In any](rows []In, from, keeps []uint32, fields []wire.Field) ([]wire.Field, []wire.Column, error) {
	of, err := record.Of[In]()
	if err != nil {
		return nil, nil, err
	}
	origins := make([]In, len(from))
	for i, row := range from {
		origins[i] = rows[row]
	}
	all := record.Columns(of, origins, nil)
	var names []wire.Field
	var columns []wire.Column
	for _, index := range keeps {
		names, columns = append(names, fields[index]), append(columns, all[index])
	}
	return names, columns, nil
}
