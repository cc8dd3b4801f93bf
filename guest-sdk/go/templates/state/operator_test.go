package main

import (
	"math"
	"slices"
	"testing"
	"time"

	"weir"
	"weir/weirtest"
)

// Sensor is the key.
type Sensor struct {
	Sensor string `weir:"sensor"`
}

func TestAMoveIsToldAcrossBatchesUntilTheSensorIsForgotten(t *testing.T) {
	run := weirtest.State[Sensor, Reading, Told, Move]{Operator: operator, Config: `{"by": 1}`, Timeout: time.Minute}
	roof := func(values ...float64) weirtest.Rows[Sensor, Reading] {
		rows := weirtest.Rows[Sensor, Reading]{Key: Sensor{"roof"}}
		for _, value := range values {
			rows.Rows = append(rows.Rows, Reading{value})
		}
		return rows
	}
	check := func(answer weirtest.Answer[Move], err error, want ...Move) {
		t.Helper()
		if err != nil || !slices.Equal(answer.Rows, want) {
			t.Fatalf("%v, %v, and wanted %v", answer.Rows, err, want)
		}
	}
	start := time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC)

	answer, err := run.Batch(start, roof(20, 20.5, math.NaN()))
	check(answer, err, Move{Now: 20})
	if want := []weirtest.Reject{{Row: 2, Reason: "NaN is no measurement"}}; !slices.Equal(answer.Rejects, want) {
		t.Errorf("%v, and wanted %v", answer.Rejects, want)
	}

	answer, err = run.Batch(start.Add(time.Second), roof(21.5))
	check(answer, err, Move{Before: weir.Some(20.0), Now: 21.5})

	answer, err = run.Batch(start.Add(61 * time.Second))
	check(answer, err)
	if left := run.States(); len(left) > 0 {
		t.Errorf("%v is remembered", left)
	}
}
