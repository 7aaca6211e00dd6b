package proxy

import (
	"testing"
	"time"

	"mtls-sidecar/proxy/pki"
)

// As operators run it: by the sweeper's own clock, the files looked at now and then,
// the answers renewed in the background, and no SIGHUP.

// liveCut is one way to lose belief while nobody asks for anything.
type liveCut struct {
	name string
	liveSetting
	change func(w *liveWorld) // nil: only time passes
}

func liveCuts() []liveCut {
	return []liveCut{
		{"revoked by a list", liveSetting{withLists: true, entries: []string{"MTLS_RELOAD_INTERVAL=20ms"}}, func(w *liveWorld) {
			w.inter.marks(w.victim.certificate.Leaf, revoked)
			w.puts("crl/inter.crl", w.inter.publishes())
		}},
		{"the CA removed", liveSetting{entries: []string{"MTLS_RELOAD_INTERVAL=20ms"}}, func(w *liveWorld) { w.trusts(w.strangers) }},
		{"revoked by the responder", liveSetting{withOCSP: true, entries: []string{"MTLS_OCSP_MAX_AGE=1s"}}, func(w *liveWorld) {
			w.inter.marks(w.victim.certificate.Leaf, revoked)
		}},
		{"the certificate ends", liveSetting{issued: pki.Options{NotAfter: time.Now().Add(2 * time.Second)}}, nil},
		{"its list ends", liveSetting{withLists: true, arranged: func(w *liveWorld) {
			w.puts("crl/inter.crl", w.inter.makes(listSpec{2, time.Now().Add(-time.Second), time.Now().Add(2 * time.Second)}))
		}}, nil},
	}
}

func TestWhatIsInFlightIsCutByItselfOnceItsClientIsNoLongerBelieved(t *testing.T) {
	type run struct {
		w      *liveWorld
		lost   []*liveExchange
		nobody *liveExchange
	}
	cuts := liveCuts()
	runs := make([]run, len(cuts))
	for i, cut := range cuts { // all at once, so that their seconds pass together
		cut.books = newGoRegistrar
		w := newLiveWorld(t, cut.liveSetting)
		w.sidecar.start(t)
		runs[i].w, runs[i].nobody = w, w.anonymous()
		for n, kind := range lastingKinds {
			c := w.dialWith(t, clientOf(tlsVersions[(n+i)%2].version, w.victim.certificate))
			runs[i].lost = append(runs[i].lost, w.begins(c, kind, w.hears("victim", nil)))
		}
	}
	for i, cut := range cuts {
		if cut.change != nil {
			cut.change(runs[i].w)
		}
	}
	for i, cut := range cuts {
		t.Run(cut.name, func(t *testing.T) {
			run := runs[i]
			run.w.t = t
			for _, x := range run.lost {
				x.t = t
				x.isCut()
			}
			run.w.hasCut("in the end", uint64(len(run.lost)))
			run.nobody.t = t
			run.nobody.moves()
			run.nobody.ends()
		})
	}
}
