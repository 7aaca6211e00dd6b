package proxy

import (
	"strings"
	"testing"

	"mtls-sidecar/proxy/http1"
)

func lentTo(w *work) string {
	switch {
	case w.huge != nil && w.large != nil:
		return "both"
	case w.huge != nil:
		return "huge"
	case w.large != nil:
		return "large"
	default:
		return "none"
	}
}

// answerReader is an exchange of s with a reader that holds unread bytes.
func answerReader(s *Server) (*exchange, *http1.Reader) {
	x := &exchange{server: s, work: newWork(bufferSize, 2*bufferSize)}
	r := new(http1.Reader)
	r.Reset(strings.NewReader("unread, and what follows"), x.work.answerIn[:len("unread")])
	_ = r.Fill()
	return x, r
}

func TestAnAnswersBufferGrowsWithTheAnswer(t *testing.T) {
	s := &Server{}
	x, r := answerReader(s)
	for _, step := range []struct {
		length int64
		want   string
	}{
		{-1, "none"}, // not known yet
		{largeAnswer - 1, "none"},
		{largeAnswer, "large"},
		{hugeAnswer - 1, "large"},
		{hugeAnswer, "huge"},
		{largeAnswer, "huge"},
	} {
		x.enlarge(r, step.length)
		if got := lentTo(x.work); got != step.want {
			t.Errorf("after %d bytes: %s is lent, want %s", step.length, got, step.want)
		}
		if got := string(r.Buffered()); got != "unread" {
			t.Fatalf("after %d bytes: unread is %q, want %q", step.length, got, "unread")
		}
	}
	x.work.shrink()
	if got := lentTo(x.work); got != "none" || s.hugeLent.Load() != 0 {
		t.Errorf("given back: %s is lent, %d counted; want none and 0", got, s.hugeLent.Load())
	}
}

// Clients that read slowly hold their answers' buffers.
func TestNoMoreThanSoManyAnswersHaveHugeBuffers(t *testing.T) {
	s := &Server{}
	var all []*exchange
	for range maxHuge {
		x, r := answerReader(s)
		x.enlarge(r, hugeAnswer)
		all = append(all, x)
		if got := lentTo(x.work); got != "huge" {
			t.Fatalf("answer %d has %s, want huge", len(all), got)
		}
	}
	x, r := answerReader(s)
	x.enlarge(r, hugeAnswer)
	if got := lentTo(x.work); got != "large" {
		t.Errorf("one more has %s, want large", got)
	}
	all[0].work.shrink()
	x.enlarge(r, hugeAnswer)
	if got := lentTo(x.work); got != "huge" {
		t.Errorf("after one has been given back it has %s, want huge", got)
	}
	x.work.shrink()
	for _, x := range all[1:] {
		x.work.shrink()
	}
	if got := s.hugeLent.Load(); got != 0 {
		t.Errorf("%d counted at the end, want 0", got)
	}
}
