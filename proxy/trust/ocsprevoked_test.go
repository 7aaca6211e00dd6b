package trust

import (
	"crypto/x509"
	"strings"
	"testing"
	"time"

	"mtls-sidecar/proxy/pki"
)

func TestTheListsInForceRevokeAResponderLikeAnybody(t *testing.T) {
	w := newOCSPWorld(t)
	responder := w.leaf(w.inter, pki.Options{EKU: []x509.ExtKeyUsage{x509.ExtKeyUsageOCSPSigning}})
	named := func(l crlSpec) crlSpec {
		if l.by == nil {
			l.by = w.inter
		}
		l.revokes = certs(responder)
		return l
	}
	later := time.Minute
	for _, test := range []struct {
		name  string
		lists []crlSpec
		want  bool
	}{
		{"no list at all", nil, false},
		{"not named", []crlSpec{{by: w.inter, revokes: certs(w.client)}}, false},
		{"named", []crlSpec{named(crlSpec{})}, true},
		{"named by a list that has ended", []crlSpec{named(crlSpec{this: -2 * time.Hour, next: -time.Hour})}, true},
		{"named by a list for CAs", []crlSpec{named(crlSpec{scope: onlyCACerts})}, true},
		{"named, and no longer", []crlSpec{named(crlSpec{}), {by: w.inter, this: -later, number: 2}}, false},
		{"named of late", []crlSpec{{by: w.inter}, named(crlSpec{this: -later, number: 2})}, true},
		{"named by another CA", []crlSpec{named(crlSpec{by: w.root})}, false},
		{"named by a stranger in the CA's name", []crlSpec{named(crlSpec{by: w.stranger,
			name: w.inter.Cert.RawSubject, keyID: w.inter.Cert.SubjectKeyId})}, false},
	} {
		lists := make([]*CRL, 0, len(test.lists))
		for _, l := range test.lists {
			lists = append(lists, w.crl(l))
		}
		for _, policy := range []CRLPolicy{CRLStrict, CRLLeaf, CRLAvailable} {
			s := NewSnapshot(certs(w.root), Policy{MaxDepth: -1, CRLs: newCRLs(lists), CRLPolicy: policy})
			if got := s.RevokesResponder(responder, w.inter.Cert, w.now); got != test.want {
				t.Errorf("%s, policy %v: revoked %v, want %v", test.name, policy, got, test.want)
			}
		}
	}
	if (*Snapshot)(nil).RevokesResponder(responder, w.inter.Cert, w.now) || NewSnapshot(certs(w.root), Policy{}).RevokesResponder(responder, w.inter.Cert, w.now) {
		t.Errorf("revoked where no list is configured")
	}
}

func TestAnswersOfARevokedResponderDoNotCount(t *testing.T) {
	w := newOCSPWorld(t)
	responder := w.authority(w.keyed(w.inter, pki.Options{EKU: []x509.ExtKeyUsage{x509.ExtKeyUsageOCSPSigning}}))
	store := &Store{}
	put := func(lists ...*CRL) {
		store.Publish(NewSnapshot(certs(w.root), Policy{MaxDepth: -1, CRLs: newCRLs(lists)}))
	}
	options := OCSPOptions{MaxAge: 10 * time.Minute, MinRSABits: 2048, Revoked: func(responder, issuer *x509.Certificate, now time.Time) bool {
		if !now.Equal(w.now) {
			t.Errorf("asked as of %v", now)
		}
		return store.Current().RevokesResponder(responder, issuer, now)
	}}
	delegated, own := w.forge().by(responder, responder.Cert).der(t), w.forge().der(t)
	judge := func(der []byte) error {
		_, err := w.question().judge(der, options, w.now)
		return err
	}
	if err := judge(delegated); err != nil {
		t.Errorf("before there are lists: %v", err)
	}
	put(w.crl(crlSpec{by: w.inter}))
	if err := judge(delegated); err != nil {
		t.Errorf("not named: %v", err)
	}
	put(w.crl(crlSpec{by: w.inter, revokes: certs(responder.Cert)}))
	if err := judge(delegated); err == nil || !strings.Contains(err.Error(), "revocation list names") {
		t.Errorf("named: got error %v", err)
	}
	if err := judge(own); err != nil {
		t.Errorf("signed by the CA itself: %v", err)
	}
	responderServer := w.responder(func() []byte { return delegated })
	options.Responder = responderServer.URL
	options.Revoked = func(r, issuer *x509.Certificate, _ time.Time) bool {
		return r.Equal(responder.Cert) && issuer.Equal(w.inter.Cert)
	}
	o, _, _ := w.start(options)
	if got := o.Check(ocspCtx, w.believe, w.now); got.Reason != OCSPFailed {
		t.Errorf("signed by a revoked responder: %q", got.Text())
	}
}
