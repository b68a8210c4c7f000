// Package wire has the type of the fields of generated responses.
package wire

import (
	"bytes"
	"encoding/json"
)

// A Field is a field of a JSON object that records how it was given, because
// encoding/json accepts one that is missing, null or duplicated.
type Field[T any] struct {
	Value T
	Times int  // how often the field was given, in any spelling
	Null  bool // whether it was null
	Wrong bool // whether it was something else that is not a T
}

// UnmarshalJSON never fails: the caller names the field in its error.
func (f *Field[T]) UnmarshalJSON(data []byte) error {
	f.Times++
	switch value, isString := any(&f.Value).(*string); {
	case string(data) == "null":
		f.Null = true
	case isString && data[0] == '"' && bytes.IndexByte(data, '\\') < 0:
		*value = string(data[1 : len(data)-1]) // json.Unmarshal would allocate more
	default:
		f.Wrong = json.Unmarshal(data, &f.Value) != nil || f.Wrong
	}
	return nil
}
