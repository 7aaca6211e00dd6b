package trust

import (
	"bytes"
	"crypto"
	"crypto/x509"
	"math/big"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/ocsp"

	"mtls-sidecar/proxy/pki"
)

// judged judges a forgery with the defaults.
func (w *ocspWorld) judged(der []byte) (*ocspAnswer, error) {
	return w.question().judge(der, OCSPOptions{MaxAge: 10 * time.Minute, MinRSABits: 2048}, w.now)
}

func TestAnAnswerCountsOnlyWhenAllOfItIsInOrder(t *testing.T) {
	w := newOCSPWorld(t)
	other := w.leaf(w.inter, pki.Options{})
	twin := w.leaf(w.root, pki.Options{Serial: w.client.SerialNumber})
	inter, id := w.inter.Cert, forgedCertID(w.client, w.inter.Cert)
	zeros := make([]byte, 20)
	tests := []struct {
		name  string
		forge func(*forgery)
		want  string // part of the error; empty: it counts
	}{
		{"as it should be", func(*forgery) {}, ""},
		{"without nextUpdate", func(f *forgery) { f.singles[0].next = time.Time{} }, ""},
		{"with an extension", func(f *forgery) {
			f.singles[0].extensions, f.extensions = forgedExtension(false), forgedExtension(false)
		}, ""},
		{"with the version written", func(f *forgery) { f.version = []byte{0xa0, 3, 2, 1, 0} }, ""},
		{"beside one on another certificate", func(f *forgery) {
			f.singles = append([]forgedSingle{{certID: forgedCertID(other, inter), status: forgedRevoked(w.now), this: w.now}}, f.singles...)
		}, ""},
		{"the issuer enclosed", func(f *forgery) { f.enclosed = []*x509.Certificate{inter} }, ""},

		{"of version 2", func(f *forgery) { f.version = []byte{0xa0, 3, 2, 1, 1} }, "unknown version"},
		{"no SingleResponse", func(f *forgery) { f.singles = nil }, "not about the certificate"},
		{"on another certificate", func(f *forgery) { f.singles[0].certID = forgedCertID(other, inter) }, "not about the certificate"},
		{"on the same serial of another CA", func(f *forgery) { f.singles[0].certID = forgedCertID(twin, w.root.Cert) }, "not about the certificate"},
		{"another name hash", func(f *forgery) {
			f.singles[0].certID = bytes.Replace(id, w.question().nameHash[:], zeros, 1)
		}, "not about the certificate"},
		{"another key hash", func(f *forgery) {
			f.singles[0].certID = bytes.Replace(id, w.question().keyHash[:], zeros, 1)
		}, "not about the certificate"},
		{"another hash algorithm", func(f *forgery) {
			f.singles[0].certID = bytes.Replace(id, oidSHA1, []byte{0x2b, 0x0e, 3, 2, 0x1b}, 1)
		}, "not about the certificate"},
		{"twice the same", func(f *forgery) { f.singles = append(f.singles, f.singles[0]) }, "several states"},
		{"good and revoked", func(f *forgery) {
			f.singles = append(f.singles, forgedSingle{certID: id, status: forgedRevoked(w.now), this: w.now})
		}, "several states"},
		{"beside one of another CA with the same serial", func(f *forgery) {
			f.singles = append(f.singles, forgedSingle{certID: forgedCertID(twin, w.root.Cert), status: forgedGood, this: w.now})
		}, "several states"},
		{"good and revoked in one", func(f *forgery) { f.singles[0].status = append(bytes.Clone(forgedGood), forgedRevoked(w.now)...) }, "malformed"},
		{"good and unknown in one", func(f *forgery) { f.singles[0].status = append(bytes.Clone(forgedGood), forgedUnknown...) }, "malformed"},
		{"no state", func(f *forgery) { f.singles[0].status = nil }, "malformed"},
		{"a state of its own", func(f *forgery) { f.singles[0].status = []byte{0x83, 0} }, "no state"},
		{"good with contents", func(f *forgery) { f.singles[0].status = []byte{0x80, 1, 0} }, "malformed"},

		{"a critical extension of the answer", func(f *forgery) { f.extensions = forgedExtension(true) }, "critical extension"},
		{"a critical extension of the state", func(f *forgery) { f.singles[0].extensions = forgedExtension(true) }, "critical extension"},
		{"a critical extension beside", func(f *forgery) {
			f.singles = append(f.singles, forgedSingle{certID: forgedCertID(other, inter), status: forgedGood, this: w.now, extensions: forgedExtension(true)})
		}, "critical extension"},
		{"extensions of nothing", func(f *forgery) { f.extensions = []byte{tagNull, 0} }, "malformed extensions"},

		{"bytes after the state", func(f *forgery) { f.singles[0].tail = []byte{tagNull, 0} }, "malformed"},
		{"bytes after the data", func(f *forgery) { f.dataTail = []byte{tagNull, 0} }, "malformed"},
		{"bytes after the basic answer", func(f *forgery) { f.basicTail = []byte{tagNull, 0} }, "malformed"},
		{"bytes after all", func(f *forgery) { f.outerTail = []byte{0} }, "malformed"},
		{"of another kind", func(f *forgery) { f.kind = []byte{tagOID, 9, 0x2b, 6, 1, 5, 5, 7, 0x30, 1, 2} }, "another kind"},
		{"an error", func(f *forgery) { f.status = 3 }, "try later"},
		{"an unknown error", func(f *forgery) { f.status = 0x7f }, "unknown OCSP status"},

		{"begins 4 min from now", func(f *forgery) { f.singles[0].this = w.now.Add(4 * time.Minute) }, ""},
		{"begins 6 min from now", func(f *forgery) { f.singles[0].this = w.now.Add(6 * time.Minute) }, "in the future"},
		{"made 6 min from now", func(f *forgery) { f.produced = w.now.Add(6 * time.Minute) }, "in the future"},
		{"ended 4 min ago", func(f *forgery) {
			f.singles[0].this, f.singles[0].next = w.now.Add(-time.Hour), w.now.Add(-4*time.Minute)
		}, ""},
		{"ended 6 min ago", func(f *forgery) {
			f.singles[0].this, f.singles[0].next = w.now.Add(-time.Hour), w.now.Add(-6*time.Minute)
		}, "out of date"},
		{"ends before it begins", func(f *forgery) { f.singles[0].next = w.now.Add(-2 * time.Minute) }, "ends before it begins"},
		{"6 days old without nextUpdate", func(f *forgery) { f.singles[0].this, f.singles[0].next = w.now.AddDate(0, 0, -6), time.Time{} }, ""},
		{"8 days old without nextUpdate", func(f *forgery) { f.singles[0].this, f.singles[0].next = w.now.AddDate(0, 0, -8), time.Time{} }, "out of date"},
		{"8 days old with nextUpdate", func(f *forgery) { f.singles[0].this = w.now.AddDate(0, 0, -8) }, ""},

		{"signed with SHA-1", func(f *forgery) { f.hash = crypto.SHA1 }, "too weak"},
		{"signed with SHA-1, the issuer enclosed", func(f *forgery) { f.hash, f.enclosed = crypto.SHA1, []*x509.Certificate{inter} }, "too weak"},
		{"a broken certificate enclosed", func(f *forgery) { f.garbage = []byte{0x30, 0} }, "cannot be parsed"},
		{"a broken list enclosed", func(f *forgery) { f.garbage = []byte{0x30, 5} }, "malformed certificates"},
		{"a state that is no structure", func(f *forgery) { f.singles[0].certID = []byte{tagNull, 0} }, "malformed"},
		{"signed by a stranger", func(f *forgery) { f.key = w.stranger.Key }, "not signed by the CA"},
		{"signed by the root", func(f *forgery) { f.key = w.root.Key }, "not signed by the CA"},
		{"signed by the root in its name", func(f *forgery) { f.by(w.root) }, "another signer"},
		{"signed by the root, which is enclosed", func(f *forgery) { f.by(w.root, w.root.Cert) }, "not certified"},
		{"named by a stranger", func(f *forgery) { f.responder = ocspDER(0xa1, w.stranger.Cert.RawSubject) }, "another signer"},
		{"named by nobody", func(f *forgery) { f.responder = []byte{0xa3, 0} }, "another signer"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			f := w.forge()
			test.forge(f)
			der := f.der(t)
			answer, err := w.judged(der)
			if test.want == "" {
				if err != nil {
					t.Fatalf("refused: %v", err)
				}
				if answer.status() != "good" || !answer.current(w.now) {
					t.Errorf("got %q, current %v; want good, current", answer.status(), answer.current(w.now))
				}
				if _, err := ocsp.ParseResponseForCert(der, w.client, nil); err != nil {
					t.Errorf("accepted, but golang.org/x/crypto/ocsp refuses it: %v", err)
				}
				return
			}
			if err == nil || !strings.Contains(err.Error(), test.want) || !strings.Contains(err.Error(), "; ") {
				t.Errorf("got error %v, want one with %q and a remedy", err, test.want)
			}
		})
	}
}

func TestEveryPieceOfAnAnswerIsTooLittle(t *testing.T) {
	w := newOCSPWorld(t)
	der := w.forge().der(t)
	for n := range der {
		if _, err := w.judged(der[:n]); err == nil {
			t.Errorf("the first %d of %d bytes are accepted", n, len(der))
		}
	}
}

func TestAnAnswerWithAnImpossibleDateIsRefused(t *testing.T) {
	w := newOCSPWorld(t)
	der := w.forge().der(t)
	date := []byte(w.now.Add(-time.Minute).UTC().Format("20060102150405Z"))
	broken := bytes.ReplaceAll(der, date, []byte("20269999999999Z"))
	if _, err := w.judged(broken); err == nil || !strings.Contains(err.Error(), "cannot be read") {
		t.Errorf("got error %v", err)
	}
}

func TestAnAnswerCountsAsLongAsItSaysAndNoLongerThanTheMaximum(t *testing.T) {
	w := newOCSPWorld(t)
	minutes := func(n float64) time.Time { return w.now.Add(time.Duration(n * float64(time.Minute))) }
	tests := []struct {
		name       string
		status     []byte
		this, next time.Time
		want       time.Time // until
		refresh    time.Time
		reason     Reason
	}{
		{"for longer than the maximum", forgedGood, minutes(-1), minutes(60), minutes(10), minutes(7.5), 0},
		{"for less", forgedGood, minutes(-1), minutes(4), minutes(4), minutes(3), 0},
		{"for ever", forgedGood, minutes(-1), time.Time{}, minutes(10), minutes(7.5), 0},
		{"no more than a week", forgedGood, minutes(4 - 7*24*60), time.Time{}, minutes(4), minutes(3), 0},
		{"late by less than the skew", forgedGood, minutes(-60), minutes(-3), minutes(2).Add(time.Second), minutes(1.5).Add(750 * time.Millisecond), 0},
		{"too short to renew", forgedGood, minutes(-1), w.now.Add(4 * time.Second), w.now.Add(4 * time.Second), time.Time{}, 0},
		{"revoked", forgedRevoked(minutes(-10)), minutes(-1), minutes(60), minutes(10), minutes(7.5), OCSPRevoked},
		{"revoked in time to come", forgedRevoked(minutes(60)), minutes(-1), minutes(60), minutes(10), minutes(7.5), OCSPRevoked},
		{"unknown", forgedUnknown, minutes(-1), minutes(60), minutes(0.5), time.Time{}, OCSPUnknown},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			f := w.forge()
			f.singles[0].status, f.singles[0].this, f.singles[0].next = test.status, test.this, test.next
			a, err := w.judged(f.der(t))
			must(t, a, err)
			if !a.until.Equal(test.want) {
				t.Errorf("counts until %v, want %v", a.until.Sub(w.now), test.want.Sub(w.now))
			}
			if !a.refresh.Equal(test.refresh) {
				t.Errorf("to be renewed at %v, want %v", a.refresh, test.refresh)
			}
			if a.reason != test.reason {
				t.Errorf("got %v, want %v", a.reason, test.reason)
			}
			if !a.current(a.until.Add(-time.Nanosecond)) || a.current(a.until) || a.current(w.now.Add(-6*time.Minute)) {
				t.Errorf("it does not count exactly until its end, and from its arrival")
			}
		})
	}
}

func TestASerialOfAnySizeAndSignIsAskedFor(t *testing.T) {
	w := newOCSPWorld(t)
	for _, serial := range []*big.Int{big.NewInt(0), big.NewInt(1), big.NewInt(128), big.NewInt(255), new(big.Int).Lsh(big.NewInt(1), 159), new(big.Int).Lsh(big.NewInt(1), 1200)} {
		w.client = w.leaf(w.inter, pki.Options{Serial: serial})
		if _, err := w.judged(w.forge().der(t)); err != nil {
			t.Errorf("serial %v: %v", serial, err)
		}
	}
}
