package wire

import (
	"encoding/json"
	"math"
	"testing"
)

func TestField(t *testing.T) {
	type object struct {
		S Field[string] `json:"s"`
		N Field[int64]  `json:"n"`
		B Field[bool]   `json:"b"`
	}
	text := func(s string) object { return object{S: Field[string]{Value: s, times: 1}} }
	for body, want := range map[string]object{
		`{}`:                               {},
		`{"s":""}`:                         text(""),
		`{"s":"x"}`:                        text("x"),
		`{"s":"a\u0062\n\"\\"}`:            text("ab\n\"\\"),
		`{"S":"x"}`:                        text("x"),
		`{"s":"\u00e9\/\b\f\r\t"}`:         text("é/\b\f\r\t"),
		`{"s":"'\ud83d\ude00` + "`" + `"}`: text("'😀`"),
		`{"s":"\ud800x"}`:                  text("\ufffdx"),
		`{"s":null}`:                       {S: Field[string]{times: 1, null: true}},
		`{"s":"x","S":"y"}`:                {S: Field[string]{Value: "y", times: 2}},
		`{"s":null,"s":"x"}`:               {S: Field[string]{Value: "x", times: 2, null: true}},
		`{"s":1}`:                          {S: Field[string]{times: 1, wrong: true}},
		`{"s":["x"]}`:                      {S: Field[string]{times: 1, wrong: true}},
		`{"n":12,"b":true}`:                {N: Field[int64]{Value: 12, times: 1}, B: Field[bool]{Value: true, times: 1}},
		`{"n":-1,"b":false}`:               {N: Field[int64]{Value: -1, times: 1}, B: Field[bool]{times: 1}},
		`{"n":1.5,"b":"true"}`:             {N: Field[int64]{times: 1, wrong: true}, B: Field[bool]{times: 1, wrong: true}},
		`{"n":1e3,"b":1}`:                  {N: Field[int64]{times: 1, wrong: true}, B: Field[bool]{times: 1, wrong: true}},
		`{"n":9223372036854775808}`:        {N: Field[int64]{Value: math.MaxInt64, times: 1, wrong: true}},
	} {
		var got object
		if err := json.Unmarshal([]byte(body), &got); err != nil {
			t.Errorf("%s: %v", body, err)
		}
		if got != want {
			t.Errorf("%s: got %+v, want %+v", body, got, want)
		}
	}
}

// Decoding must allocate little, because every call does it.
func TestFieldAllocations(t *testing.T) {
	body := []byte(`{"token":"lt_0123456789","expiresAt":1893456000000}`)
	allocs := testing.AllocsPerRun(100, func() {
		var got struct {
			Token     Field[string] `json:"token"`
			ExpiresAt Field[int64]  `json:"expiresAt"`
		}
		if err := json.Unmarshal(body, &got); err != nil {
			t.Fatal(err)
		}
	})
	t.Logf("%.0f allocations", allocs)
	if allocs > 10 {
		t.Errorf("%.0f allocations, want at most 10", allocs)
	}
}

// A Field must decode strings like encoding/json.
func FuzzString(f *testing.F) {
	for _, seed := range []string{`"x"`, `"\u0062\/"`, `"\ud83d\ude00"`, `"\ud800"`, `"'"`, "\"`\"", `""`, `"\"`, `null`, "\"\xff\""} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		var want string
		var got Field[string]
		wantErr := json.Unmarshal(data, &want)
		if !json.Valid(data) {
			return
		}
		if err := json.Unmarshal(data, &got); err != nil || got.wrong != (wantErr != nil) || !got.wrong && got.Value != want {
			t.Errorf("%q: got %+v, %v, want %q, %v", data, got, err, want, wantErr)
		}
	})
}
