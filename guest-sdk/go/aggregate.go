package weir

import (
	"errors"
	"fmt"
	"reflect"

	"weir/internal/record"
	"weir/internal/wire"
)

// Folder folds the rows of a key to one, in several steps. It is also the operator's config, read by encoding/json.
//
//	rows --Create--> accumulators --Merge--> one accumulator --Finish--> output
//	                                Retract: takes a part out of a total again
type Folder[In, Acc, Out any] interface {
	// Create is the accumulator of a row; an error rejects the row.
	Create(row In) (Acc, error)
	// Merge adds a part to a total. It must be associative.
	Merge(total *Acc, part Acc)
	// Finish is the answer for a total, before which the host puts the key.
	Finish(total Acc) Out
}

// Retracter is a Folder whose Merge has an inverse: sliding windows then cost what changes, not what they span.
type Retracter[Acc any] interface {
	// Retract takes a part out of a total, and says whether there are rows in it still.
	Retract(total *Acc, part Acc) bool
}

// GroupFolder is a Folder that has a faster way than to create an accumulator for each row and merge them.
type GroupFolder[In, Acc any] interface {
	// CreateGroup is the accumulator of all rows of a group; not ok if they are all rejected.
	CreateGroup(rows *Group[In]) (total Acc, ok bool)
}

// Aggregate is an operator that folds the rows of a key. Make one with [Fold].
type Aggregate struct {
	configure func(config string, columns []wire.Field) (wire.AggregateShape, error)
	create    func(groups []uint32, batch wire.Batch) (wire.Batch, []wire.Reject, error)
	merge     func(groups []uint32, accumulators wire.Batch) (wire.Batch, error)
	retract   func(total, part wire.Batch) (wire.Batch, []byte, error)
	finish    func(accumulators wire.Batch) (wire.Batch, error)
}

// Fold makes an operator of a folder, a pointer to a struct: `weir.Fold(&Sum{})`. Its values before the config is read are
// the config's defaults.
func Fold[In, Acc, Out any](folder Folder[In, Acc, Out]) *Aggregate {
	of := &fold[In, Acc, Out]{prototype: folder}
	return &Aggregate{of.configure, of.create, of.merge, of.retract, of.finish}
}

type fold[In, Acc, Out any] struct {
	prototype, folder Folder[In, Acc, Out]
	in, acc, out      *record.Record
}

func (f *fold[In, Acc, Out]) configure(config string, columns []wire.Field) (shape wire.AggregateShape, err error) {
	if f.in, f.out, err = recordsOf[In, Out](); err != nil {
		return shape, err
	}
	if f.acc, err = record.Of[Acc](); err != nil {
		return shape, err
	}
	if f.folder, err = configured(f.prototype, config); err != nil {
		return shape, err
	}
	_, shape.Retracts = f.folder.(Retracter[Acc])
	shape.Accumulator, shape.Output = f.acc.Announced(), f.out.Announced()
	shape.Reads, err = resolve(f.in, "input", columns)
	return shape, err
}

func (f *fold[In, Acc, Out]) create(groups []uint32, batch wire.Batch) (wire.Batch, []wire.Reject, error) {
	rows := groupsOf[In](f.in, batch)
	totals := make([]Acc, count(groups))
	whole, _ := f.folder.(GroupFolder[In, Acc])
	for g := range totals {
		rows.begin(groups[g], groups[g+1])
		if whole != nil {
			totals[g], _ = whole.CreateGroup(rows)
		} else {
			totals[g] = f.createGroup(rows)
		}
	}
	return f.accumulators(totals), inOrder(rows.rejects), nil
}

func (f *fold[In, Acc, Out]) createGroup(rows *Group[In]) (total Acc) {
	first := true
	for row := range rows.All() {
		part, err := f.folder.Create(row)
		switch {
		case err != nil:
			rows.Reject(err.Error())
		case first:
			total, first = part, false
		default:
			f.folder.Merge(&total, part)
		}
	}
	return total
}

func (f *fold[In, Acc, Out]) merge(groups []uint32, accumulators wire.Batch) (wire.Batch, error) {
	parts, err := f.parts(accumulators)
	if err != nil {
		return wire.Batch{}, err
	}
	totals := make([]Acc, count(groups))
	for g := range totals {
		of := parts[groups[g]:groups[g+1]]
		for i, part := range of {
			if i == 0 {
				totals[g] = part
			} else {
				f.folder.Merge(&totals[g], part)
			}
		}
	}
	return f.accumulators(totals), nil
}

func (f *fold[In, Acc, Out]) retract(total, part wire.Batch) (wire.Batch, []byte, error) {
	retracter, ok := f.folder.(Retracter[Acc])
	if !ok {
		return wire.Batch{}, nil, errors.New("the operator has no Retract")
	}
	totals, err := f.parts(total)
	if err != nil {
		return wire.Batch{}, nil, err
	}
	parts, err := f.parts(part)
	if err != nil {
		return wire.Batch{}, nil, err
	}
	nothing := record.NewBitmap(len(totals))
	for i := range totals {
		if !retracter.Retract(&totals[i], parts[i]) {
			record.SetBit(nothing, i)
		}
	}
	return f.accumulators(totals), nothing, nil
}

func (f *fold[In, Acc, Out]) finish(accumulators wire.Batch) (wire.Batch, error) {
	totals, err := f.parts(accumulators)
	if err != nil {
		return wire.Batch{}, err
	}
	rows := make([]Out, len(totals))
	for i, total := range totals {
		rows[i] = f.folder.Finish(total)
	}
	return wire.Batch{Rows: len(rows), Columns: record.Columns(f.out, rows, nil)}, nil
}

func (f *fold[In, Acc, Out]) accumulators(totals []Acc) wire.Batch {
	return wire.Batch{Rows: len(totals), Columns: record.Columns(f.acc, totals, nil)}
}

func (f *fold[In, Acc, Out]) parts(batch wire.Batch) ([]Acc, error) {
	parts, missing := record.Rows[Acc](f.acc, batch)
	for i := range parts {
		if reason, ok := missing.Reason(i); ok {
			return nil, fmt.Errorf("of an accumulator, %s", reason)
		}
	}
	return parts, nil
}

// count is how many groups there are between such bounds.
func count(groups []uint32) int {
	return max(len(groups)-1, 0)
}

// configured is a copy of what a pointer points to, with a config read into it.
func configured[T any](prototype T, config string) (T, error) {
	from := reflect.ValueOf(prototype)
	if from.Kind() != reflect.Pointer {
		return prototype, fmt.Errorf("%T is no pointer: the config is read into it", prototype)
	}
	made := reflect.New(from.Type().Elem())
	made.Elem().Set(from.Elem())
	return made.Interface().(T), parseConfig(config, made.Interface())
}

// Configure, once and before any rows, says what the operator reads and writes. The host calls it, as it does the others.
func (a *Aggregate) Configure(config string, columns []wire.Field) (wire.AggregateShape, error) {
	return a.configure(config, columns)
}

// Create turns rows into an accumulator for each group.
func (a *Aggregate) Create(groups []uint32, batch wire.Batch) (wire.Batch, []wire.Reject, error) {
	return a.create(groups, batch)
}

// Merge turns accumulators of a key into one, for each group.
func (a *Aggregate) Merge(groups []uint32, accumulators wire.Batch) (wire.Batch, error) {
	return a.merge(groups, accumulators)
}

// Retract takes parts out of totals; the bitmap marks those of which nothing is left.
func (a *Aggregate) Retract(total, part wire.Batch) (wire.Batch, []byte, error) {
	return a.retract(total, part)
}

// Finish turns accumulators into output rows.
func (a *Aggregate) Finish(accumulators wire.Batch) (wire.Batch, error) {
	return a.finish(accumulators)
}
