package weirtest

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"weir"
	"weir/internal/record"
	"weir/internal/wire"
)

// State is the life of an operator with state, batch after batch: with keys of the struct Key, rows of the struct In,
// what is remembered as the struct Remembered, and answers, without the key's columns, as the struct Out.
type State[Key comparable, In, Remembered, Out any] struct {
	Operator *weir.State
	// Config is JSON; "" is none.
	Config string
	// Timeout is how long a key is without rows before its last call; 0 for ever.
	Timeout time.Duration

	known map[Key]*entry[Remembered]
	calls int
}

type entry[Remembered any] struct {
	state Remembered
	last  uint64
	timer uint64
	// When the key came, among all keys.
	order int
}

// Rows are the rows of a key in a batch.
type Rows[Key comparable, In any] struct {
	Key  Key
	Rows []In
}

// States is what is remembered of each key.
func (s *State[Key, In, Remembered, Out]) States() map[Key]Remembered {
	states := make(map[Key]Remembered)
	for key, entry := range s.known {
		states[key] = entry.state
	}
	return states
}

// Batch runs a batch that ends at a time. Keys with rows are called in the order given, then those that are due. Rejects
// count rows over all keys.
func (s *State[Key, In, Remembered, Out]) Batch(at time.Time, groups ...Rows[Key, In]) (answer Answer[Out], err error) {
	now := uint64(at.UnixMilli())
	keys, causes := s.called(now, groups)
	touched, shape := wire.Touched{Groups: []uint32{0}, Causes: causes}, wire.StateShape{}
	var rows []In
	for _, group := range groups {
		rows = append(rows, group.Rows...)
		touched.Groups = append(touched.Groups, uint32(len(rows)))
	}
	for len(touched.Groups) <= len(keys) {
		touched.Groups = append(touched.Groups, uint32(len(rows)))
	}
	keyTable, err := tableOf(keys)
	if err != nil {
		return answer, err
	}
	input, err := tableOf(rows)
	if err != nil {
		return answer, err
	}
	previous := make([]Remembered, len(keys))
	touched.Present = record.NewBitmap(len(keys))
	for k, key := range keys {
		if known := s.known[key]; known != nil {
			previous[k] = known.state
			record.SetBit(touched.Present, k)
		}
	}
	states, err := tableOf(previous)
	if err != nil {
		return answer, err
	}
	touched.Keys, touched.Previous = keyTable.batch, states.batch
	var updated wire.Updated
	answer.Log, err = logging(func() (err error) {
		if shape, err = s.Operator.Configure(s.Config, keyTable.fields, input.fields); err != nil {
			return err
		}
		touched.Input = input.selected(shape.Reads)
		updated, err = s.Operator.Update(now, touched)
		return err
	})
	if err != nil {
		return answer, err
	}
	answer.Rejects = updated.Rejects
	next, err := rowsOf[Remembered](shape.State, updated.Next, nil)
	if err != nil {
		return answer, err
	}
	s.takeUp(now, keys, touched, updated, next)
	answer.Rows, err = rowsOf[Out](shape.Output, updated.Output, nil)
	return answer, err
}

// called are the keys that are called, and why.
func (s *State[Key, In, Remembered, Out]) called(now uint64, groups []Rows[Key, In]) (keys []Key, causes []uint8) {
	for _, group := range groups {
		cause := weir.HasRows
		if known := s.known[group.Key]; known != nil && known.isDue(now) {
			cause = weir.IsDue
		}
		keys, causes = append(keys, group.Key), append(causes, uint8(cause))
	}
	others := slices.SortedFunc(maps.Keys(s.known), func(a, b Key) int {
		return cmp.Compare(s.known[a].order, s.known[b].order)
	})
	for _, key := range others {
		known := s.known[key]
		isIdle := s.Timeout > 0 && known.last+uint64(s.Timeout.Milliseconds()) <= now
		if slices.Contains(keys, key) || !isIdle && !known.isDue(now) {
			continue
		}
		cause := weir.IsIdle
		if known.isDue(now) {
			cause = weir.IsDue
		}
		keys, causes = append(keys, key), append(causes, uint8(cause))
	}
	return keys, causes
}

func (e *entry[Remembered]) isDue(now uint64) bool {
	return e.timer != 0 && e.timer <= now
}

func (s *State[Key, In, Remembered, Out]) takeUp(
	now uint64, keys []Key, touched wire.Touched, updated wire.Updated, next []Remembered,
) {
	for k, key := range keys {
		known, cause := s.known[key], weir.Cause(touched.Causes[k])
		fate := weir.Fate(updated.Fates[k])
		switch {
		case fate == weir.Remove || cause == weir.IsIdle:
			delete(s.known, key)
			continue
		case fate == weir.Replace:
			if known == nil {
				if s.known == nil {
					s.known = make(map[Key]*entry[Remembered])
				}
				s.calls++
				known = &entry[Remembered]{last: now, order: s.calls}
				s.known[key] = known
			}
			known.state, known.timer = next[k], updated.Timers[k]
		case known != nil && cause == weir.IsDue:
			known.timer = 0
		}
		if known != nil && touched.Groups[k+1] > touched.Groups[k] {
			known.last = now
		}
	}
}
