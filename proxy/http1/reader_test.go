package http1_test

import (
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"mtls-sidecar/proxy/http1"
)

func TestFillReadsOnceAndMovesUnreadBytesOnlyForRoom(t *testing.T) {
	var b http1.Reader
	b.Reset(strings.NewReader("abcdefgh"), make([]byte, 4))
	fill := func(want string, wantErr error) {
		t.Helper()
		if err := b.Fill(); err != wantErr {
			t.Errorf("Fill gives %v, want %v", err, wantErr)
		}
		if got := string(b.Buffered()); got != want {
			t.Errorf("buffered %q, want %q", got, want)
		}
	}
	fill("abcd", nil)
	fill("abcd", http1.ErrFull)
	b.Advance(1)
	fill("bcde", nil)
	fill("bcde", http1.ErrFull)
	b.Advance(4)
	fill("fgh", nil)
	b.Advance(2)
	fill("h", io.EOF)
	fill("h", io.EOF)
}

func TestFillGivesBytesBeforeTheErrorThatCameWithThem(t *testing.T) {
	var b http1.Reader
	b.Reset(iotest.DataErrReader(strings.NewReader("ab")), make([]byte, 8))
	if err := b.Fill(); err != nil || string(b.Buffered()) != "ab" {
		t.Errorf("got %q, %v, want ab first", b.Buffered(), err)
	}
	if err := b.Fill(); err != io.EOF {
		t.Errorf("got %v, want the error second", err)
	}
}

func TestFillGivesUpOnASourceThatReadsNothing(t *testing.T) {
	var b http1.Reader
	b.Reset(readNothing{}, make([]byte, 8))
	if err := b.Fill(); err != io.ErrNoProgress {
		t.Errorf("got %v, want io.ErrNoProgress", err)
	}
}

type readNothing struct{}

func (readNothing) Read([]byte) (int, error) { return 0, nil }

func TestGrowKeepsUnreadBytesAndReturnsTheOldBuffer(t *testing.T) {
	var b http1.Reader
	first := make([]byte, 4)
	b.Reset(strings.NewReader("abcdefgh"), first)
	if err := b.Fill(); err != nil {
		t.Fatal(err)
	}
	b.Advance(1)
	second := make([]byte, 6)
	if old := b.Grow(second); &old[0] != &first[0] {
		t.Error("the old buffer is not returned")
	}
	if &b.Buffer()[0] != &second[0] {
		t.Error("the new buffer is not the Reader's")
	}
	if err := b.Fill(); err != nil || string(b.Buffered()) != "bcdefg" {
		t.Errorf("buffered %q, %v, want bcdefg", b.Buffered(), err)
	}
	exact := make([]byte, 6)
	if b.Grow(exact); &b.Buffer()[0] != &exact[0] || string(b.Buffered()) != "bcdefg" {
		t.Errorf("a buffer that is just large enough was not taken: buffered %q", b.Buffered())
	}
	small := make([]byte, 5)
	if got := b.Grow(small); &got[0] != &small[0] || string(b.Buffered()) != "bcdefg" {
		t.Errorf("a buffer that is too small was taken: buffered %q", b.Buffered())
	}
}

func TestDetachLeavesTheSourceForTheNextBuffer(t *testing.T) {
	var b http1.Reader
	first := make([]byte, 2)
	b.Reset(strings.NewReader("abcd"), first)
	if err := b.Fill(); err != nil {
		t.Fatal(err)
	}
	b.Advance(2)
	if old := b.Detach(); &old[0] != &first[0] || b.Buffer() != nil || len(b.Buffered()) != 0 {
		t.Error("the buffer is not given back")
	}
	if err := b.Fill(); !errors.Is(err, http1.ErrFull) {
		t.Errorf("without a buffer Fill gives %v, want ErrFull", err)
	}
	if old := b.Grow(make([]byte, 2)); old != nil {
		t.Errorf("there was no old buffer, got %d bytes", len(old))
	}
	if err := b.Fill(); err != nil || string(b.Buffered()) != "cd" {
		t.Errorf("buffered %q, %v, want cd", b.Buffered(), err)
	}
}
