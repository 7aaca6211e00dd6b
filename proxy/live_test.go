package proxy

import (
	"crypto/x509"
	"encoding/pem"
	"strings"
	"testing"
	"time"

	"mtls-sidecar/proxy/pki"
)

// What is doubted, in the words of the page and of OpenSSL 3.0 (x509_txt.c), those
// about OCSP in nginx's (ngx_ssl_get_ocsp_status).
var (
	doubtExpired     = &doubt{"expired", "certificate has expired"}
	doubtUnknown     = &doubt{"unknown_issuer", "unable to get local issuer certificate"}
	doubtStranger    = &doubt{"unknown_ca", "unable to verify the first certificate"}
	doubtNoList      = &doubt{"crl_missing", "unable to get certificate CRL"}
	doubtOldList     = &doubt{"crl_expired", "CRL has expired"}
	doubtOCSPRevoked = &doubt{"ocsp_revoked", "certificate revoked"}
	doubtOCSPFailed  = &doubt{"ocsp_failed", "certificate status request failed"}
)

// revokes has a newer list name the victim.
func revokes(w *liveWorld) {
	w.t.Helper()
	w.inter.marks(w.victim.certificate.Leaf, revoked)
	w.puts("crl/inter.crl", w.inter.publishes())
	w.reloads()
}

// replaces puts something else in the place of a list.
func replaces(text func(w *liveWorld) []byte) func(w *liveWorld) {
	return func(w *liveWorld) {
		w.t.Helper()
		w.puts("crl/inter.crl", text(w))
		w.reloads()
	}
}

// forged is a list in the name of a CA that another has made: the victim and the
// intermediate are on it, the outcast is not.
func (w *liveWorld) forged(name *x509.Certificate) []byte {
	w.t.Helper()
	forger, err := pki.NewRoot(pki.Options{Subject: name.Subject})
	books := newLiveCA(w.t, forger, err, newGoRegistrar)
	books.number = 7
	books.marks(w.victim.certificate.Leaf, revoked)
	books.marks(w.inter.Cert, revoked)
	return books.publishes()
}

// altered is a list whose signature is no longer its CA's.
func altered(list []byte) []byte {
	if block, _ := pem.Decode(list); block != nil {
		list = block.Bytes
	}
	list[len(list)-1] ^= 1
	return list
}

// passes moves the clock.
func passes(d time.Duration) func(w *liveWorld) {
	return func(w *liveWorld) { w.clock.set(d) }
}

// changesOfLists are those of revocation lists.
func changesOfLists() []liveRow {
	lists := func(entries ...string) liveSetting { return liveSetting{withLists: true, entries: entries} }
	withoutRoots := func(entries ...string) liveSetting {
		s := lists(entries...)
		s.arranged = func(w *liveWorld) { w.removes("crl/root.crl") }
		return s
	}
	arrives := func(w *liveWorld) {
		w.puts("crl/root.crl", w.root.publishes())
		w.reloads()
	}
	rootsEnds := func(policy string) liveSetting {
		s := lists("MTLS_CRL_POLICY=" + policy)
		s.arranged = func(w *liveWorld) {
			w.puts("crl/inter.crl", w.inter.makes(listSpec{2, time.Now().Add(-time.Minute), time.Now().Add(9 * time.Hour)}))
		}
		return s
	}
	held := lists("MTLS_INVALID_CERT=failed")
	held.arranged = func(w *liveWorld) {
		w.inter.marks(w.victim.certificate.Leaf, onHold)
		w.puts("crl/inter.crl", w.inter.publishes())
	}
	return []liveRow{
		{name: "revoked", liveSetting: lists(), change: revokes, victim: turn{after: wasRevoked}},
		{name: "the intermediate revoked", liveSetting: lists(), change: func(w *liveWorld) {
			w.root.marks(w.inter.Cert, revoked)
			w.puts("crl/root.crl", w.root.publishes())
			w.reloads()
		}, victim: turn{after: wasRevoked}, other: turn{after: wasRevoked}},
		{name: "a hold lifted", liveSetting: held, change: func(w *liveWorld) {
			w.inter.marks(w.victim.certificate.Leaf, good)
			w.puts("crl/inter.crl", w.inter.publishes())
			w.reloads()
		}, victim: turn{before: wasRevoked}},
		{name: "the list removed", liveSetting: lists(), change: func(w *liveWorld) {
			w.removes("crl/inter.crl")
			w.reloads()
		}},
		{name: "the folder emptied", liveSetting: lists(), change: func(w *liveWorld) {
			w.removes("crl/inter.crl")
			w.removes("crl/root.crl")
			w.reloads()
		}, troubled: true},
		{name: "the list emptied", liveSetting: lists(), change: replaces(func(*liveWorld) []byte { return nil }), troubled: true},
		{name: "the list corrupt", liveSetting: lists(), change: replaces(func(w *liveWorld) []byte {
			list := w.inter.publishes()
			return append(list[:len(list)/2], "garbage"...)
		}), troubled: true},
		{name: "the list by number older", liveSetting: lists(), change: func(w *liveWorld) {
			// A list of before the outcast was revoked, with a later date.
			w.inter.marks(w.outcast.certificate.Leaf, good)
			list := w.inter.makes(listSpec{0, time.Now().Add(-time.Second), time.Now().Add(2 * time.Hour)})
			w.puts("crl/inter.crl", list)
			w.reloads()
		}, troubled: true},
		{name: "the list by date older", liveSetting: lists(), change: func(w *liveWorld) {
			w.inter.marks(w.outcast.certificate.Leaf, good)
			list := w.inter.makes(listSpec{9, time.Now().Add(-2 * time.Hour), time.Now().Add(2 * time.Hour)})
			w.puts("crl/inter.crl", list)
			w.reloads()
		}, troubled: true},
		{name: "a forger's list of the intermediate", liveSetting: lists(), change: func(w *liveWorld) {
			// It waits for whoever proves it: only clients have that CA's certificate.
			w.puts("crl/inter.crl", w.forged(w.inter.Cert))
			w.reloads()
		}},
		{name: "a forger's list of the root", liveSetting: lists(), change: func(w *liveWorld) {
			w.puts("crl/root.crl", w.forged(w.root.Cert))
			w.reloads()
		}},
		{name: "the root's list altered", liveSetting: lists(), change: func(w *liveWorld) {
			w.root.marks(w.inter.Cert, revoked)
			w.puts("crl/root.crl", altered(w.root.publishes()))
			w.reloads()
		}, troubled: true},
		{name: "the list expired", liveSetting: lists(), change: passes(2 * time.Hour),
			victim: turn{after: doubtOldList}, other: turn{after: doubtOldList}, outcast: turn{after: doubtOldList}}, // the last that OpenSSL finds: the root's list
		{name: "the list expired within its grace", liveSetting: lists("MTLS_CRL_GRACE=3h"), change: passes(2 * time.Hour)},
		{name: "the list expired where what there is counts", liveSetting: lists("MTLS_CRL_POLICY=available"), change: passes(2 * time.Hour)},
		{name: "the intermediate's list expired, strict", liveSetting: rootsEnds("strict"), change: passes(2 * time.Hour),
			victim: turn{after: doubtOldList}, other: turn{after: doubtOldList}, outcast: turn{after: doubtOldList}},
		{name: "the intermediate's list expired, leaf", liveSetting: rootsEnds("leaf"), change: passes(2 * time.Hour)},
		{name: "the intermediate's list expired, available", liveSetting: rootsEnds("available"), change: passes(2 * time.Hour)},
		{name: "the intermediate's list arrives, strict", liveSetting: withoutRoots("MTLS_INVALID_CERT=failed"), change: arrives,
			victim: turn{before: doubtNoList}, other: turn{before: doubtNoList}, outcast: turn{before: doubtNoList}},
		{name: "the intermediate's list arrives, leaf", liveSetting: withoutRoots("MTLS_CRL_POLICY=leaf"), change: arrives},
		{name: "the intermediate's list arrives, available", liveSetting: withoutRoots("MTLS_CRL_POLICY=available"), change: arrives},
	}
}

// otherChanges are those of CAs and of the time.
func otherChanges() []liveRow {
	failed := []string{"MTLS_INVALID_CERT=failed"}
	oneHour := pki.Options{NotAfter: time.Now().Add(time.Hour)}
	return []liveRow{
		{name: "the CA removed", change: func(w *liveWorld) {
			w.trusts(w.strangers)
			w.reloads()
		}, victim: turn{after: doubtUnknown}, other: turn{after: doubtUnknown}},
		{name: "the CA exchanged for one of the same name", change: func(w *liveWorld) {
			root, err := pki.NewRoot(pki.Options{Subject: w.root.Cert.Subject})
			w.trusts(newLiveCA(w.t, root, err, newGoRegistrar))
			w.reloads()
		}, victim: turn{after: doubtUnknown}, other: turn{after: doubtUnknown}},
		{name: "the CA file damaged", change: func(w *liveWorld) {
			w.puts("ca.crt", []byte("-----BEGIN CERTIFICATE-----\nAAAA\n"))
			w.reloads()
		}, troubled: true},
		{name: "the CA file gone", change: func(w *liveWorld) {
			w.removes("ca.crt")
			w.reloads()
		}, troubled: true},
		{name: "a CA added", liveSetting: liveSetting{stranger: true, entries: failed}, change: func(w *liveWorld) {
			w.trusts(w.root, w.strangers)
			w.reloads()
		}, victim: turn{before: doubtStranger}},
		{name: "the certificate expired", liveSetting: liveSetting{issued: oneHour}, change: passes(2 * time.Hour), victim: turn{after: doubtExpired}},
		{name: "nothing but the time", change: passes(2 * time.Hour)},
		{name: "the clock set back", liveSetting: liveSetting{entries: failed, issued: oneHour,
			arranged: func(w *liveWorld) { w.clock.set(2 * time.Hour) }}, change: passes(0),
			victim: turn{before: doubtExpired}, noSession: true},
	}
}

// changesInModes are some of them where the refused are not simply shown the page.
func changesInModes() []liveRow {
	untrusts := func(w *liveWorld) {
		w.trusts(w.strangers)
		w.reloads()
	}
	var rows []liveRow
	for _, mode := range [][]string{
		{"MTLS_INVALID_CERT=failed"},
		{"MTLS_INVALID_CERT=none"},
		{"MTLS_REJECT_WITH=alert"},
		{"MTLS_VERIFY_CLIENT=on"},
		{"MTLS_VERIFY_CLIENT=on", "MTLS_REJECT_WITH=alert"},
		{"MTLS_VERIFY_CLIENT=optional_no_ca"},
	} {
		rows = append(rows,
			liveRow{name: "revoked with " + strings.Join(mode, " "), liveSetting: liveSetting{withLists: true, entries: mode},
				change: revokes, victim: turn{after: wasRevoked}},
			liveRow{name: "the CA removed with " + strings.Join(mode, " "), liveSetting: liveSetting{entries: mode},
				change: untrusts, victim: turn{after: doubtUnknown}, other: turn{after: doubtUnknown}})
	}
	return rows
}

func TestAChangeCountsInEveryMode(t *testing.T) {
	for _, row := range changesInModes() {
		row.books = newGoRegistrar
		t.Run(row.name, row.run)
	}
}

func TestAChangeCountsInEveryStateOfAConnection(t *testing.T) {
	for _, row := range append(changesOfLists(), otherChanges()...) {
		row.books = newGoRegistrar
		t.Run(row.name, row.run)
	}
}

func TestAChangeByOpensslCountsInEveryStateOfAConnection(t *testing.T) {
	openssl(t)
	for _, row := range changesOfLists() {
		row.books = newOpensslRegistrar
		t.Run(row.name, row.run)
	}
}
