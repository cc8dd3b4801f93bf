package weir_test

import (
	"errors"
	"testing"
	"time"

	"weir"
	"weir/internal/wire"
	"weir/weirtest"
)

type purchase struct{ Price int64 }

type total struct{ Count, Spent int64 }

type totals struct{}

func (*totals) Create(row purchase) (total, error) {
	if row.Price < 0 {
		return total{}, errors.New("a price below nothing")
	}
	return total{1, row.Price}, nil
}

func (*totals) Merge(total *total, part total) {
	total.Count += part.Count
	total.Spent += part.Spent
}

func (*totals) Retract(total *total, part total) bool {
	total.Count -= part.Count
	total.Spent -= part.Spent
	return total.Count > 0
}

func (*totals) Finish(total total) total { return total }

func TestRowsAreFoldedAndAGroupWithoutAnyHasNoAnswer(t *testing.T) {
	groups := [][]purchase{{{5}, {-1}, {7}}, {{-2}}, {{1}}}
	answer, err := weirtest.RunAggregate[purchase, total](weir.Fold(&totals{}), "", groups...)
	if err != nil {
		t.Fatal(err)
	}
	equal(t, answer.Rows, []total{{2, 12}, {1, 1}})
	equal(t, answer.Rejects, []weirtest.Reject{{Row: 1, Reason: "a price below nothing"}, {Row: 3, Reason: "a price below nothing"}})
}

func TestAPartIsTakenOutOfATotalAgain(t *testing.T) {
	operator := weir.Fold(&totals{})
	shape, err := operator.Configure("", []wire.Field{{Name: "price", Type: wire.Int64}})
	if err != nil || !shape.Retracts {
		t.Fatal(shape, err)
	}
	batch := func(columns ...[]int64) wire.Batch {
		made := wire.Batch{Rows: 2}
		for _, column := range columns {
			made.Columns = append(made.Columns, wire.Column{Type: wire.Int64, Ints: column})
		}
		return made
	}
	left, nothing, err := operator.Retract(batch([]int64{3, 1}, []int64{9, 4}), batch([]int64{1, 1}, []int64{2, 4}))
	if err != nil {
		t.Fatal(err)
	}
	equal(t, [][]int64{left.Columns[0].Ints, left.Columns[1].Ints}, [][]int64{{2, 0}, {7, 0}})
	equal(t, nothing, []byte{2})
}

type visitor struct{ Name string }

type visits struct{}

func (*visits) Update(key visitor, visit *total, rows *weir.Group[purchase], turn *weir.Turn[total]) weir.Fate {
	if turn.Cause() != weir.HasRows {
		turn.Emit(*visit)
		return weir.Remove
	}
	for row := range rows.All() {
		if row.Price < 0 {
			rows.Reject(key.Name + " has a price below nothing")
			continue
		}
		visit.Count++
		visit.Spent += row.Price
	}
	turn.WakeAt(weir.BatchTime().Add(10 * time.Second))
	return weir.Replace
}

func TestAKeyRemembersAndIsWoken(t *testing.T) {
	run := weirtest.State[visitor, purchase, total, total]{Operator: weir.Update(&visits{}, 1)}
	batch := func(after time.Duration, rows ...weirtest.Rows[visitor, purchase]) weirtest.Answer[total] {
		t.Helper()
		answer, err := run.Batch(time.Unix(1_700_000_000, 0).Add(after), rows...)
		if err != nil {
			t.Fatal(err)
		}
		return answer
	}
	ann := visitor{"ann"}
	answer := batch(0, weirtest.Rows[visitor, purchase]{Key: ann, Rows: []purchase{{5}, {-1}}})
	equal(t, answer.Rejects, []weirtest.Reject{{Row: 1, Reason: "ann has a price below nothing"}})
	equal(t, run.States(), map[visitor]total{ann: {1, 5}})
	batch(5*time.Second, weirtest.Rows[visitor, purchase]{Key: ann, Rows: []purchase{{2}}})
	equal(t, len(batch(14*time.Second).Rows), 0)
	equal(t, batch(15*time.Second).Rows, []total{{2, 7}})
	equal(t, run.States(), map[visitor]total{})
}
