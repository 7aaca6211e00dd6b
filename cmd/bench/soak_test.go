package main

import (
	"bytes"
	"context"
	"io"
	"net"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"mtls-sidecar/cmd/bench/soak"
)

// hang is how long a day may take that is to end when something is seen.
const hang = time.Minute

func TestAShortDayGoesWell(t *testing.T) {
	t.Parallel()
	options, err := soakOptions(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	options.For, options.Seed = 1500*time.Millisecond, uint64(time.Now().UnixNano())
	report, err := soak.Run(t.Context(), options)
	if err != nil {
		t.Fatal(err)
	}
	if report.Faults > 0 {
		t.Errorf("with seed %d:", options.Seed)
	}
	for _, row := range report.Tables[len(report.Tables)-1].Rows {
		t.Error(strings.Join(row, " | "))
	}
}

// A checker that cannot fail proves nothing: here somebody stands between sidecar and
// application who lies.
func TestADayWithALiarDoesNotGoWell(t *testing.T) {
	t.Parallel()
	options, err := soakOptions(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	options.For, options.Seed = hang, 1
	honest := options.Start
	options.Start = func(environ []string) (soak.Sidecar, error) {
		const variable = "MTLS_UPSTREAM_URL=http://"
		i := slices.IndexFunc(environ, func(s string) bool { return strings.HasPrefix(s, variable) })
		environ[i] = variable + startLiar(t, strings.TrimPrefix(environ[i], variable))
		return honest(environ)
	}
	missing := map[string]bool{"wrong verdict": true, "changed bytes": true, "failed request": true, "stray request": true}
	day, enough := context.WithCancel(t.Context())
	defer enough()
	options.Fault = func(kind, _, _ string) {
		if delete(missing, kind); len(missing) == 0 {
			enough()
		}
	}
	report, err := soak.Run(day, options)
	if err != nil {
		t.Fatal(err)
	}
	if len(missing) > 0 || report.Faults < 4 {
		t.Errorf("%d faults were noticed, and none of the kinds %v", report.Faults, missing)
	}
}

// startLiar relays to the application, and changes something each few reads.
func startLiar(t *testing.T, application string) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	var one liar
	go func() {
		for {
			from, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer from.Close()
				to, err := net.Dial("tcp", application)
				if err != nil {
					return
				}
				defer to.Close()
				go tamper(from, to, one.answer)
				tamper(to, from, one.request)
			}()
		}
	}()
	return l.Addr().String()
}

// tamper copies until the end, or until there is nothing to be said any more.
func tamper(to, from net.Conn, lie func([]byte) []byte) {
	defer to.Close()
	buffer := make([]byte, 64<<10)
	for {
		n, err := from.Read(buffer)
		if n > 0 {
			said := lie(buffer[:n])
			if said == nil {
				_ = from.Close()
				return
			}
			if _, err := to.Write(said); err != nil {
				return
			}
		}
		if err != nil {
			if err == io.EOF {
				return
			}
			_ = from.Close()
			return
		}
	}
}

// liar counts what it could lie about.
type liar struct{ reads, nones, gets, answers atomic.Int64 }

func (l *liar) request(b []byte) []byte {
	switch {
	case l.reads.Add(1)%40 == 0:
		return nil
	case bytes.Contains(b, []byte("VERIFIED: NONE\r\n")) && l.nones.Add(1)%5 == 0:
		return bytes.Replace(b, []byte("VERIFIED: NONE\r\n"), []byte("VERIFIED: SUCCESS\r\nDN: CN=steady,O=Soak\r\n"), 1)
	case bytes.Contains(b, []byte("GET /say/")) && l.gets.Add(1)%20 == 0:
		return bytes.Replace(b, []byte("GET /say/"), []byte("GET /say/made-up-"), 1)
	}
	return b
}

func (l *liar) answer(b []byte) []byte {
	head, body, whole := bytes.Cut(b, []byte("\r\n\r\n"))
	if whole && len(body) > 0 && bytes.Contains(head, []byte("Content-Length")) && l.answers.Add(1)%5 == 0 {
		b[len(b)-1] ^= 1
	}
	return b
}

func TestTheSoaksFlagsAreTold(t *testing.T) {
	for _, c := range []struct {
		args []string
		want bool
	}{{[]string{"-soak", "2m"}, true}, {[]string{"-markdown", "--soak=2m"}, true}, {[]string{"-work", "soak"}, false}, {nil, false}} {
		if got := asksForSoak(c.args); got != c.want {
			t.Errorf("%q: got %t", c.args, got)
		}
	}
	for _, args := range [][]string{{"-soak", "0s"}, {"-soak", "1m", "more"}, {"-soak", "often"}} {
		if err := run(t.Context(), args, io.Discard); err == nil {
			t.Errorf("%q: got no error", args)
		}
	}
}
