package admin

import (
	"context"
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/zap"
)

// drill is a server whose drain the test leads.
type drill struct {
	*running
	draining, drained chan struct{}
	patience          chan time.Time // a value ends it
	asked             chan time.Duration
	stopped           chan struct{}
}

func newDrill(t *testing.T) *drill {
	t.Helper()
	d := &drill{draining: make(chan struct{}), drained: make(chan struct{}), patience: make(chan time.Time, 1),
		asked: make(chan time.Duration, 8), stopped: make(chan struct{}, 8)}
	s := New(Options{Draining: d.draining, Drained: d.drained})
	s.after = func(span time.Duration) (<-chan time.Time, func() bool) {
		d.asked <- span
		return d.patience, func() bool { d.stopped <- struct{}{}; return true }
	}
	d.running = startOn(t, s, "tcp", "127.0.0.1:0")
	return d
}

// wait asks for /drained, and returns once the server waits.
func (d *drill) wait(t *testing.T) <-chan got {
	t.Helper()
	answers := make(chan got, 1)
	go func() { defer close(answers); answers <- d.get(t, "/drained") }()
	if span := <-d.asked; span != 5*time.Second {
		t.Errorf("a drain is waited for %v, want 5s", span)
	}
	return answers
}

func TestDrainedAnswersWhenTheDrainIsOver(t *testing.T) {
	t.Parallel()
	d := newDrill(t)
	first := d.wait(t)
	close(d.draining)
	second := d.wait(t)
	select {
	case early := <-first:
		t.Fatalf("answered %v before the end", early)
	case early := <-second:
		t.Fatalf("answered %v before the end", early)
	default:
	}
	close(d.drained)
	(<-first).expect(t, 200, "drained\n")
	(<-second).expect(t, 200, "drained\n")
	(<-d.wait(t)).expect(t, 200, "drained\n")
}

func TestDrainedDoesNotWaitForADrainThatNobodyBegins(t *testing.T) {
	t.Parallel()
	d := newDrill(t)
	waiting := d.wait(t)
	d.patience <- time.Time{}
	(<-waiting).expect(t, http.StatusServiceUnavailable, "no drain has begun within 5s: run mtls-sidecar drain")
}

func TestDrainedWaitsForABegunDrainHoweverLongItTakes(t *testing.T) {
	t.Parallel()
	d := newDrill(t)
	close(d.draining)
	waiting := d.wait(t)
	d.patience <- time.Time{} // which counts no more
	later := d.wait(t)
	select {
	case early := <-waiting:
		t.Fatalf("answered %v before the end", early)
	default:
	}
	close(d.drained)
	(<-waiting).expect(t, 200, "drained\n")
	(<-later).expect(t, 200, "drained\n")
}

func TestDrainedStopsWaitingForAClientThatHasGone(t *testing.T) {
	t.Parallel()
	d := newDrill(t)
	ctx, leave := context.WithCancel(context.Background())
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, d.url+"/drained", nil)
	if err != nil {
		t.Fatal(err)
	}
	failed := make(chan error, 1)
	go func() {
		answer, err := plain.Do(request)
		if err == nil {
			answer.Body.Close()
		}
		failed <- err
	}()
	<-d.asked
	leave()
	if err := <-failed; err == nil {
		t.Error("answered, want the client's own error")
	}
	select {
	case <-d.stopped:
	case <-time.After(guard):
		t.Error("the server still waits for the drain")
	}
}

func TestClosingTellsThoseWhoWaitForADrain(t *testing.T) {
	t.Parallel()
	d := newDrill(t)
	close(d.draining)
	waiting := d.wait(t)
	ctx, cancel := context.WithTimeout(context.Background(), guard)
	defer cancel()
	if err := d.Close(ctx); err != nil {
		t.Errorf("closing: %v", err)
	}
	(<-waiting).expect(t, http.StatusServiceUnavailable, "stops without waiting")
}

func TestDrainIsBegunByPOSTWithTheHeaderAlone(t *testing.T) {
	t.Parallel()
	var begun atomic.Int32
	log, seen := observed(zap.InfoLevel)
	s := start(t, Options{Log: log, Drain: func() bool { return begun.Add(1) == 1 }})
	s.request(t, "POST", "/drain", "").expect(t, http.StatusForbidden, "Mtls-Sidecar: drain")
	s.request(t, "POST", "/drain", "", "Mtls-Sidecar", "yes").expect(t, http.StatusForbidden, "Mtls-Sidecar: drain")
	s.request(t, "GET", "/drain", "", "Mtls-Sidecar", "drain").expect(t, http.StatusMethodNotAllowed, "POST")
	if begun.Load() != 0 || seen.Len() != 0 {
		t.Fatalf("%d drains were begun, %v was logged: want neither", begun.Load(), seen.All())
	}
	s.request(t, "POST", "/drain", "", "Mtls-Sidecar", "drain").expect(t, 200, "a drain has begun; ")
	s.request(t, "POST", "/drain", "", "Mtls-Sidecar", "drain").expect(t, 200, "a drain has begun before")
	if seen.Len() != 1 || seen.All()[0].ContextMap()["client.address"] != "127.0.0.1" { // no port, as in every line
		t.Errorf("logged %v, want the drain's beginning by 127.0.0.1", seen.All())
	}
}
