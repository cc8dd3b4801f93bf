// A row for each hashtag of a text: a `#` and the letters, digits and underscores after it.
//
// Works on the whole column: one search goes through the bytes of all rows, and the tags are parts of them, which the host
// cuts out.
package main

import (
	"bytes"

	"weir"
)

// Posts is the column that is read.
type Posts struct {
	Text weir.Text `weir:"text"`
}

// Hashtags is the column that is added.
type Hashtags struct {
	// The tags with their `#`, as they were written.
	Tag weir.Text `weir:"tag"`
}

// hashtags answers with the hashtags of each post in order; one that is written twice comes twice.
func hashtags(rows int, posts *Posts, _ *weir.None) (weir.Answer[Hashtags], error) {
	text := &posts.Text
	found := weir.Slices{Starts: make([]uint32, 0, rows), Lengths: make([]uint32, 0, rows)}
	from := make([]uint32, 0, rows)
	row := 0
	for at := 0; ; {
		next := bytes.IndexByte(text.Data[at:], '#')
		if next < 0 {
			break
		}
		start := at + next
		for int(text.Offsets[row+1]) <= start {
			row++
		}
		end := start + 1
		for rowEnd := int(text.Offsets[row+1]); end < rowEnd && isOfTag[text.Data[end]]; end++ {
		}
		if end > start+1 && text.Valid.Has(row) {
			from = append(from, uint32(row))
			found.Starts = append(found.Starts, uint32(start))
			found.Lengths = append(found.Lengths, uint32(end-start))
		}
		at = end
	}
	return weir.Answer[Hashtags]{Columns: Hashtags{Tag: weir.Text{Slices: &found}}, From: from}, nil
}

// isOfTag says which bytes a tag has after its `#`; of a character beyond ASCII each byte has its highest bit set.
var isOfTag = func() (is [256]bool) {
	for b := range is {
		c := byte(b)
		is[b] = 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '_' || c >= 0x80
	}
	return is
}()

var operator = weir.Columns(hashtags)

func init() { weir.Export(operator) }

// A component has no use for it, but Go wants one.
func main() {}
