package weir

import (
	"fmt"
	"time"

	"weir/internal/record"
	"weir/internal/wire"
)

// Cause is why a key is called.
type Cause uint8

// The causes, numbered as the interface numbers them.
const (
	// HasRows: it has rows in this batch.
	HasRows Cause = iota
	// IsIdle: it had none for the pipeline's `timeout`. This is its last call; whatever the answer, it is forgotten.
	IsIdle
	// IsDue: the time that it asked for has come. It may have rows, too.
	IsDue
	// IsKnown: every key is called in every batch: the pipeline says so.
	IsKnown
)

// Fate is what becomes of a key after the call.
type Fate uint8

// The fates, numbered as the interface numbers them.
const (
	// Replace: its state is what the call has left there.
	Replace Fate = iota
	// Remove: it is forgotten, with its timer.
	Remove
	// Unchanged: state and timer stay as they are, which costs least; a key without a state stays without. A timer that
	// is due has had its call.
	Unchanged
)

// Updater says what becomes of a key's state. It is also the operator's config, read by encoding/json. Nothing can be
// remembered in it: the host makes a new operator for every task.
//
// Of the key it reads the columns of Key, or nothing, as [None].
type Updater[Key, In, Remembered, Out any] interface {
	// Update is called for a key that has rows in this batch, or is due. `state` is what is remembered of the key, and zero
	// where [Turn.IsNew]; what is written there counts with [Replace]. Rows that are rejected must leave it as if they had
	// not come.
	Update(key Key, state *Remembered, rows *Group[In], turn *Turn[Out]) Fate
}

// Turn is a key's call: why it is called, its output rows, and when it wants to be called again.
type Turn[Out any] struct {
	cause Cause
	isNew bool
	timer uint64
	key   uint32
	rows  []Out
	from  []uint32
}

// Cause is why the key is called.
func (t *Turn[Out]) Cause() Cause { return t.cause }

// IsNew says that nothing is remembered of the key.
func (t *Turn[Out]) IsNew() bool { return t.isNew }

// Emit answers with a row of this key.
func (t *Turn[Out]) Emit(row Out) {
	t.rows = append(t.rows, row)
	t.from = append(t.from, t.key)
}

// WakeAt asks for a call in the first batch at or after a time, even without rows. Only with [Replace]; a later call that
// replaces the state asks anew, or there is no timer any more.
func (t *Turn[Out]) WakeAt(at time.Time) {
	millis := at.UnixMilli()
	if at.Nanosecond()%int(time.Millisecond) != 0 {
		millis++
	}
	// 0 is no timer; what is past already is due in the next batch.
	t.timer = uint64(max(millis, 1))
}

// State is an operator that remembers something of each key. Make one with [Update].
type State struct {
	configure func(config string, keys, columns []wire.Field) (wire.StateShape, error)
	update    func(touched wire.Touched) (wire.Updated, error)
}

// Update makes an operator of an updater, a pointer to a struct: `weir.Update(&Moves{}, 1)`. Its values before the config
// is read are the config's defaults. Raise the version whenever the meaning or the fields of what is remembered change.
func Update[Key, In, Remembered, Out any](updater Updater[Key, In, Remembered, Out], version uint32) *State {
	of := &updates[Key, In, Remembered, Out]{prototype: updater, version: version}
	return &State{of.configure, of.update}
}

type updates[Key, In, Remembered, Out any] struct {
	prototype, updater  Updater[Key, In, Remembered, Out]
	version             uint32
	key, in, state, out *record.Record
	keyColumns          []uint32
}

func (u *updates[Key, In, Remembered, Out]) configure(
	config string, keys, columns []wire.Field,
) (shape wire.StateShape, err error) {
	if u.key, u.in, err = recordsOf[Key, In](); err != nil {
		return shape, err
	}
	if u.state, u.out, err = recordsOf[Remembered, Out](); err != nil {
		return shape, err
	}
	if u.updater, err = configured(u.prototype, config); err != nil {
		return shape, err
	}
	if u.keyColumns, err = resolve(u.key, "key", keys); err != nil {
		return shape, err
	}
	shape.State, shape.Version, shape.Output = u.state.Announced(), u.version, u.out.Announced()
	shape.Reads, err = resolve(u.in, "input", columns)
	return shape, err
}

func (u *updates[Key, In, Remembered, Out]) update(touched wire.Touched) (answer wire.Updated, err error) {
	keys, missing := u.keys(touched.Keys)
	states, lacking := record.Rows[Remembered](u.state, touched.Previous)
	rows := groupsOf[In](u.in, touched.Input)
	turn := &Turn[Out]{}
	answer.Fates = make([]uint8, len(keys))
	answer.Timers = make([]uint64, len(keys))
	for k, key := range keys {
		rows.begin(touched.Groups[k], touched.Groups[k+1])
		turn.cause, turn.key, turn.timer = Cause(touched.Causes[k]), uint32(k), 0
		turn.isNew = !record.Bit(touched.Present, k)
		if turn.isNew {
			states[k] = *new(Remembered)
		} else if reason, ok := lacking.Reason(k); ok {
			return answer, fmt.Errorf("of a state, %s", reason)
		}
		fate := Unchanged
		if reason, ok := missing.Reason(k); ok {
			rows.rejectAll("of the key, " + reason)
		} else {
			fate = u.updater.Update(key, &states[k], rows, turn)
		}
		answer.Fates[k] = uint8(fate)
		if fate == Replace {
			answer.Timers[k] = turn.timer
		}
	}
	answer.Next = wire.Batch{Rows: len(states), Columns: record.Columns(u.state, states, nil)}
	answer.Output = wire.Batch{Rows: len(turn.rows), Columns: record.Columns(u.out, turn.rows, nil)}
	answer.From, answer.Rejects = turn.from, inOrder(rows.rejects)
	return answer, nil
}

func (u *updates[Key, In, Remembered, Out]) keys(batch wire.Batch) ([]Key, record.Missing) {
	columns := make([]wire.Column, len(u.keyColumns))
	for i, column := range u.keyColumns {
		columns[i] = batch.Columns[column]
	}
	return record.Rows[Key](u.key, wire.Batch{Rows: batch.Rows, Columns: columns})
}

// Configure, once and before any rows, says what the operator reads, remembers and writes. The host calls it.
func (s *State) Configure(config string, keys, columns []wire.Field) (wire.StateShape, error) {
	return s.configure(config, keys, columns)
}

// Update calls with some keys. The host calls it.
func (s *State) Update(batchTime uint64, touched wire.Touched) (wire.Updated, error) {
	now = batchTime
	return s.update(touched)
}
