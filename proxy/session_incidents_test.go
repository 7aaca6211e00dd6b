package proxy

import (
	"crypto/x509"
	"crypto/x509/pkix"
	"testing"
	"time"

	"mtls-sidecar/proxy/pki"
	"mtls-sidecar/proxy/trust"
)

// What went wrong with resumption elsewhere must not go wrong here. Each test is
// named after the incident.

// Node calls a session of TLS 1.3 authorised that was made without any
// certificate, once it is resumed (nodejs/node#35317).
func TestNode35317ASessionMadeWithoutACertificateNeverBecomesSuccess(t *testing.T) {
	everyKeying(t, func(t *testing.T, version uint16, material [][]byte) {
		app := startBackend(t, answering(okAnswer))
		s := startReplica(t, app.url, material).sidecar
		v := newVisitor(version, nil)
		v.visits(t, s, app, nobody, false)
		v.visits(t, s, app, nobody, true)
		v.certificate = issue(t, pki.Options{})
		v.visits(t, s, app, nobody, true)
		v.visits(t, s, app, nobody, true)
		v.sessions = &tickets{}
		v.visits(t, s, app, believed, false)
	})
}

// A ticket renewed at each connection kept a session going for ever in TLS 1.3,
// past the end of its certificate (HAProxy 9f1d59099).
func TestHAProxy9f1d59099ATicketRenewedAgainAndAgainEndsWithItsCertificate(t *testing.T) {
	everyKeying(t, func(t *testing.T, version uint16, material [][]byte) {
		app := startBackend(t, answering(okAnswer))
		r := startReplica(t, app.url, material, "MTLS_SESSION_TIMEOUT=24h")
		v := newVisitor(version, issue(t, pki.Options{NotAfter: time.Now().Add(time.Hour)}))
		v.visits(t, r.sidecar, app, believed, false)
		for minute := 5; minute < 60; minute += 9 {
			r.clock.set(time.Duration(minute) * time.Minute)
			v.visits(t, r.sidecar, app, believed, true)
		}
		for range 2 {
			r.clock.set(61 * time.Minute)
			v.visits(t, r.sidecar, app, expectation{status: 400}, false)
		}
	})
}

// crypto/tls itself went on to resume sessions of clients whose CA was no longer
// among ClientCAs (CVE-2025-68121).
func TestCVE202568121ResumingAfterACARotationIsNoSuccess(t *testing.T) {
	everyKeying(t, func(t *testing.T, version uint16, material [][]byte) {
		app := startBackend(t, answering(okAnswer))
		for entries, want := range map[string]expectation{
			"MTLS_VERIFY_CLIENT=optional":       {status: 400},
			"MTLS_VERIFY_CLIENT=on":             {status: 400},
			"MTLS_INVALID_CERT=failed":          {200, "FAILED:unable to verify the first certificate", ""},
			"MTLS_INVALID_CERT=none":            {200, "NONE", ""},
			"MTLS_VERIFY_CLIENT=optional_no_ca": {200, "FAILED:unable to verify the first certificate", ""},
		} {
			r := startReplica(t, app.url, material, entries)
			v := newVisitor(version, issue(t, pki.Options{}))
			v.visits(t, r.sidecar, app, believed, false)
			r.believes(t, anotherCA(t))
			v.visits(t, r.sidecar, app, want, false)
			v.visits(t, r.sidecar, app, want, false)
		}
		r := startReplica(t, app.url, material, "MTLS_VERIFY_CLIENT=on", "MTLS_REJECT_WITH=alert")
		v := newVisitor(version, issue(t, pki.Options{}))
		v.visits(t, r.sidecar, app, believed, false)
		r.believes(t, anotherCA(t))
		if err := r.handshakeOnly(t, v.config()); err == nil {
			t.Error("with alerts, the handshake came through")
		}
		app.sawNothing(t)
	})
}

// Envoy resumed sessions after the rules of validation had become stricter
// (CVE-2022-21654).
func TestCVE202221654ASessionIsNotResumedUnderStricterRules(t *testing.T) {
	leaf, _ := issueBelow(t)
	everyKeying(t, func(t *testing.T, version uint16, material [][]byte) {
		app := startBackend(t, answering(okAnswer))
		r := startReplica(t, app.url, material)
		v := newVisitor(version, &leaf)
		v.visits(t, r.sidecar, app, believed, false)
		v.visits(t, r.sidecar, app, believed, true)
		r.store.Publish(trust.NewSnapshot([]*x509.Certificate{testCA(t).ca.Cert}, trust.Policy{MaxDepth: 0, MinRSABits: 2048}))
		v.visits(t, r.sidecar, app, expectation{status: 400}, false)
	})
}

// nginx (CVE-2025-23419) and Apache (CVE-2025-23048) resumed at one server what
// was proved to another, with another client CA.
func TestCVE202523419ATicketOfASidecarWithAnotherCADoesNotAuthenticateHere(t *testing.T) {
	other, err := pki.NewRoot(pki.Options{Subject: pkix.Name{CommonName: "Other Clients' CA"}})
	if err != nil {
		t.Fatal(err)
	}
	guest, err := other.Issue(pki.Options{Subject: pkix.Name{CommonName: "guest"}})
	if err != nil {
		t.Fatal(err)
	}
	bothVersions(t, func(t *testing.T, version uint16) {
		app := startBackend(t, answering(okAnswer))
		material := [][]byte{keyMaterial(t, 48)}
		there, here := startReplica(t, app.url, material), startReplica(t, app.url, material)
		there.believes(t, other.Cert)
		v := newVisitor(version, &guest)
		v.visits(t, there.sidecar, app, expectation{200, "SUCCESS", "CN=guest"}, false)
		v.visits(t, here.sidecar, app, expectation{status: 400}, false)

		// Nor does it where the very keys are the same.
		there.sharesTicketsWith(t, here.sidecar)
		v = newVisitor(version, &guest)
		v.visits(t, there.sidecar, app, expectation{200, "SUCCESS", "CN=guest"}, false)
		v.visits(t, here.sidecar, app, expectation{status: 400}, false)
	})
}

// One session context for all modes let a client resume where more was asked of
// it than where its session was made (HAProxy 4a8f76220).
func TestHAProxy4a8f76220ASessionOfAnEasierModeDoesNotServeAStricterOne(t *testing.T) {
	stranger, err := pki.SelfSigned(pki.Options{})
	if err != nil {
		t.Fatal(err)
	}
	bothVersions(t, func(t *testing.T, version uint16) {
		app := startBackend(t, answering(okAnswer))
		material := [][]byte{keyMaterial(t, 80)}
		start := func(entries ...string) *sidecar { return startReplica(t, app.url, material, entries...).sidecar }
		optional, lenient := start(), start("MTLS_VERIFY_CLIENT=optional_no_ca")
		off := start("MTLS_VERIFY_CLIENT=off")
		for _, rejectWith := range []string{"page", "alert"} {
			strict := start("MTLS_VERIFY_CLIENT=on", "MTLS_REJECT_WITH="+rejectWith)
			for _, easier := range []*sidecar{optional, off} {
				v := newVisitor(version, nil)
				v.visits(t, easier, app, nobody, false)
				v.certificate = issue(t, pki.Options{})
				v.visits(t, strict, app, believed, false)
			}
		}
		// Where none was asked for, there may well be a certificate.
		v := newVisitor(version, issue(t, pki.Options{}))
		v.visits(t, off, app, nobody, false)
		v.visits(t, optional, app, believed, false)

		v = newVisitor(version, &stranger)
		v.visits(t, lenient, app, expectation{200, "FAILED:self-signed certificate", ""}, false)
		v.visits(t, optional, app, expectation{status: 400}, false)
	})
}

// OpenBao renewed a token for whoever came with another certificate
// (CVE-2026-39388): who a client is goes with the connection and its proof.
func TestCVE202639388AnIdentityGoesWithTheSessionNotWithWhoeverRenewsIt(t *testing.T) {
	alice := issue(t, pki.Options{Subject: pkix.Name{CommonName: "alice"}})
	bob := issue(t, pki.Options{Subject: pkix.Name{CommonName: "bob"}})
	isAlice, isBob := expectation{200, "SUCCESS", "CN=alice"}, expectation{200, "SUCCESS", "CN=bob"}
	everyKeying(t, func(t *testing.T, version uint16, material [][]byte) {
		app := startBackend(t, answering(okAnswer))
		r := startReplica(t, app.url, material, "MTLS_SESSION_TIMEOUT=10m")
		v := newVisitor(version, alice)
		v.visits(t, r.sidecar, app, isAlice, false)
		v.certificate = bob // at hand, but nobody asks for it
		v.visits(t, r.sidecar, app, isAlice, true)
		v.visits(t, r.sidecar, app, isAlice, true)

		resumed := r.dialWith(t, v.config())
		full := r.dialWith(t, clientOf(version, bob))
		if !resumed.ConnectionState().DidResume {
			t.Error("the session was not resumed")
		}
		for range 2 {
			resumed.asks(app, isAlice)
			full.asks(app, isBob)
		}
		r.clock.set(11 * time.Minute)
		v.visits(t, r.sidecar, app, isBob, false)
		resumed.asks(app, isAlice)
	})
}

// Checks that crypto/tls makes in full handshakes only are skipped on resumed
// connections (Caddy 1fbb28720; ghostunnel's access rules).
func TestCaddy1fbb28720AResumedConnectionIsJudgedAsAnyOther(t *testing.T) {
	everyKeying(t, func(t *testing.T, version uint16, material [][]byte) {
		app := startBackend(t, answering(okAnswer))
		for _, rejectWith := range []string{"page", "alert"} {
			r := startReplica(t, app.url, material, "MTLS_REJECT_WITH="+rejectWith)
			v := newVisitor(version, issue(t, pki.Options{}))
			v.visits(t, r.sidecar, app, believed, false)
			c := r.dialWith(t, v.config())
			if !c.ConnectionState().DidResume {
				t.Error("the session was not resumed")
			}
			c.asks(app, believed)
			r.believes(t, anotherCA(t))
			c.asks(app, expectation{status: 400})
		}
		// Before its first request, too. (An alert may come instead where one is
		// configured: in TLS 1.3 the client has finished before the server has.)
		r := startReplica(t, app.url, material)
		v := newVisitor(version, issue(t, pki.Options{}))
		v.visits(t, r.sidecar, app, believed, false)
		c := r.dialWith(t, v.config())
		if !c.ConnectionState().DidResume {
			t.Error("the session was not resumed")
		}
		r.believes(t, anotherCA(t))
		c.asks(app, expectation{status: 400})
	})
}
