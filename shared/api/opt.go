package api

import (
	"encoding/json"
	"reflect"

	"github.com/danielgtaylor/huma/v2"
)

// Opt is a field whose absence, null and value are three different things. In bodies tag it `json:"name,omitzero"`: without
// omitzero it counts as required on the way in, and an absent one goes out as null. It serves query and header parameters too,
// where it tells absent from the zero value.
type Opt[T any] struct {
	present bool
	null    bool
	value   T
}

// Some is a field with a value.
func Some[T any](v T) Opt[T] { return Opt[T]{present: true, value: v} }

// Null is a field that is there and null.
func Null[T any]() Opt[T] { return Opt[T]{present: true, null: true} }

// SomeOrNull is a field that is null when v is nil.
func SomeOrNull[T any](v *T) Opt[T] {
	if v == nil {
		return Null[T]()
	}
	return Some(*v)
}

// IsZero reports whether the field is absent; encoding/json asks it for omitzero.
func (o Opt[T]) IsZero() bool { return !o.present }

// IsNull reports whether the field is there and null.
func (o Opt[T]) IsNull() bool { return o.present && o.null }

// Get returns the value, and whether there is one.
func (o Opt[T]) Get() (T, bool) { return o.value, o.present && !o.null }

// Or returns the value, or other when the field is absent or null.
func (o Opt[T]) Or(other T) T {
	if v, ok := o.Get(); ok {
		return v
	}
	return other
}

// Apply changes what the field speaks of: a value replaces *to, null sets it to its zero value, absence leaves it.
func (o Opt[T]) Apply(to *T) {
	if o.present {
		*to = o.value
	}
}

// MarshalJSON writes the value or null.
func (o Opt[T]) MarshalJSON() ([]byte, error) {
	if v, ok := o.Get(); ok {
		return json.Marshal(v)
	}
	return []byte("null"), nil
}

// UnmarshalJSON is called for fields that are there.
func (o *Opt[T]) UnmarshalJSON(b []byte) error {
	*o = Opt[T]{present: true, null: string(b) == "null"}
	if o.null {
		return nil
	}
	return json.Unmarshal(b, &o.value)
}

// Schema is that of T, or null. Structs are described in place: a reference cannot be nullable.
func (o Opt[T]) Schema(r huma.Registry) *huma.Schema {
	s := *r.Schema(reflect.TypeFor[T](), false, "")
	s.Nullable = true
	return &s
}

// Receiver is where huma puts a parameter.
func (o *Opt[T]) Receiver() reflect.Value { return reflect.ValueOf(&o.value).Elem() }

// OnParamSet is how huma says whether the parameter was there.
func (o *Opt[T]) OnParamSet(present bool, _ any) { o.present = present }

// of is the type of the value.
func (o *Opt[T]) of() reflect.Type { return reflect.TypeFor[T]() }
