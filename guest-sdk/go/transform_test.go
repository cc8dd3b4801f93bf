package weir_test

import (
	"errors"
	"fmt"
	"iter"
	"math"
	"reflect"
	"strings"
	"testing"
	"time"

	"weir"
	"weir/weirtest"
)

type reading struct {
	Celsius float64
	Place   weir.Null[string] `weir:"at"`
}

type celsius struct{ Celsius float64 }

type fahrenheit struct{ Fahrenheit float64 }

type limits struct {
	Above float64 `json:"above"`
}

func (l *limits) Validate() error {
	if l.Above > 1000 {
		return errors.New("nothing is as hot as that")
	}
	return nil
}

var alarm = weir.Map(func(row celsius, limits *limits) (fahrenheit, error) {
	switch {
	case row.Celsius < -273.15:
		return fahrenheit{}, fmt.Errorf("%v °C is colder than anything", row.Celsius)
	case row.Celsius <= limits.Above:
		return fahrenheit{}, weir.Skip
	}
	return fahrenheit{row.Celsius*1.8 + 32}, nil
}, weir.Keep("at"))

func run[In, Out any](t *testing.T, operator *weir.Transform, config string, rows ...In) weirtest.Answer[Out] {
	t.Helper()
	answer, err := weirtest.Run[In, Out](operator, config, rows)
	if err != nil {
		t.Fatal(err)
	}
	return answer
}

func equal(t *testing.T, got, want any) {
	t.Helper()
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%v, and wanted %v", got, want)
	}
}

func TestAMapChangesRowsSkipsSomeAndRejectsSome(t *testing.T) {
	type out struct {
		At         weir.Null[string]
		Fahrenheit float64
	}
	rows := []reading{{20, weir.Some("roof")}, {100, weir.Null[string]{}}, {-300, weir.Some("space")}}
	answer := run[reading, out](t, alarm, `{"above": 50}`, rows...)
	equal(t, answer.Rows, []out{{Fahrenheit: 212}})
	equal(t, answer.Rejects, []weirtest.Reject{{Row: 2, Reason: "-300 °C is colder than anything"}})
}

type line struct{ Text string }

type maybe struct{ Text weir.Null[string] }

func TestAFilterKeepsAllColumnsAndANullWhereNoneMayBeRejectsTheRow(t *testing.T) {
	short := weir.Filter(func(row line, _ *weir.None) (bool, error) { return len(row.Text) < 3, nil })
	answer := run[maybe, line](t, short, "", maybe{weir.Some("a")}, maybe{}, maybe{weir.Some("long")}, maybe{weir.Some("b")})
	equal(t, answer.Rows, []line{{"a"}, {"b"}})
	equal(t, answer.Rejects, []weirtest.Reject{{Row: 1, Reason: "`text` is null"}})
}

type word struct{ Word string }

func words(row line, _ *weir.None) iter.Seq2[word, error] {
	return func(yield func(word, error) bool) {
		for of := range strings.FieldsSeq(row.Text) {
			var err error
			if of == "stop" {
				err = errors.New("stop")
			}
			if !yield(word{of}, err) {
				return
			}
		}
	}
}

func TestARowThatIsRejectedHalfWayGivesNothing(t *testing.T) {
	answer := run[line, word](t, weir.TryFlatMap(words), "", line{"a bé"}, line{"c stop d"}, line{}, line{"e"})
	equal(t, answer.Rows, []word{{"a"}, {"bé"}, {"e"}})
	equal(t, answer.Rejects, []weirtest.Reject{{Row: 1, Reason: "stop"}})
}

func TestTextThatIsNoPartOfTheInputIsCopied(t *testing.T) {
	upper := weir.Map(func(row line, _ *weir.None) (word, error) {
		if row.Text == "b" {
			return word{row.Text}, nil
		}
		return word{strings.ToUpper(row.Text)}, nil
	})
	answer := run[line, word](t, upper, "", line{"b"}, line{""}, line{"c"})
	equal(t, answer.Rows, []word{{"b"}, {""}, {"C"}})
}

type everything struct {
	At     time.Time
	Micros weir.Timestamp
	Text   weir.Null[string]
	Data   weir.Null[[]byte]
	Yes    weir.Null[bool]
	Count  weir.Null[int]
	Share  weir.Null[float64] `weir:"the share"`
	UserID int64
	hidden int
}

func TestEveryTypeGoesInAndOutWithItsNulls(t *testing.T) {
	same := weir.Map(func(row everything, _ *weir.None) (everything, error) { return row, nil })
	noon := time.Date(2024, 2, 29, 12, 0, 0, 1000, time.UTC)
	rows := []everything{
		{noon, -1, weir.Some("ä"), weir.Some([]byte{255}), weir.Some(true), weir.Some(math.MaxInt64), weir.Some(0.5), 1, 0},
		{At: noon},
		{noon, 1, weir.Some(""), weir.Some([]byte{}), weir.Some(false), weir.Some(math.MinInt64), weir.Some(-0.0), 2, 0},
	}
	rows[1].Data.V = []byte{}
	equal(t, run[everything, everything](t, same, "", rows...).Rows, rows)
}

func TestColumnsComeAndGo(t *testing.T) {
	type in struct {
		Celsius weir.Floats
		At      weir.Text
	}
	type out struct {
		Fahrenheit weir.Floats
		Initial    weir.Text `weir:"initial,null"`
	}
	operator := weir.Columns(func(rows int, in *in, _ *weir.None) (answer weir.Answer[out], err error) {
		answer.From = []uint32{}
		for row := range rows {
			if !in.At.Valid.Has(row) {
				answer.Reject(row, "nowhere")
				continue
			}
			answer.From = append(answer.From, uint32(row))
			answer.Columns.Fahrenheit.Values = append(answer.Columns.Fahrenheit.Values, in.Celsius.Values[row]*1.8+32)
			answer.Columns.Initial.Append(in.At.At(row)[:1])
		}
		return answer, nil
	})
	type row struct {
		Fahrenheit float64
		Initial    weir.Null[string]
	}
	answer := run[reading, row](t, operator, "", reading{100, weir.Some("oven")}, reading{}, reading{0, weir.Some("ice")})
	equal(t, answer.Rows, []row{{212, weir.Some("o")}, {32, weir.Some("i")}})
	equal(t, answer.Rejects, []weirtest.Reject{{Row: 1, Reason: "nowhere"}})
}

func TestWhatDoesNotFitIsTold(t *testing.T) {
	check := func(operator *weir.Transform, config, want string) {
		t.Helper()
		_, err := weirtest.Run[reading, word](operator, config, []reading{{}})
		if err == nil || err.Error() != want {
			t.Errorf("%v, and wanted %s", err, want)
		}
	}
	check(weir.TryFlatMap(words), "",
		"the input has no column `text` (utf8), which the operator reads; it has `celsius` (float64), `at` (utf8)")
	check(alarm, `{"abov": 3}`, `the operator's config is not valid: unknown field "abov"`)
	check(alarm, `{"above": 3000}`, `the operator's config is not valid: nothing is as hot as that`)
	check(weir.TryFlatMap(words), `{"a": 3}`, `the operator takes no config, but is given {"a": 3}`)
	type odd struct{ Values []int }
	check(weir.Filter(func(odd, *weir.None) (bool, error) { return true, nil }), "",
		"weir_test.odd.Values: a column cannot be []int: it is string, []byte, int64, int, float64, bool, time.Time or "+
			"weir.Timestamp, or weir.Null of one")
}

func TestWhatIsLoggedIsKept(t *testing.T) {
	operator := weir.Filter(func(row line, _ *weir.None) (bool, error) {
		weir.Warnf("%q", row.Text)
		return true, nil
	})
	equal(t, run[line, line](t, operator, "", line{"a"}).Log, []weirtest.Line{{Level: 2, Text: `"a"`}})
}
