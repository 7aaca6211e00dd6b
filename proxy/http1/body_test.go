package http1_test

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"mtls-sidecar/proxy/http1"
)

// outcome is all that can be seen of a body that was read to its end.
type outcome struct {
	data, rest, trailer string
	err                 error // nil: complete
}

// readBody reads a body to its end or first error, then what is left.
func readBody(src io.Reader, f http1.Framing, length int64, size int) outcome {
	var reader http1.Reader
	var body http1.Body
	reader.Reset(src, make([]byte, size))
	body.Reset(&reader, f, length)
	var o outcome
	var data, rest strings.Builder
	for o.err == nil {
		var piece []byte
		piece, o.err = body.Next()
		data.Write(piece)
		if len(piece) == 0 && o.err == nil {
			o.err = errors.New("a piece is empty")
		}
	}
	o.data = data.String()
	if _, again := body.Next(); again != o.err {
		o.err = fmt.Errorf("after %v the next call gives %v", o.err, again)
	}
	if body.Done() != (o.err == io.EOF) {
		o.err = fmt.Errorf("Done is %v after %v", body.Done(), o.err)
	}
	if o.err != io.EOF {
		return o
	}
	o.err = nil
	for _, f := range body.Trailer() {
		o.trailer += fmt.Sprintf("%s: %s\r\n", f.Name, f.Value)
	}
	for err := error(nil); err == nil; err = reader.Fill() {
		rest.Write(reader.Buffered())
		reader.Advance(len(reader.Buffered()))
	}
	o.rest = rest.String()
	return o
}

// everyWay reads wire whole, byte by byte, in two parts split at every byte,
// and with buffers of several sizes, and checks that nothing changes.
func everyWay(t *testing.T, wire string, f http1.Framing, length int64) outcome {
	t.Helper()
	want := readBody(strings.NewReader(wire), f, length, len(wire)+1)
	check := func(how string, got outcome) {
		t.Helper()
		if got != want {
			t.Errorf("%.60q %s: got %+v, want %+v", wire, how, got, want)
		}
	}
	for _, size := range []int{1, 2, 3, 7, 64} {
		check(fmt.Sprintf("with a buffer of %d", size), readBody(strings.NewReader(wire), f, length, size))
		check(fmt.Sprintf("byte by byte with a buffer of %d", size),
			readBody(iotest.OneByteReader(strings.NewReader(wire)), f, length, size))
		check(fmt.Sprintf("with the end beside the last bytes and a buffer of %d", size),
			readBody(iotest.DataErrReader(strings.NewReader(wire)), f, length, size))
	}
	if len(wire) < 300 {
		for split := range len(wire) {
			parts := io.MultiReader(strings.NewReader(wire[:split]), strings.NewReader(wire[split:]))
			check(fmt.Sprintf("split at %d", split), readBody(parts, f, length, len(wire)+1))
		}
	}
	return want
}

func TestBodyEndsWhereItsFramingSays(t *testing.T) { // RFC 9112 §6.3
	rows := []struct {
		framing http1.Framing
		length  int64
		wire    string
		want    outcome
	}{
		{http1.NoBody, 0, "next", outcome{rest: "next"}},
		{http1.NoBody, 5, "next", outcome{rest: "next"}},
		{http1.Length, 0, "next", outcome{rest: "next"}},
		{http1.Length, 5, "hellonext", outcome{data: "hello", rest: "next"}},
		{http1.Length, 5, "hello", outcome{data: "hello"}},
		{http1.Length, 5, "hell", outcome{data: "hell", err: io.ErrUnexpectedEOF}},
		{http1.Length, 5, "", outcome{err: io.ErrUnexpectedEOF}},
		{http1.UntilClose, 0, "hello\r\n\r\n", outcome{data: "hello\r\n\r\n"}},
		{http1.UntilClose, 0, "", outcome{}},
	}
	for _, row := range rows {
		if got := everyWay(t, row.wire, row.framing, row.length); got != row.want {
			t.Errorf("framing %d, length %d, %q: got %+v, want %+v", row.framing, row.length, row.wire, got, row.want)
		}
	}
}

func TestBodyZeroValueIsComplete(t *testing.T) {
	var body http1.Body
	if _, err := body.Next(); err != io.EOF || !body.Done() || !body.Ready() {
		t.Errorf("got %v, done %v, ready %v", err, body.Done(), body.Ready())
	}
}

func TestBodyPassesTheSourcesErrorOnAndGoesOn(t *testing.T) {
	late := errors.New("too late")
	for f, want := range map[http1.Framing]string{
		http1.Length: "3\r\nabc\r\n0\r\n\r\n", http1.UntilClose: "3\r\nabc\r\n0\r\n\r\n", http1.Chunked: "abc",
	} {
		var reader http1.Reader
		var body http1.Body
		reader.Reset(&scripted{parts: []any{"3\r", late, "\nabc\r\n0\r\n\r\n"}}, make([]byte, 64))
		body.Reset(&reader, f, int64(len(want)))
		var data []byte
		var faults []error
		for !body.Done() && len(faults) < 3 {
			piece, err := body.Next()
			data = append(data, piece...)
			if err != nil && err != io.EOF {
				faults = append(faults, err)
			}
		}
		if len(faults) != 1 || faults[0] != late || string(data) != want {
			t.Errorf("framing %d: got %q and errors %v, want %q and one error", f, data, faults, want)
		}
	}
}

// scripted returns its parts, strings or errors, one for each Read.
type scripted struct {
	parts []any
	reads int
}

func (s *scripted) Read(p []byte) (int, error) {
	s.reads++
	if len(s.parts) == 0 {
		return 0, io.EOF
	}
	part := s.parts[0]
	s.parts = s.parts[1:]
	if err, ok := part.(error); ok {
		return 0, err
	}
	return copy(p, part.(string)), nil
}

func TestLeftIsWhatALengthPromises(t *testing.T) {
	const wire = "5\r\nhello\r\n0\r\n\r\n"
	for _, row := range []struct {
		framing       http1.Framing
		length        int64
		before, after int64 // the first piece
	}{
		{http1.Length, 100, 100, 100 - int64(len(wire))},
		{http1.Length, 3, 3, 0},
		{http1.Chunked, -1, 0, 0},
		{http1.UntilClose, -1, 0, 0},
	} {
		var reader http1.Reader
		var body http1.Body
		reader.Reset(strings.NewReader(wire), make([]byte, 64))
		body.Reset(&reader, row.framing, row.length)
		before := body.Left()
		_, err := body.Next()
		if after := body.Left(); err != nil || before != row.before || after != row.after {
			t.Errorf("framing %v of %d: %d left, then %d, %v; want %d, then %d", row.framing, row.length, before, after, err, row.before, row.after)
		}
	}
	var reader http1.Reader
	var body http1.Body
	reader.Reset(strings.NewReader("5\r\nhe"), make([]byte, 64))
	body.Reset(&reader, http1.Chunked, -1)
	if _, err := body.Next(); err != nil || body.Left() != 0 {
		t.Errorf("within a chunk %d are left, %v; want 0, since nobody knows of the body", body.Left(), err)
	}
}

// Ready must be exact: a relay that is told too little flushes too often, one
// that is told too much keeps bytes back while it waits.
func TestReadySaysWhetherNextReads(t *testing.T) {
	const chunked = "5;x=y\r\nhello\r\n00a\r\n0123456789\r\n0\r\nA: b\r\n\r\nnext"
	rows := []struct {
		framing http1.Framing
		wire    string
	}{
		{http1.NoBody, "next"}, {http1.Length, "0123456789next"}, {http1.Length, "01234"}, {http1.UntilClose, "0123456789"},
		{http1.Chunked, chunked}, {http1.Chunked, "3\r\nabc\r\n0\r\n\r\n"}, {http1.Chunked, "3\r\nabcd\r\n"}, {http1.Chunked, "g"},
	}
	for _, row := range rows {
		for split := range row.wire {
			for second := split; second < len(row.wire); second++ {
				src := &scripted{parts: []any{row.wire[:split], row.wire[split:second], row.wire[second:]}}
				src.parts = withoutEmpty(src.parts)
				checkReady(t, src, row.framing)
			}
		}
	}
}

func withoutEmpty(parts []any) (kept []any) {
	for _, p := range parts {
		if p != "" {
			kept = append(kept, p)
		}
	}
	return kept
}

func checkReady(t *testing.T, src *scripted, f http1.Framing) {
	t.Helper()
	var reader http1.Reader
	var body http1.Body
	reader.Reset(src, make([]byte, 64))
	body.Reset(&reader, f, 10)
	for {
		ready, before := body.Ready(), src.reads
		_, err := body.Next()
		if read := src.reads > before; ready == read {
			t.Fatalf("framing %d: Ready was %v, but Next read is %v", f, ready, read)
		}
		if err != nil {
			return
		}
	}
}
