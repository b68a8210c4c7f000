// Package wire provides the type of the fields in generated response types.
package wire

import (
	"encoding/json"
	"strconv"
)

// A Field is a field of a JSON object. It records how the field occurred, because
// encoding/json accepts fields that are missing, null or duplicated.
type Field[T any] struct {
	Value T
	Times int  // the number of occurrences, in any spelling
	Null  bool // whether an occurrence was null
	Wrong bool // whether an occurrence had the wrong type
}

// UnmarshalJSON always returns nil, because only the caller can name the field in an
// error. It decodes simple values itself, because json.Unmarshal is slow for them.
func (f *Field[T]) UnmarshalJSON(data []byte) error {
	f.Times++
	f.Null = f.Null || data[0] == 'n'
	err := strconv.ErrSyntax
	switch value := any(&f.Value).(type) {
	case *int64:
		*value, err = strconv.ParseInt(string(data), 10, 64)
	case *string: // Unquote fails if encoding/json would decode the string differently
		*value, err = strconv.Unquote(string(data))
	}
	f.Wrong = f.Wrong || err != nil && json.Unmarshal(data, &f.Value) != nil
	return nil
}
