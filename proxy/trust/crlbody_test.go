package trust

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"
)

func TestAnAnswerIsReadWholeOrRefused(t *testing.T) {
	broken := errors.New("broken")
	large := strings.Repeat("0123456789abcdef", 20<<10) // several pieces
	for _, c := range []struct {
		name       string
		r          io.Reader
		size, most int64
		want       string
		err        error // nil with want "": a CRLError
	}{
		{"of a length", strings.NewReader("12345"), 5, 5, "12345", nil},
		{"of a length in bits", iotest.OneByteReader(strings.NewReader("12345")), 5, 9, "12345", nil},
		{"longer than allowed by its length", strings.NewReader("12345"), 5, 4, "", nil},
		{"shorter than its length", strings.NewReader("1234"), 5, 9, "", io.ErrUnexpectedEOF},
		{"nothing of a length", strings.NewReader(""), 5, 9, "", io.ErrUnexpectedEOF},
		{"broken off", io.MultiReader(strings.NewReader("1"), iotest.ErrReader(broken)), 5, 9, "", broken},
		{"of unknown length", strings.NewReader("12345"), -1, 9, "12345", nil},
		{"of unknown length, just allowed", strings.NewReader("12345"), -1, 5, "12345", nil},
		{"of unknown length, not allowed", strings.NewReader("12345"), -1, 4, "", nil},
		{"of unknown length, broken off", io.MultiReader(strings.NewReader("1"), iotest.ErrReader(broken)), -1, 9, "", broken},
		{"of unknown length, cut short", io.MultiReader(strings.NewReader("1"), iotest.ErrReader(io.ErrUnexpectedEOF)), -1, 9, "", io.ErrUnexpectedEOF},
		{"of unknown length, with the end told at once", iotest.DataErrReader(strings.NewReader("12345")), -1, 5, "12345", nil},
		{"in pieces", strings.NewReader(large), -1, 1 << 20, large, nil},
		{"in pieces, just allowed", strings.NewReader(large), -1, int64(len(large)), large, nil},
		{"in pieces, not allowed", strings.NewReader(large), -1, int64(len(large)) - 1, "", nil},
		{"in pieces, slowly", iotest.HalfReader(strings.NewReader(large)), -1, 1 << 20, large, nil},
	} {
		got, err := readBody(c.r, c.size, c.most)
		var fault *CRLError
		switch {
		case c.want != "" && (err != nil || string(got) != c.want):
			t.Errorf("%s: %d bytes, error %v", c.name, len(got), err)
		case c.want == "" && c.err != nil && !errors.Is(err, c.err):
			t.Errorf("%s: error %v, want %v", c.name, err, c.err)
		case c.want == "" && c.err == nil && (!errors.As(err, &fault) || !strings.Contains(err.Error(), "MTLS_CRL_MAX_BYTES")):
			t.Errorf("%s: error %v, want one that names the limit", c.name, err)
		case c.want == "" && got != nil:
			t.Errorf("%s: %d bytes beside an error", c.name, len(got))
		}
	}
}

func TestAnAnswerIsInMemoryTwiceAtMost(t *testing.T) {
	const size = 24 << 20
	list := make([]byte, size)
	for name, c := range map[string]struct {
		length int64
		times  uint64
	}{"of a length": {size, 1}, "of unknown length": {-1, 2}} {
		var body []byte
		var err error
		got := allocated(func() { body, err = readBody(bytes.NewReader(list), c.length, 64<<20) })
		if err != nil || len(body) != size || cap(body) > size+size/16 {
			t.Errorf("%s: %d bytes in a buffer of %d, error %v", name, len(body), cap(body), err)
		}
		// Sizes are rounded up, and the last piece may be empty for the most part.
		if got > c.times*size+largePiece+size/16 {
			t.Errorf("%s: %d bytes allocated for %d", name, got, size)
		}
	}
}

func TestAnAnswerThatNeverEndsIsNotGathered(t *testing.T) {
	const most = 1 << 20
	var err error
	got := allocated(func() { _, err = readBody(endlessAnswer{}, -1, most) })
	if err == nil || got > 2*most {
		t.Errorf("%d bytes allocated for a limit of %d, error %v", got, most, err)
	}
}

type endlessAnswer struct{}

func (endlessAnswer) Read(p []byte) (int, error) { return len(p), nil }
