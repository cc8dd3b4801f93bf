// Package weir is for writing operators of the stream processor Weir as plain Go functions.
//
// An operator is a pure function over rows. Put its columns in structs, write the function, and export it:
//
//	type Post struct {
//		Text string `weir:"text"`
//	}
//
//	type Hashtag struct {
//		Tag string `weir:"tag"`
//	}
//
//	func hashtags(post Post, _ *weir.None) iter.Seq[Hashtag] {
//		return func(yield func(Hashtag) bool) {
//			for word := range strings.FieldsSeq(post.Text) {
//				if strings.HasPrefix(word, "#") && !yield(Hashtag{word}) {
//					return
//				}
//			}
//		}
//	}
//
//	var operator = weir.FlatMap(hashtags, weir.Keep("user"))
//
//	func init() { weir.Export(operator) }
//
//	func main() {}
//
// `weir plugin build` makes a component of it, which runs sandboxed on any host. Package weirtest runs it as the host
// does, natively.
//
// # Rows
//
// A row is a struct. Each exported field is a column, named by its tag `weir:"name"` or else by its own name in
// snake_case; `weir:"-"` is none. Its type is string, []byte, int64, int, float64, bool, [time.Time] or [Timestamp], or
// [Null] of one of them. As an operator's input a row says which columns the operator reads: no others cross into the
// sandbox. A row with a null in a field that is no Null is rejected. Text and bytes lie in the host's columns as they
// came: they are not copied, and must not be written to.
//
// # What goes wrong
//
// An error that a function returns for a row rejects the row; the pipeline says what for. A panic is logged with its stack,
// and the host rejects the smallest set of rows that panics. A column that is not there, or a config that is not valid,
// is found before the job starts.
package weir
