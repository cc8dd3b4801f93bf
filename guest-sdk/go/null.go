package weir

import "fmt"

// Null is a field of a row that may be null.
type Null[T any] struct {
	V     T
	Valid bool
}

// Some is a value that is not null.
func Some[T any](value T) Null[T] {
	return Null[T]{V: value, Valid: true}
}

// Or is the value, or another where it is null.
func (n Null[T]) Or(otherwise T) T {
	if n.Valid {
		return n.V
	}
	return otherwise
}

// String is the value's, or "null".
func (n Null[T]) String() string {
	if !n.Valid {
		return "null"
	}
	return fmt.Sprint(n.V)
}

// None is the config, or the row, of an operator that has none.
type None struct{}
