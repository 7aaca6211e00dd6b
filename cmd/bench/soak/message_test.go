package soak

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
)

func noiseOf(seed uint64, size int) []byte {
	all, _ := io.ReadAll(newNoise(seed, size)) // noise does not fail
	return all
}

func TestNoPartOfTheNoiseIsLikeAnother(t *testing.T) {
	all := noiseOf(1, 4096)
	for i := 0; i+8 <= len(all); i += 8 {
		if again := bytes.Index(all[i+1:], all[i:i+8]); again >= 0 {
			t.Fatalf("the bytes at %d come again at %d", i, i+1+again)
		}
	}
	if bytes.Equal(all, noiseOf(2, 4096)) {
		t.Error("two seeds make the same noise")
	}
}

func TestEveryChangeOfBytesIsSeen(t *testing.T) {
	cut := errors.New("cut")
	good := noiseOf(7, 100_000)
	flipped := bytes.Clone(good)
	flipped[77_777] ^= 1
	for name, c := range map[string]struct {
		got   []byte
		end   error
		wrong bool
		clean bool
		err   bool
	}{
		"the same":                  {good, io.EOF, false, false, false},
		"one bit":                   {flipped, io.EOF, true, false, false},
		"one byte too few":          {good[:len(good)-1], io.EOF, true, true, false},
		"one byte missing":          {append(bytes.Clone(good[:500]), good[501:]...), io.EOF, true, false, false},
		"one byte twice":            {append(bytes.Clone(good[:500]), good[499:]...), io.EOF, true, false, false},
		"one byte too many":         {append(bytes.Clone(good), 'x'), io.EOF, true, false, false},
		"nothing":                   {nil, io.EOF, true, true, false},
		"cut":                       {good[:50_000], cut, false, false, true},
		"cut after the last byte":   {good, cut, false, false, true},
		"changed before it was cut": {flipped[:90_000], cut, true, false, false},
	} {
		wrong, clean, err := compare(io.MultiReader(bytes.NewReader(c.got), failing{c.end}), 7, len(good))
		if (wrong != "") != c.wrong || clean != c.clean || (err != nil) != c.err {
			t.Errorf("%s: got %q, %t, %v", name, wrong, clean, err)
		}
	}
}

type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }

func TestAnswersOtherThanWhatIsDueAreSeen(t *testing.T) {
	get := message{method: http.MethodGet, work: sayPath, status: 200, answer: 5, noise: 3}
	body := string(noiseOf(3, 5))
	for name, c := range map[string]struct {
		m     message
		text  string
		wrong bool
	}{
		"as due":             {get, "200 OK\r\nSoak-Id: id\r\nContent-Length: 5\r\n\r\n" + body, false},
		"another's":          {get, "200 OK\r\nSoak-Id: id2\r\nContent-Length: 5\r\n\r\n" + body, true},
		"two ids":            {get, "200 OK\r\nSoak-Id: id\r\nSoak-Id: id\r\nContent-Length: 5\r\n\r\n" + body, true},
		"another status":     {get, "404 Not Found\r\nSoak-Id: id\r\nContent-Length: 5\r\n\r\n" + body, true},
		"another body":       {get, "200 OK\r\nSoak-Id: id\r\nContent-Length: 5\r\n\r\nabcde", true},
		"a sum":              {message{method: "POST", status: 200, sum: "3 abc "}, "200 OK\r\nSoak-Id: id\r\nContent-Length: 7\r\n\r\n3 abc \n", false},
		"another sum":        {message{method: "POST", status: 200, sum: "3 abc "}, "200 OK\r\nSoak-Id: id\r\nContent-Length: 7\r\n\r\n3 abd \n", true},
		"a lost trailer":     {message{method: "POST", status: 200, sum: "3 abc ", trailer: true}, "200 OK\r\nSoak-Id: id\r\nContent-Length: 7\r\n\r\n3 abc \n", true},
		"a length for HEAD":  {message{method: "HEAD", status: 200, answer: 7}, "200 OK\r\nSoak-Id: id\r\nContent-Length: 7\r\n\r\n", false},
		"another for HEAD":   {message{method: "HEAD", status: 200, answer: 7}, "200 OK\r\nSoak-Id: id\r\nContent-Length: 8\r\n\r\n", true},
		"a trailer":          {message{method: "GET", status: 200, ends: true}, "200 OK\r\nSoak-Id: id\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nSoak-End: id\r\n\r\n", false},
		"no trailer":         {message{method: "GET", status: 200, ends: true}, "200 OK\r\nSoak-Id: id\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", true},
		"a page, not theirs": {get, "400 Bad Request\r\nContent-Length: 0\r\n\r\n", false},
	} {
		answer, err := http.ReadResponse(bufio.NewReader(strings.NewReader("HTTP/1.1 "+c.text)), &http.Request{Method: c.m.method})
		if err != nil {
			t.Fatal(err)
		}
		o := judgeAnswer(answer, &request{id: "id"}, c.m)
		if (o.wrong != "") != c.wrong || o.err != nil {
			t.Errorf("%s: got %+v", name, o)
		}
	}
}

// The examples of RFC 6455 §1.3 and §5.7.
func TestFramesAreThoseOfWebSockets(t *testing.T) {
	if got, want := acceptOf("dGhlIHNhbXBsZSBub25jZQ=="), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	masked := append([]byte{0x82}, 0x85, 0x37, 0xfa, 0x21, 0x3d, 0x7f, 0x9f, 0x4d, 0x51, 0x58)
	if got := appendFrame(nil, []byte("Hello"), 0x37fa213d); !bytes.Equal(got, masked) {
		t.Errorf("got % x, want % x", got, masked)
	}
	for length, head := range map[int][]byte{256: {0x82, 0x7e, 1, 0}, 65536: {0x82, 0x7f, 0, 0, 0, 0, 0, 1, 0, 0}} {
		frame := appendFrame(nil, noiseOf(1, length), 0)
		if !bytes.HasPrefix(frame, head) {
			t.Errorf("%d bytes begin with % x, want % x", length, frame[:len(head)], head)
		}
		if got, err := readFrame(bytes.NewReader(frame)); err != nil || !bytes.Equal(got, noiseOf(1, length)) {
			t.Errorf("%d bytes came back as %d, %v", length, len(got), err)
		}
	}
	if got, err := readFrame(bytes.NewReader(masked)); err != nil || string(got) != "Hello" {
		t.Errorf("got %q, %v", got, err)
	}
}
