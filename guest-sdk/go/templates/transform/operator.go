// A row for each @mention in a text, beside the user who wrote it.
package main

import (
	"fmt"
	"iter"
	"strings"
	"unicode"

	"weir"
)

// Post is what is read of a row. Other columns need not exist, and do not cross into the sandbox.
type Post struct {
	Text string `weir:"text"`
}

// Mention has the columns that are added to those kept.
type Mention struct {
	// The user who is mentioned, without the `@`.
	Mention string `weir:"mention"`
}

// Config is the operator's `config` in the pipeline file.
type Config struct {
	// Shorter names are passed over.
	Shortest int `json:"shortest"`
}

// Validate refuses what makes no sense.
func (config *Config) Validate() error {
	if config.Shortest < 0 {
		return fmt.Errorf("`shortest` must not be negative, but is %d", config.Shortest)
	}
	return nil
}

// mentions yields the mentions of a post, in order.
func mentions(post Post, config *Config) iter.Seq[Mention] {
	return func(yield func(Mention) bool) {
		for word := range strings.FieldsFuncSeq(post.Text, isBetweenWords) {
			name, mentioned := strings.CutPrefix(word, "@")
			if mentioned && len(name) >= max(config.Shortest, 1) && !yield(Mention{name}) {
				return
			}
		}
	}
}

func isBetweenWords(r rune) bool {
	return !unicode.IsLetter(r) && !unicode.IsDigit(r) && r != '_' && r != '@'
}

var operator = weir.FlatMap(mentions, weir.Keep("user"))

func init() { weir.Export(operator) }

// A component has no use for it, but Go wants one.
func main() {}
