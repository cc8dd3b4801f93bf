package main

import (
	"slices"
	"testing"

	"weir/weirtest"
)

// Tweet is a row of the stream.
type Tweet struct {
	User string `weir:"user"`
	Text string `weir:"text"`
}

// Answer is a row of the operator's.
type Answer struct {
	User    string `weir:"user"`
	Mention string `weir:"mention"`
}

func TestEveryMentionIsARowWithItsUser(t *testing.T) {
	tweets := []Tweet{{"ada", "@bela, have you met @chen_2 or @jo?"}}
	answer, err := weirtest.Run[Tweet, Answer](operator, `{"shortest": 3}`, tweets)
	if err != nil {
		t.Fatal(err)
	}
	if want := []Answer{{"ada", "bela"}, {"ada", "chen_2"}}; !slices.Equal(answer.Rows, want) {
		t.Errorf("%v, and wanted %v", answer.Rows, want)
	}
}
