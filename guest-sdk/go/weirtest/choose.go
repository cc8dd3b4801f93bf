package weirtest

import (
	"weir/internal/record"
	"weir/internal/wire"
)

// rowsChosen has these rows of a column.
func rowsChosen(column *wire.Column, rows []int) wire.Column {
	made := wire.Column{Type: column.Type}
	if column.Validity != nil {
		made.Validity = bitsChosen(column.Validity, rows)
	}
	switch column.Type {
	case wire.Boolean:
		made.Bits = bitsChosen(column.Bits, rows)
	case wire.Int64, wire.Timestamp:
		for _, row := range rows {
			made.Ints = append(made.Ints, column.Ints[row])
		}
	case wire.Float64:
		for _, row := range rows {
			made.Floats = append(made.Floats, column.Floats[row])
		}
	default:
		made.Offsets = []int32{0}
		for _, row := range rows {
			made.Data = append(made.Data, column.Data[column.Offsets[row]:column.Offsets[row+1]]...)
			made.Offsets = append(made.Offsets, int32(len(made.Data)))
		}
	}
	return made
}

func bitsChosen(bitmap []byte, rows []int) []byte {
	made := record.NewBitmap(len(rows))
	for to, from := range rows {
		if record.Bit(bitmap, from) {
			record.SetBit(made, to)
		}
	}
	return made
}
