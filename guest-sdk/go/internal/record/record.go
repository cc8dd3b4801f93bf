// Package record has structs as rows: their fields' columns, and how rows are put together from columns and taken apart.
package record

import (
	"fmt"
	"reflect"
	"strings"
	"time"
	"unicode"

	"weir/internal/wire"
)

// sdk is the path of the package that operators are written with, which this one cannot import.
const sdk = "weir"

// Record is a struct as a row. It is made once; rows are then read and written without reflection.
type Record struct {
	Fields []Field
	size   uintptr
}

// Field is a column of a row.
type Field struct {
	Name     string
	Kind     wire.Type
	Nullable bool
	// Where the value lies in the struct.
	Offset uintptr
	// Where, of a Null, it says whether there is one.
	valid uintptr
	// Whether the value is a time.Time: a timestamp may also be a plain integer.
	isTime bool
}

// Of says what a struct is as a row.
func Of[T any]() (*Record, error) {
	return OfStruct(reflect.TypeFor[T](), fieldOf)
}

// OfStruct says which columns a struct has, of which `fieldOf` knows the types.
func OfStruct(of reflect.Type, fieldOf func(name string, of reflect.Type) (Field, error)) (*Record, error) {
	if of.Kind() != reflect.Struct {
		return nil, fmt.Errorf("%s is no struct", of)
	}
	made := &Record{size: of.Size()}
	for index := range of.NumField() {
		member := of.Field(index)
		tag, tagged := member.Tag.Lookup("weir")
		name, null := strings.CutSuffix(tag, ",null")
		if name == "-" || !member.IsExported() && !tagged {
			continue
		}
		if !member.IsExported() {
			return nil, fmt.Errorf("%s.%s is a column, and must be exported", of, member.Name)
		}
		if name == "" {
			name = snake(member.Name)
		}
		field, err := fieldOf(name, member.Type)
		if err != nil {
			return nil, fmt.Errorf("%s.%s: %w", of, member.Name, err)
		}
		field.Nullable = field.Nullable || null
		field.Offset += member.Offset
		field.valid += member.Offset
		made.Fields = append(made.Fields, field)
	}
	return made, nil
}

var kinds = map[reflect.Type]wire.Type{
	reflect.TypeFor[bool]():      wire.Boolean,
	reflect.TypeFor[int64]():     wire.Int64,
	reflect.TypeFor[int]():       wire.Int64,
	reflect.TypeFor[float64]():   wire.Float64,
	reflect.TypeFor[time.Time](): wire.Timestamp,
	reflect.TypeFor[string]():    wire.Utf8,
	reflect.TypeFor[[]byte]():    wire.Binary,
}

func fieldOf(name string, of reflect.Type) (Field, error) {
	made := Field{Name: name}
	if of.PkgPath() == sdk && strings.HasPrefix(of.Name(), "Null[") {
		made.Nullable = true
		made.valid = of.Field(1).Offset
		of = of.Field(0).Type
	}
	kind, ok := kinds[of]
	if of.PkgPath() == sdk && of.Name() == "Timestamp" {
		kind, ok = wire.Timestamp, true
	}
	if !ok {
		return Field{}, fmt.Errorf("a column cannot be %s: it is string, []byte, int64, int, float64, bool, time.Time or "+
			"weir.Timestamp, or weir.Null of one", of)
	}
	made.Kind = kind
	made.isTime = of == reflect.TypeFor[time.Time]()
	return made, nil
}

// Announced is the fields as the host wants to hear of them.
func (r *Record) Announced() []wire.Field {
	fields := make([]wire.Field, len(r.Fields))
	for i, field := range r.Fields {
		fields[i] = wire.Field{Name: field.Name, Type: field.Kind, Nullable: field.Nullable}
	}
	return fields
}

// snake is a field's name as a column's: UserID is user_id.
func snake(name string) string {
	var out strings.Builder
	letters := []rune(name)
	for i, letter := range letters {
		if unicode.IsUpper(letter) && i > 0 {
			begins := i+1 < len(letters) && unicode.IsLower(letters[i+1])
			if unicode.IsLower(letters[i-1]) || unicode.IsDigit(letters[i-1]) || begins {
				out.WriteByte('_')
			}
		}
		out.WriteRune(unicode.ToLower(letter))
	}
	return out.String()
}
