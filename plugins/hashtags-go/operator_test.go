package main

import (
	"slices"
	"testing"

	"weir"
	"weir/weirtest"
)

type post struct {
	Text weir.Null[string] `weir:"text"`
}

type hashtag struct {
	Tag string `weir:"tag"`
}

func check(t *testing.T, posts []post, want ...string) {
	t.Helper()
	answer, err := weirtest.Run[post, hashtag](operator, "", posts)
	if err != nil {
		t.Fatal(err)
	}
	var tags []string
	for _, row := range answer.Rows {
		tags = append(tags, row.Tag)
	}
	if !slices.Equal(tags, want) {
		t.Errorf("%q, and wanted %q", tags, want)
	}
}

func TestATagEndsWhereItsLettersEnd(t *testing.T) {
	for text, want := range map[string][]string{
		"#one, #two_2! (#three) x#four": {"#one", "#two_2", "#three", "#four"},
		"# ## #-a no tag at all":        nil,
		"##a #a#b":                      {"#a", "#a", "#b"},
		"#größe #日本.":                   {"#größe", "#日本"},
		"":                              nil,
	} {
		check(t, []post{{weir.Some(text)}}, want...)
	}
}

func TestATagEndsWhereItsRowEnds(t *testing.T) {
	some := func(text string) post { return post{weir.Some(text)} }
	check(t, []post{some(""), some("#a"), some("b #"), some("c"), {}, some("#d")}, "#a", "#d")
	check(t, []post{{weir.Null[string]{V: "#hidden"}}, some("#a")}, "#a")
	check(t, nil)
}
