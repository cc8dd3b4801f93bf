// Package wit_types has the types that the generated bindings are written in: an option, a result, a tuple.
package wit_types

// Tags of an option and a result, as they cross.
const (
	OptionNone = 0
	OptionSome = 1
	ResultOk   = 0
	ResultErr  = 1
)

// Option is a value, or none.
type Option[T any] struct {
	there bool
	value T
}

// Some is a value.
func Some[T any](value T) Option[T] { return Option[T]{there: true, value: value} }

// None is no value.
func None[T any]() Option[T] { return Option[T]{} }

// Tag says which it is.
func (o Option[T]) Tag() uint8 {
	if o.there {
		return OptionSome
	}
	return OptionNone
}

// Some is the value, which must be there.
func (o Option[T]) Some() T {
	if !o.there {
		panic("an option without a value")
	}
	return o.value
}

// SomeOr is the value, or this one.
func (o Option[T]) SomeOr(otherwise T) T {
	if o.there {
		return o.value
	}
	return otherwise
}

// Result is a value, or what went wrong.
type Result[T, E any] struct {
	failed bool
	value  T
	err    E
}

// Ok is a value.
func Ok[T, E any](value T) Result[T, E] { return Result[T, E]{value: value} }

// Err is what went wrong.
func Err[T, E any](err E) Result[T, E] { return Result[T, E]{failed: true, err: err} }

// Tag says which it is.
func (r Result[T, E]) Tag() uint8 {
	if r.failed {
		return ResultErr
	}
	return ResultOk
}

// Ok is the value, which must be there.
func (r Result[T, E]) Ok() T {
	if r.failed {
		panic("a result without a value")
	}
	return r.value
}

// Err is what went wrong, which something must have.
func (r Result[T, E]) Err() E {
	if !r.failed {
		panic("a result without an error")
	}
	return r.err
}

// Tuple2 is two values.
type Tuple2[A, B any] struct {
	F0 A
	F1 B
}
