package main

import (
	"slices"
	"testing"

	"weir/weirtest"
)

func TestAKeyHasItsExtremesAndWhatIsAboveTheLimitIsRejected(t *testing.T) {
	readings := []Reading{{20.5}, {19}, {900}}
	answer, err := weirtest.RunAggregate[Reading, Range](operator, `{"limit": 100}`, readings)
	if err != nil {
		t.Fatal(err)
	}
	if want := []Range{{19, 20.5}}; !slices.Equal(answer.Rows, want) {
		t.Errorf("%v, and wanted %v", answer.Rows, want)
	}
	if want := []weirtest.Reject{{Row: 2, Reason: "900 is above 100"}}; !slices.Equal(answer.Rejects, want) {
		t.Errorf("%v, and wanted %v", answer.Rejects, want)
	}
}
