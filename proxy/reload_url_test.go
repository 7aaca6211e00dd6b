package proxy

import (
	"context"
	"crypto/x509"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"mtls-sidecar/proxy/pki"
)

func TestTheStartWaitsForTheFirstListOfEachURL(t *testing.T) {
	t.Parallel()
	p := newReloadPKI(t)
	list := p.list(p.cas[0], 1, p.revoked)
	down, late := startListServer(t, http.StatusInternalServerError, nil), startListServer(t, http.StatusNotFound, list)
	s := urlWorld(t, p, down.URL+"/1.crl,"+late.URL+"/2.crl")
	started := s.starting(t.Context())
	for _, answer := range []struct {
		status int
		body   []byte
	}{{500, nil}, {204, nil}, {200, nil}, {200, []byte("<html>sign in first</html>")}, {200, half(list)}, {302, list}, {404, list}} {
		down.answers(answer.status, answer.body)
		down.isAskedAgain(t, 2)
		stillWaits(t, http.StatusText(answer.status), started)
	}
	if got := s.Troubles(); len(got) != 2 || got[0].Since.IsZero() || !strings.HasPrefix(got[0].Name, "http://127.0.0.1:") {
		t.Errorf("troubles: got %v, want one for each URL", got)
	}
	down.answers(http.StatusOK, list)
	down.isAskedAgain(t, 2)
	stillWaits(t, "the other", started)
	late.answers(http.StatusOK, list)
	if err := await(t, "the start", started); err != nil {
		t.Errorf("Start: %v", err)
	}
	if got := s.Troubles(); len(got) != 0 {
		t.Errorf("troubles are left: %v", got)
	}
	if got := len(s.logged("a revocation list could not be fetched, the start waits for it")); got < 6 || got > 8 {
		t.Errorf("%d failures are logged, want one for each kind", got)
	}
	s.shutsDown(t)
}

// The lists of a URL have to be believed: what anybody on the way can put in their
// place must not open the port.
func TestTheStartWaitsForAListThatIsBelieved(t *testing.T) {
	t.Parallel()
	for _, policy := range []string{"strict", "available"} {
		t.Run(policy, func(t *testing.T) {
			p := newReloadPKI(t)
			web := startListServer(t, http.StatusOK, p.forged(p.cas[0], 9))
			s := urlWorld(t, p, web.URL, "MTLS_CRL_POLICY="+policy)
			defer s.shutsDown(t)
			started := s.starting(t.Context())
			web.isAskedAgain(t, 2)
			stillWaits(t, "forged", started)
			waitFor(t, "the trouble", func() bool {
				all := s.Troubles()
				return len(all) > 0 && strings.Contains(all[0].Fault, "first CA")
			})
			web.answers(http.StatusOK, p.list(p.cas[0], 1, p.revoked))
			if err := await(t, "the start", started); err != nil {
				t.Errorf("Start: %v", err)
			}
			waitFor(t, "no trouble is left", func() bool { return len(s.Troubles()) == 0 })
		})
	}
}

// Of two sources one may lag behind. Its list is not needed, and not waited for.
func TestTheStartDoesNotWaitForAListThatANewerOneHasOvertaken(t *testing.T) {
	t.Parallel()
	p := newReloadPKI(t)
	newer := p.list(p.cas[0], 6, p.revoked, p.clients[0])
	older := startListServer(t, http.StatusOK, p.list(p.cas[0], 5, p.revoked))
	for name, other := range map[string]string{
		"a file":      inFolder(t, "newer.crl", newer),
		"another URL": startListServer(t, http.StatusOK, newer).URL,
	} {
		t.Run(name, func(t *testing.T) {
			s := urlWorld(t, p, other+","+older.URL)
			defer s.shutsDown(t)
			started := s.starting(t.Context())
			select {
			case err := <-started:
				works(t, err)
			case <-time.After(hang):
				t.Errorf("Start still waits; troubles: %v", s.Troubles())
			}
			if got := s.store.Current().Verify([]*x509.Certificate{p.clients[0].Leaf}, time.Now()); got.Text() != isRevoked {
				t.Errorf("got %s: the newer list is not in force", got.Text())
			}
		})
	}
}

func TestTheWaitForAListCanBeEnded(t *testing.T) {
	t.Parallel()
	p := newReloadPKI(t)
	web := startListServer(t, http.StatusServiceUnavailable, nil)
	t.Run("by its context", func(t *testing.T) {
		s := urlWorld(t, p, web.URL)
		ctx, cancel := context.WithCancel(t.Context())
		started := s.starting(ctx)
		web.isAskedAgain(t, 1)
		cancel()
		if err := await(t, "the start", started); !errors.Is(err, context.Canceled) {
			t.Errorf("got %v, want that it was cancelled", err)
		}
		s.shutsDown(t)
	})
	t.Run("by a shutdown", func(t *testing.T) {
		s := urlWorld(t, p, web.URL)
		started := s.starting(t.Context())
		web.isAskedAgain(t, 1)
		s.shutsDown(t)
		if err := await(t, "the start", started); !errors.Is(err, ErrNotStarted) {
			t.Errorf("got %v, want %v", err, ErrNotStarted)
		}
		if err := s.Reload(); !errors.Is(err, ErrNotStarted) {
			t.Errorf("Reload: got %v, want %v", err, ErrNotStarted)
		}
	})
	t.Run("by a shutdown while a fetch hangs", func(t *testing.T) {
		arrived := make(chan struct{}, 8)
		deaf := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			arrived <- struct{}{}
			<-r.Context().Done()
		}))
		t.Cleanup(deaf.Close)
		s := urlWorld(t, p, deaf.URL)
		started := s.starting(t.Context())
		await(t, "the question", arrived)
		if err := s.Reload(); err != nil {
			t.Errorf("a reload while waiting: %v", err)
		}
		s.shutsDown(t)
		if err := await(t, "the start", started); !errors.Is(err, ErrNotStarted) {
			t.Errorf("got %v, want %v", err, ErrNotStarted)
		}
	})
}

// Who was revoked stays so, and who was not stays believed, whatever the URL
// gives from then on.
func TestWhatAURLGaveStaysInForceWhenItGivesNoMore(t *testing.T) {
	t.Parallel()
	p := newReloadPKI(t)
	web := startListServer(t, http.StatusOK, p.list(p.cas[0], 5, p.revoked))
	s := urlWorld(t, p, web.URL+"/ca.crl")
	s.start(t)
	says := func(what, first string) {
		t.Helper()
		if got, revoked := s.verdict(t, p.clients[0]), s.verdict(t, p.revoked); got != first || revoked != isRevoked {
			t.Errorf("%s: got %s, and %s of the revoked one; want %s and %s", what, got, revoked, first, isRevoked)
		}
	}
	says("at the start", "SUCCESS")
	before := time.Now()
	for _, test := range []struct {
		name   string
		status int
		body   []byte
		fault  string
	}{
		{"an error", 500, nil, "500"},
		{"not found", 404, nil, "404"},
		{"empty", 200, nil, ""},
		{"a page", 200, []byte("<html>maintenance</html>"), ""},
		{"cut short", 200, half(p.list(p.cas[0], 6)), ""},
		{"a certificate", 200, pki.CertPEM(p.cas[0].Cert), ""},
		{"a forged list", 200, p.forged(p.cas[0], 7), "not signed"},
		{"an older list", 200, p.list(p.cas[0], 4), "older"},
	} {
		web.answers(test.status, test.body)
		web.isAskedAgain(t, 2)
		works(t, s.Reload())
		says(test.name, "SUCCESS")
		all := s.Troubles()
		if len(all) == 0 || all[0].Since.Before(before) || !strings.Contains(all[0].Fault, test.fault) {
			t.Errorf("%s: troubles: got %v, want one that says %q", test.name, all, test.fault)
		}
	}
	web.answers(http.StatusOK, p.list(p.cas[0], 8, p.revoked, p.clients[0]))
	waitFor(t, "the newer list is in force", func() bool { return s.verdict(t, p.clients[0]) == isRevoked })
	waitFor(t, "no trouble is left", func() bool { return len(s.Troubles()) == 0 })
	web.Close()
	waitFor(t, "it is noticed that the server is gone", func() bool { return len(s.Troubles()) == 1 })
	works(t, s.Reload())
	says("the server gone", isRevoked)
	if got := s.Troubles(); len(got) != 1 || got[0].Name != web.URL+"/ca.crl" {
		t.Errorf("troubles: got %v, want one of %s", got, web.URL)
	}
}

// A password in a URL is for the server alone.
func TestNoTroubleTellsThePasswordOfAURL(t *testing.T) {
	t.Parallel()
	p := newReloadPKI(t)
	web := startListServer(t, http.StatusForbidden, nil)
	s := urlWorld(t, p, strings.Replace(web.URL, "http://", "http://crl:hunter2@", 1))
	started := s.starting(t.Context())
	web.isAskedAgain(t, 2)
	for _, trouble := range s.Troubles() {
		if strings.Contains(trouble.Name+trouble.Fault, "hunter2") {
			t.Errorf("got %v", trouble)
		}
	}
	if len(s.Troubles()) != 1 {
		t.Errorf("troubles: got %v, want one", s.Troubles())
	}
	s.logsNothingOf(t, "hunter2")
	s.shutsDown(t)
	await(t, "the start", started)
}
