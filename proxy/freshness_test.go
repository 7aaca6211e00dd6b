package proxy

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"mtls-sidecar/proxy/pki"
)

func TestAListThatEndsInForceIsTold(t *testing.T) {
	p := newReloadPKI(t)
	folder := folderFor(t)
	list := filepath.Join(folder, "first.crl")
	put(t, filepath.Join(folder, "ca.crt"), pki.CertPEM(p.cas[0].Cert))
	put(t, list, p.list(p.cas[0], 1, p.revoked))
	s := newSidecar(t, startTeller(t).url, "MTLS_CLIENT_CA_FILE="+filepath.Join(folder, "ca.crt"), "MTLS_CRL="+list,
		"MTLS_CRL_GRACE=2h", "MTLS_RELOAD_INTERVAL=1h")
	s.start(t)

	now := time.Now()
	end := s.belief.inForce()[0].NextUpdate
	for _, step := range []struct {
		when     string
		at       time.Time
		troubles int
		logged   int
	}{
		{"now", now, 0, 0},
		{"just before its end", end.Add(-time.Second), 0, 0},
		{"at its end", end, 1, 1},
		{"later", end.Add(time.Hour), 1, 1},
	} {
		s.watchEnds(step.at)
		if got := s.Troubles(); len(got) != step.troubles || step.troubles > 0 && !strings.Contains(got[0].Fault, list) {
			t.Errorf("%s: got the troubles %v, want %d that name the file", step.when, got, step.troubles)
		}
		if got := len(s.logged("a revocation list has ended, and there is no newer one")); got != step.logged {
			t.Errorf("%s: it was logged %d times, want %d", step.when, got, step.logged)
		}
	}
	until := s.logged("a revocation list has ended, and there is no newer one")[0].ContextMap()["counts_until"]
	if got, ok := until.(time.Time); !ok || !got.Equal(end.Add(2*time.Hour)) {
		t.Errorf("it counts until %v, want two hours after %v", until, end)
	}

	put(t, list, p.list(p.cas[0], 2, p.revoked))
	if err := s.Reload(); err != nil {
		t.Fatal(err)
	}
	s.watchEnds(now)
	if got := s.Troubles(); len(got) != 0 {
		t.Errorf("with a newer list there are still troubles: %v", got)
	}
}

// Neither its certificate nor its list is there any more: nobody misses it.
func TestTheListOfACAThatIsRetiredIsNoTroubleWhenItEnds(t *testing.T) {
	p := newReloadPKI(t)
	folder := folderFor(t)
	ca, lists := filepath.Join(folder, "ca.crt"), filepath.Join(folder, "lists")
	put(t, ca, pki.CertPEM(p.cas[0].Cert, p.cas[1].Cert))
	works(t, os.Mkdir(lists, 0o700))
	put(t, filepath.Join(lists, "first.crl"), p.list(p.cas[0], 1))
	put(t, filepath.Join(lists, "second.crl"), p.list(p.cas[1], 1))
	s := newSidecar(t, startTeller(t).url, "MTLS_CLIENT_CA_FILE="+ca, "MTLS_CRL="+lists, "MTLS_RELOAD_INTERVAL=1h")
	s.start(t)
	after := s.belief.inForce()[0].NextUpdate.Add(time.Minute)
	s.watchEnds(after)
	if got := s.Troubles(); len(got) != 2 {
		t.Errorf("both have ended: got %v", got)
	}
	put(t, ca, pki.CertPEM(p.cas[0].Cert))
	works(t, os.Remove(filepath.Join(lists, "second.crl")))
	if err := s.Reload(); err != nil {
		t.Fatal(err)
	}
	s.watchEnds(after)
	if got := s.Troubles(); len(got) != 1 || !strings.Contains(got[0].Fault, "first.crl") {
		t.Errorf("the second is retired: got %v, want the first CA's trouble alone", got)
	}
}

// Two mirrors of one list that nobody can use are two sources that gave none.
func TestTheStartWaitsWhereTwoURLsGiveTheSameRefusedList(t *testing.T) {
	t.Parallel()
	p := newReloadPKI(t)
	forged := p.forged(p.cas[0], 9)
	one, two := startListServer(t, http.StatusOK, forged), startListServer(t, http.StatusOK, forged)
	s := urlWorld(t, p, one.URL+","+two.URL)
	defer s.shutsDown(t)
	started := s.starting(t.Context())
	one.isAskedAgain(t, 2)
	two.isAskedAgain(t, 2)
	stillWaits(t, "forged", started)
	good := p.list(p.cas[0], 1)
	one.answers(http.StatusOK, good)
	two.answers(http.StatusOK, good)
	if err := await(t, "the start", started); err != nil {
		t.Errorf("Start: %v", err)
	}
}
