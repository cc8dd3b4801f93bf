package weir

import (
	"errors"
	"iter"

	"weir/internal/record"
	"weir/internal/wire"
)

// Skip is what a [Map] function returns as its error to drop a row.
var Skip = errors.New("skip this row")

// Option is a detail of a transform.
type Option func(*keep)

// Keep has these columns of the input stay, before those that are added. They need not be in the input's struct; the host
// carries them over.
func Keep(names ...string) Option {
	return func(k *keep) { k.names = append(k.names, names...) }
}

// KeepAll has all columns of the input stay, but those that the output has anew.
func KeepAll() Option {
	return func(k *keep) { k.all = true }
}

// Transform is an operator from rows to rows. Make one with [Map], [Filter], [FlatMap], [TryFlatMap] or [Columns].
type Transform struct {
	configure func(config string, columns []wire.Field) (wire.TransformShape, error)
	apply     func(batch wire.Batch) (wire.Emitted, error)
}

// Map makes an operator of a function from a row to a row. An error rejects the row; [Skip] drops it.
func Map[In, Out, Config any](f func(In, *Config) (Out, error), options ...Option) *Transform {
	return rowByRow(options, func(row In, config *Config, emit func(Out)) error {
		out, err := f(row, config)
		if err == nil {
			emit(out)
		}
		return err
	})
}

// Filter makes an operator of a function that says whether a row stays, with all its columns. An error rejects the row.
func Filter[In, Config any](f func(In, *Config) (bool, error)) *Transform {
	return rowByRow([]Option{KeepAll()}, func(row In, config *Config, emit func(None)) error {
		stays, err := f(row, config)
		if err == nil && stays {
			emit(None{})
		}
		return err
	})
}

// FlatMap makes an operator of a function from a row to any number of rows.
func FlatMap[In, Out, Config any](f func(In, *Config) iter.Seq[Out], options ...Option) *Transform {
	return rowByRow(options, func(row In, config *Config, emit func(Out)) error {
		for out := range f(row, config) {
			emit(out)
		}
		return nil
	})
}

// TryFlatMap makes an operator of a function from a row to any number of rows, or an error, which rejects the row: what
// it gave before counts for nothing.
func TryFlatMap[In, Out, Config any](f func(In, *Config) iter.Seq2[Out, error], options ...Option) *Transform {
	return rowByRow(options, func(row In, config *Config, emit func(Out)) error {
		for out, err := range f(row, config) {
			if err != nil {
				return err
			}
			emit(out)
		}
		return nil
	})
}

// rowByRow makes an operator of what is called with each row.
func rowByRow[In, Out, Config any](options []Option, each func(In, *Config, func(Out)) error) *Transform {
	var (
		in, out *record.Record
		config  *Config
	)
	made := &Transform{}
	made.configure = func(text string, columns []wire.Field) (shape wire.TransformShape, err error) {
		if in, out, err = recordsOf[In, Out](); err != nil {
			return shape, err
		}
		config = new(Config)
		if err = parseConfig(text, config); err != nil {
			return shape, err
		}
		return shapeOf(in, out, options, columns)
	}
	made.apply = func(batch wire.Batch) (wire.Emitted, error) {
		rows, missing := record.Rows[In](in, batch)
		answer := emitter[Out]{rows: make([]Out, 0, len(rows)), from: make([]uint32, 0, len(rows))}
		for i := range rows {
			answer.row = uint32(i)
			if reason, ok := missing.Reason(i); ok {
				answer.reject(reason)
				continue
			}
			before := len(answer.rows)
			if err := each(rows[i], config, answer.emit); err != nil {
				answer.rows, answer.from = answer.rows[:before], answer.from[:before]
				if !errors.Is(err, Skip) {
					answer.reject(err.Error())
				}
			}
		}
		return answer.emitted(out, batch), nil
	}
	return made
}

func recordsOf[In, Out any]() (in, out *record.Record, err error) {
	if in, err = record.Of[In](); err == nil {
		out, err = record.Of[Out]()
	}
	return in, out, err
}

func shapeOf(in, out *record.Record, options []Option, columns []wire.Field) (shape wire.TransformShape, err error) {
	var kept keep
	for _, option := range options {
		option(&kept)
	}
	shape.Adds = out.Announced()
	if shape.Reads, err = resolve(in, "input", columns); err != nil {
		return shape, err
	}
	shape.Keeps, err = kept.indices(columns, shape.Adds)
	return shape, err
}

// emitter is an answer as it grows.
type emitter[Out any] struct {
	row     uint32
	rows    []Out
	from    []uint32
	rejects []wire.Reject
}

func (e *emitter[Out]) emit(out Out) {
	e.rows = append(e.rows, out)
	e.from = append(e.from, e.row)
}

func (e *emitter[Out]) reject(reason string) {
	e.rejects = append(e.rejects, wire.Reject{Row: e.row, Reason: reason})
}

func (e *emitter[Out]) emitted(out *record.Record, batch wire.Batch) wire.Emitted {
	columns := record.Columns(out, e.rows, batch.Columns)
	return wire.Emitted{Same: isEach(e.from, batch.Rows), From: e.from, Columns: columns, Rejects: e.rejects}
}

// isEach says whether there is one row for each that came, in order.
func isEach(from []uint32, rows int) bool {
	if len(from) != rows {
		return false
	}
	for i, row := range from {
		if int(row) != i {
			return false
		}
	}
	return true
}

// Configure, once and before any rows, says what the operator reads and writes. The host calls it.
func (t *Transform) Configure(config string, columns []wire.Field) (wire.TransformShape, error) {
	return t.configure(config, columns)
}

// Apply answers to a chunk of rows. The host calls it.
func (t *Transform) Apply(batchTime uint64, batch wire.Batch) (wire.Emitted, error) {
	now = batchTime
	return t.apply(batch)
}
