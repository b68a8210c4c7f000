// Package wire has the type of the fields of generated responses.
package wire

import (
	"encoding/json"
	"strconv"
)

// A Field is a field of a JSON object that records how it was given, because
// encoding/json accepts one that is missing, null or duplicated.
type Field[T any] struct {
	Value T
	Times int  // how often the field was given, in any spelling
	Null  bool // whether it was null
	Wrong bool // whether it was something else that is not a T
}

// UnmarshalJSON never fails: the caller names the field in its error. Plain values
// don't go through json.Unmarshal, which is slow for so little.
func (f *Field[T]) UnmarshalJSON(data []byte) error {
	f.Times++
	f.Null = f.Null || data[0] == 'n'
	err := strconv.ErrSyntax
	switch value := any(&f.Value).(type) {
	case *int64:
		*value, err = strconv.ParseInt(string(data), 10, 64)
	case *string: // Unquote fails for the JSON strings that it would read differently
		*value, err = strconv.Unquote(string(data))
	}
	f.Wrong = f.Wrong || err != nil && json.Unmarshal(data, &f.Value) != nil
	return nil
}
