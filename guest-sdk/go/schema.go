package weir

import (
	"fmt"
	"slices"
	"strings"

	"weir/internal/record"
	"weir/internal/wire"
)

// find says where a column is.
func find(name string, columns []wire.Field) (uint32, bool) {
	index := slices.IndexFunc(columns, func(column wire.Field) bool { return column.Name == name })
	return uint32(index), index >= 0
}

// listed is columns and their types, for a message.
func listed(columns []wire.Field) string {
	if len(columns) == 0 {
		return "no columns"
	}
	texts := make([]string, len(columns))
	for i, column := range columns {
		texts[i] = fmt.Sprintf("`%s` (%s)", column.Name, column.Type)
	}
	return strings.Join(texts, ", ")
}

// resolve finds each field's column in a place that has these.
func resolve(of *record.Record, place string, columns []wire.Field) ([]uint32, error) {
	found := make([]uint32, 0, len(of.Fields))
	for _, field := range of.Fields {
		index, ok := find(field.Name, columns)
		if !ok {
			return nil, fmt.Errorf("the %s has no column `%s` (%s), which the operator reads; it has %s",
				place, field.Name, field.Kind, listed(columns))
		}
		if kind := columns[index].Type; kind != field.Kind {
			return nil, fmt.Errorf("the operator reads column `%s` as %s, but in the %s it is %s; the %s has %s",
				field.Name, field.Kind, place, kind, place, listed(columns))
		}
		found = append(found, index)
	}
	return found, nil
}

// keep is which columns of the input stay.
type keep struct {
	all   bool
	names []string
}

// indices are where they are.
func (k keep) indices(columns, adds []wire.Field) ([]uint32, error) {
	var kept []uint32
	if k.all {
		for index, column := range columns {
			if _, added := find(column.Name, adds); !added {
				kept = append(kept, uint32(index))
			}
		}
		return kept, nil
	}
	for _, name := range k.names {
		if _, added := find(name, adds); added {
			return nil, fmt.Errorf("the operator keeps column `%s` and adds another one of the same name", name)
		}
		index, ok := find(name, columns)
		if !ok {
			return nil, fmt.Errorf("the input has no column `%s`, which the operator keeps; it has %s", name, listed(columns))
		}
		kept = append(kept, index)
	}
	return kept, nil
}
