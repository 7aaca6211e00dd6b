package main

import (
	"encoding/xml"
	"errors"
	"io"
	"os"
	"strings"
	"testing"
	"time"
)

func TestPercentilesAreByNearestRank(t *testing.T) {
	thousand := make([]time.Duration, 1000)
	for i := range thousand {
		thousand[i] = time.Duration(i + 1)
	}
	for _, c := range []struct {
		all   []time.Duration
		share float64
		want  time.Duration
	}{
		{thousand, 0.5, 500}, {thousand, 0.99, 990}, {thousand, 0.999, 999}, {thousand, 1, 1000}, {thousand, 0, 1},
		{[]time.Duration{15, 20, 35, 40, 50}, 0.4, 20}, // 0.4 · 5 = 2
		{[]time.Duration{15, 20, 35, 40, 50}, 0.5, 35}, // 2.5, so the third
		{[]time.Duration{7}, 0.999, 7}, {nil, 0.5, 0},
	} {
		if got := percentile(c.all, c.share); got != c.want {
			t.Errorf("%g of %d: got %d, want %d", c.share, len(c.all), got, c.want)
		}
	}
}

func TestRoundsAreSummarizedByTheirMedian(t *testing.T) {
	for want, all := range map[summary][]float64{
		{2, 1, 9}: {9, 1, 2}, {2.5, 1, 9}: {9, 1, 2, 3}, {}: nil,
	} {
		if got := summarize(all); got != want {
			t.Errorf("%v: got %v, want %v", all, got, want)
		}
	}
}

// Round by round 10/20, 30/20, 8/10: 0.5, 1.5, 0.8. The ratio of the medians would be
// 0.5.
func TestRatiosAreTakenRoundByRound(t *testing.T) {
	if got, want := ratios([]float64{10, 30, 8}, []float64{20, 20, 10}), (summary{0.8, 0.5, 1.5}); got != want {
		t.Errorf("got %v, want %v", got, want)
	}
	if got := ratios([]float64{10}, nil); got != (summary{}) {
		t.Errorf("beside nobody: got %v", got)
	}
}

// stalling is a session whose first piece of work takes 10 ms, and each other 1 ms.
type stalling struct {
	now   time.Time
	first bool
	err   error
}

func (s *stalling) exchange() error {
	s.now = s.now.Add(time.Millisecond)
	if !s.first {
		s.now, s.first = s.now.Add(9*time.Millisecond), true
	}
	return s.err
}

func (*stalling) close() {}

// Due at 0, 1, 2 … 9 ms and done at 10, 11, 12 … 19 ms, each took 10 ms. Counted from
// when it was sent, nine of ten would seem to have taken 1 ms.
func TestWhatWaitsBehindASlowAnswerIsCountedAsSlow(t *testing.T) {
	begin := time.Unix(1000, 0)
	s := &stalling{now: begin}
	due := make(chan time.Time, 10)
	for i := range 10 {
		due <- begin.Add(time.Duration(i) * time.Millisecond)
	}
	close(due)
	var got []time.Duration
	err := serveDue(s, due, clock{func() time.Time { return s.now }, begin.Add(time.Minute)}, func(d time.Duration) { got = append(got, d) })
	if err != nil || len(got) != 10 {
		t.Fatalf("got %v, %v", got, err)
	}
	for i, d := range got {
		if d != 10*time.Millisecond {
			t.Errorf("the piece of work due after %d ms took %s, want 10ms", i, d)
		}
	}
}

func TestWhoDoesNotKeepUpIsTooSlow(t *testing.T) {
	begin := time.Unix(1000, 0)
	s := &stalling{now: begin}
	due := make(chan time.Time, 1)
	due <- begin
	err := serveDue(s, due, clock{func() time.Time { return s.now }, begin.Add(9 * time.Millisecond)}, func(time.Duration) {})
	if !errors.As(err, &tooSlowError{}) {
		t.Errorf("got %v, want that it is too slow", err)
	}
}

func TestARunWithAWrongAnswerIsNotReported(t *testing.T) {
	wrong := errors.New("a wrong answer")
	sessions := []session{&stalling{err: wrong}, &quick{}}
	if _, err := flatOut(t.Context(), sessions, time.Millisecond, func() (time.Duration, error) { return 0, nil }); !errors.Is(err, wrong) {
		t.Errorf("as fast as it goes: got %v, want the error", err)
	}
	if _, err := paced(t.Context(), sessions, 1e4, 5*time.Millisecond); !errors.Is(err, wrong) && !errors.Is(err, notLinux()) {
		t.Errorf("at a rate: got %v, want the error", err)
	}
	f := &finding{outcomes: []*outcome{{peer: peer{name: "A"}, rounds: []measure{{1, 1, 1}}, failed: wrong}}}
	if got := f.table(); len(got.rows) > 0 || !strings.Contains(got.note, "A is not reported: a wrong answer") {
		t.Errorf("got rows %q and note %q, want no row and a note", got.rows, got.note)
	}
}

// notLinux is what everything that asks the kernel fails with elsewhere.
func notLinux() error {
	_, err := newPulse(1e6)
	return err
}

// quick is a session that is always right.
type quick struct{}

func (*quick) exchange() error { return nil }
func (*quick) close()          {}

func comparedFinding() *finding {
	unit := time.Microsecond
	return &finding{work: work{title: "Work & <more>"}, rate: 12345, outcomes: []*outcome{
		{peer: peer{name: standard}, rounds: []measure{{20 * unit, 100, 0.9}}, latencies: []quantiles{{100 * unit, 200 * unit, 300 * unit}}},
		{peer: peer{name: us}, rounds: []measure{{10 * unit, 50, 1}}, slow: tooSlowError{12345}},
	}}
}

func TestATableComparesWithNginx(t *testing.T) {
	got := comparedFinding().table()
	want := [][]string{
		{"nginx", "20.0", "1.00", "1.00–1.00", "100", "90 %", "100", "200", "300"},
		{"mtls-sidecar", "10.0", "0.50", "0.50–0.50", "50.0", "100 %", "too slow", "", ""},
	}
	for i, row := range want {
		if strings.Join(got.rows[i], "|") != strings.Join(row, "|") {
			t.Errorf("got %q, want %q", got.rows[i], row)
		}
	}
	if at := got.columns[6]; at != "p50, µs, at 12,345/s" {
		t.Errorf("the rate is written %q", at)
	}
}

// Half of nginx's cost is half of unitWidth, which is 200.
func TestThePlotIsXMLWithABarForEach(t *testing.T) {
	drawn := string(plot([]*finding{comparedFinding()}, `A & "B"; C`))
	decoder := xml.NewDecoder(strings.NewReader(drawn))
	for {
		if _, err := decoder.Token(); err == io.EOF {
			break
		} else if err != nil {
			t.Fatalf("%v in\n%s", err, drawn)
		}
	}
	// The line of nginx's cost goes down to the last bar: two of 14 below a gap of 34.
	for _, part := range []string{`y1="64" x2="330" y2="126"`, ">C</text>", `width="200.0"`, `width="100.0"`, "Work &amp; &lt;more&gt;", ">0.50<", "mtls-sidecar"} {
		if !strings.Contains(drawn, part) {
			t.Errorf("there is no %s in\n%s", part, drawn)
		}
	}
}

func TestProgressIsShownOnATerminalAlone(t *testing.T) {
	file, err := os.Create(t.TempDir() + "/file")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	p := newProgress(file, 2)
	p.step("one")
	p.clear()
	if info, err := file.Stat(); err != nil || info.Size() > 0 {
		t.Errorf("something was written to a file: %v, %v", info, err)
	}
	var b strings.Builder
	p = &progress{to: &b, total: 2}
	p.step("one")
	p.step("two")
	if got := b.String(); !strings.Contains(got, "[..............................] 0/2 one") || !strings.Contains(got, "[###############...............] 1/2 two") {
		t.Errorf("got %q", got)
	}
}

func TestVersionsNameTheirOpenSSL(t *testing.T) {
	for text, want := range map[string]string{
		"nginx version: nginx/1.22.1\nbuilt with OpenSSL 3.0.22 25 Aug 2026 (running with OpenSSL 3.0.19 27 Jan 2026)\n": "1.22.1 with OpenSSL 3.0.19",
		"v2.11.9 h1:abc=\n":  "2.11.9",
		"nothing\nbuilt 7\n": "nothing",
	} {
		if got := versionIn(text); got != want {
			t.Errorf("%q: got %q, want %q", text, got, want)
		}
	}
}

func TestRatesThatNoTimerKeepsAreRefused(t *testing.T) {
	for _, rate := range []string{"2e9", "NaN", "-1"} {
		if err := runComparison(t.Context(), []string{"-rate", rate, "-work", "small"}, io.Discard); err == nil || !strings.Contains(err.Error(), "-rate 0 to 1,000,000") {
			t.Errorf("-rate %s: got %v, want what is possible", rate, err)
		}
	}
}
