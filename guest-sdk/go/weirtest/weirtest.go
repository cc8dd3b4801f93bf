// Package weirtest runs operators as the host does, natively: with their config, nulls, rejects and log.
//
//	answer, err := weirtest.Run[Tweet, Answer](operator, `{"shortest": 3}`, []Tweet{{"ada", "@bela"}})
package weirtest

import (
	"fmt"
	"strings"

	"weir/internal/host"
	"weir/internal/record"
	"weir/internal/wire"
)

// Reject is the index of a row that was rejected, and why.
type Reject = wire.Reject

// Line is a line of the log.
type Line struct {
	// Level is 0 for debug, 1 for info, 2 for warn and 3 for error.
	Level uint8
	Text  string
}

// Answer is what came of a run.
type Answer[Out any] struct {
	Rows    []Out
	Rejects []Reject
	Log     []Line
}

// table is rows of a test, column by column.
type table struct {
	fields []wire.Field
	batch  wire.Batch
}

func tableOf[T any](rows []T) (table, error) {
	of, err := record.Of[T]()
	if err != nil {
		return table{}, err
	}
	return table{of.Announced(), wire.Batch{Rows: len(rows), Columns: record.Columns(of, rows, nil)}}, nil
}

// selected has these of the columns.
func (t table) selected(columns []uint32) wire.Batch {
	batch := wire.Batch{Rows: t.batch.Rows}
	for _, column := range columns {
		batch.Columns = append(batch.Columns, t.batch.Columns[column])
	}
	return batch
}

// rowsOf are the rows of columns as structs, whose fields are all of them or some.
func rowsOf[T any](fields []wire.Field, batch wire.Batch, input *wire.Batch) ([]T, error) {
	of, err := record.Of[T]()
	if err != nil {
		return nil, err
	}
	chosen := wire.Batch{Rows: batch.Rows}
	for _, field := range of.Fields {
		index := indexOf(field.Name, fields)
		if index < 0 {
			return nil, fmt.Errorf("the answer has no column `%s`; it has %s", field.Name, names(fields))
		}
		column := batch.Columns[index]
		if column.Type == wire.Slices {
			if column, err = gathered(column, fields[index], input); err != nil {
				return nil, err
			}
		}
		if column.Type != field.Kind {
			return nil, fmt.Errorf("column `%s` of the answer is %s, and the test's %s", field.Name, column.Type, field.Kind)
		}
		chosen.Columns = append(chosen.Columns, column)
	}
	rows, missing := record.Rows[T](of, chosen)
	for row := range rows {
		if reason, ok := missing.Reason(row); ok {
			return nil, fmt.Errorf("row %d of the answer: %s", row, reason)
		}
	}
	return rows, nil
}

// gathered cuts slices out of the input, as the host does.
func gathered(slices wire.Column, field wire.Field, input *wire.Batch) (wire.Column, error) {
	if input == nil || int(slices.Of) >= len(input.Columns) {
		return slices, fmt.Errorf("column `%s` of the answer is slices of a column that is not there", field.Name)
	}
	data := input.Columns[slices.Of].Data
	made := wire.Column{Type: field.Type, Offsets: []int32{0}, Validity: slices.Validity}
	for i, start := range slices.Starts {
		end := uint64(start) + uint64(slices.Lengths[i])
		if end > uint64(len(data)) {
			return made, fmt.Errorf("column `%s` of the answer has a slice up to %d of %d bytes", field.Name, end, len(data))
		}
		made.Data = append(made.Data, data[start:end]...)
		made.Offsets = append(made.Offsets, int32(len(made.Data)))
	}
	return made, nil
}

func indexOf(name string, fields []wire.Field) int {
	for index, field := range fields {
		if field.Name == name {
			return index
		}
	}
	return -1
}

func names(fields []wire.Field) string {
	all := make([]string, len(fields))
	for i, field := range fields {
		all[i] = "`" + field.Name + "`"
	}
	return strings.Join(all, ", ")
}

// logging runs what logs, and answers with the lines.
func logging(run func() error) (lines []Line, err error) {
	before := host.Log
	defer func() { host.Log = before }()
	host.Log = func(level uint8, text string) { lines = append(lines, Line{level, text}) }
	err = run()
	return lines, err
}
