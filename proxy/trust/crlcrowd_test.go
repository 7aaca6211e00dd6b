package trust

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"mtls-sidecar/proxy/pki"
)

// Nobody who has a source of lists, but no CA's key, keeps another source's lists out,
// fills the memory, or makes a verdict dear.

// from says which source has a list.
func (l *CRL) from(source string) *CRL {
	l.Source = source
	return l
}

// forgeries are lists of the intermediate's name that somebody else has signed.
func (w *world) forgeries(n int, this time.Duration, source string) (all []*CRL) {
	for i := range n {
		l := crlSpec{by: w.stranger, name: w.inter.Cert.RawSubject, keyID: w.inter.Cert.SubjectKeyId,
			this: this, next: 400 * hour, number: int64(100 + i)}
		all = append(all, w.crl(l).from(source))
	}
	return all
}

func TestForgedListsOfOneSourceLeaveRoomForAnother(t *testing.T) {
	w := newWorld(t)
	leaf, good := w.leaf(w.inter, pki.Options{}), w.leaf(w.inter, pki.Options{})
	const honest, hostile = "/good.crl", "http://other.example/"
	second := crlSpec{by: w.inter, this: -minute, next: 48 * hour, number: 2, revokes: certs(leaf)}
	for _, this := range []time.Duration{20 * hour, -time.Second} {
		for _, replayed := range []bool{false, true} {
			crls := w.inForce(certs(w.root), w.good1(), w.crl(crlSpec{by: w.inter, next: 48 * hour}).from(honest))
			if v := w.ask(crls, CRLStrict, good, w.inter); v.Status != Success {
				t.Fatalf("before: %q", v.Text())
			}
			read := w.forgeries(maxWaiting, this, hostile)
			genuine := w.der(second)
			if replayed { // the hostile source has it first
				read = append(read, w.read(genuine)[0].from(hostile))
				crls, _ = crls.Renew(read, certs(w.root), w.keeping())
			}
			crls, _ = crls.Renew(append(read, w.read(genuine)[0].from(honest)), certs(w.root), w.keeping())
			for _, p := range []CRLPolicy{CRLStrict, CRLLeaf, CRLAvailable} {
				if v := w.ask(crls, p, leaf, w.inter); v.Reason != Revoked {
					t.Errorf("forgeries of %v, replayed %v, %v: the revoked client is %q", this, replayed, p, v.Text())
				}
				if v := w.ask(crls, p, good, w.inter); v.Status != Success {
					t.Errorf("forgeries of %v, replayed %v, %v: the good client is %q", this, replayed, p, v.Text())
				}
			}
		}
	}
}

func TestAListThatHasNoRoomToWaitIsTold(t *testing.T) {
	w := newWorld(t)
	read := w.forgeries(maxWaiting, 20*hour, "/lists.pem")
	begun := w.crl(crlSpec{by: w.inter}).from("/lists.pem")
	crls, faults := (*CRLs)(nil).Renew(append(read, begun), certs(w.root), w.keeping())
	wantFaults(t, faults, "has no room to wait")
	if text := faults[0].Error(); !strings.Contains(text, "/lists.pem") || !strings.Contains(text, "number 100 ") {
		t.Errorf("the fault does not tell which: %s", text)
	}
	if v := w.ask(crls, CRLLeaf, w.leaf(w.inter, pki.Options{}), w.inter); v.Status != Success {
		t.Errorf("the list that has begun has made room for those of the future: %q", v.Text())
	}
	again, faults := crls.Renew(append(read, begun), certs(w.root), w.keeping())
	if wantFaults(t, faults); len(again.All()) != maxWaiting+1 { // once it is proved it waits no longer
		t.Errorf("%d lists, want it and %d that wait", len(again.All()), maxWaiting)
	}
}

func TestListsOfInventedCAsDoNotPileUp(t *testing.T) {
	w := newWorld(t)
	var crls *CRLs
	const each = 20
	for n := range 3 * maxVanished / each {
		var read []*CRL
		for m := range each {
			name := append([]byte(nil), w.stranger.Cert.RawSubject...)
			name[len(name)-2], name[len(name)-1] = byte('0'+n), byte('A'+m)
			read = append(read, w.crl(crlSpec{by: w.stranger, name: name, next: 1000 * hour}).from(fmt.Sprint("http://", n%2)))
		}
		var faults []error
		crls, faults = crls.Renew(read, certs(w.root), Keep{Now: w.now.Add(time.Duration(n) * minute)})
		wantFaults(t, faults)
		if got := len(crls.All()); got > each+2*maxVanished {
			t.Fatalf("%d lists are kept, of %d that the source has", got, each)
		}
	}
	for n := range 3 * maxSources { // files that come and go
		file := w.crl(crlSpec{by: w.stranger, next: 1000 * hour, number: int64(n)}).from(fmt.Sprint("/lists/", n))
		crls, _ = crls.Renew([]*CRL{file}, certs(w.root), w.keeping())
		if got := len(crls.All()); got > 1+maxVanished*maxSources {
			t.Fatalf("%d lists are kept", got)
		}
	}
}

// A CA below a trusted one may be hostile, or verbose.
func TestProvedListsOfPointsThatVanishDoNotPileUp(t *testing.T) {
	w := newWorld(t)
	crls := w.inForce(certs(w.root), w.good1(), w.crl(crlSpec{by: w.inter}).from("/good.crl"))
	w.ask(crls, CRLStrict, w.leaf(w.inter, pki.Options{}), w.inter)
	var faults []error
	for n := range maxVanished + 10 {
		list := w.crl(crlSpec{by: w.inter, scope: fullName(uri(fmt.Sprint("http://x/", n)))}).from("http://x")
		var told []error
		crls, told = crls.Renew([]*CRL{list}, certs(w.root), w.keeping())
		faults = append(faults, told...)
		list.signedBy(newCertificate(w.inter.Cert)) // as a client of that point has it proved
	}
	if got := len(crls.All()); got > maxVanished+3 {
		t.Errorf("%d lists are kept", got)
	}
	if len(faults) == 0 || !strings.Contains(faults[0].Error(), "is no longer there") {
		t.Errorf("faults are %q, want one for each list that goes", faults)
	}
	if v := w.ask(crls, CRLStrict, w.leaf(w.inter, pki.Options{}), w.inter); v.Status != Success {
		t.Errorf("the list of another source has gone: %q", v.Text())
	}
}

// Failed checks are not remembered, so what no CA has signed costs each verdict the same again.
func TestFewSignaturesAreCheckedForOneCertificate(t *testing.T) {
	w := newWorld(t)
	leaf := w.leaf(w.inter, pki.Options{})
	for name, scope := range map[string]func(n int) []byte{
		"of other points": func(n int) []byte { return fullName(uri(fmt.Sprint("http://x/", n))) },
		"of no point":     func(int) []byte { return nil },
	} {
		for _, forged := range []int{maxChecks - 1, maxChecks} {
			genuine := w.crl(crlSpec{by: w.inter, revokes: certs(leaf)})
			lists := []*CRL{genuine}
			for n := range forged {
				lists = append(lists, w.crl(crlSpec{by: w.stranger, name: w.inter.Cert.RawSubject, keyID: w.inter.Cert.SubjectKeyId,
					this: -time.Duration(n+1) * minute, scope: scope(n), revokes: certs(leaf)}))
			}
			crls := newCRLs(lists)
			v := w.ask(crls, CRLAvailable, leaf, w.inter)
			if looked := forged < maxChecks; genuine.verified() != looked || (v.Reason == Revoked) != looked {
				t.Errorf("%s: after %d forgeries the genuine list was looked at: %v, and the client is %q", name, forged, genuine.verified(), v.Text())
			}
			genuine.signedBy(newCertificate(w.inter.Cert)) // what is proved already costs no check
			if v := w.ask(crls, CRLAvailable, leaf, w.inter); v.Reason != Revoked {
				t.Errorf("%s: after %d forgeries a proved list does not count: %q", name, forged, v.Text())
			}
		}
	}
}

// When there are more forgeries than are checked, each source has its turn.
func TestSeveralSourcesOfForgedListsLeaveAnotherItsTurn(t *testing.T) {
	w := newWorld(t)
	leaf, good := w.leaf(w.inter, pki.Options{}), w.leaf(w.inter, pki.Options{})
	read := []*CRL{w.good1(), w.crl(crlSpec{by: w.inter, revokes: certs(leaf)}).from("/good.crl")}
	for n := range 5 {
		read = append(read, w.forgeries(maxWaiting, -time.Second, fmt.Sprint("http://", n))...)
	}
	crls, _ := (*CRLs)(nil).Renew(read, certs(w.root), w.keeping())
	for _, p := range []CRLPolicy{CRLStrict, CRLLeaf, CRLAvailable} {
		if v := w.ask(crls, p, leaf, w.inter); v.Reason != Revoked {
			t.Errorf("%v: the revoked client is %q", p, v.Text())
		}
		if v := w.ask(crls, p, good, w.inter); v.Status != Success {
			t.Errorf("%v: the good client is %q", p, v.Text())
		}
	}
}

// Forgeries that claim to be about everybody come first by their dates.
func TestForgeriesLeaveThePartitionedListsOfAnotherSourceTheirTurn(t *testing.T) {
	w := newWorld(t)
	point := func(n int) []byte { return fullName(uri(fmt.Sprint("http://x/", n))) }
	leaf := w.leaf(w.inter, pki.Options{ExtraExtensions: points(point(11))})
	var read []*CRL
	for n := range 12 {
		spec := crlSpec{by: w.inter, scope: point(n), this: -minute, number: int64(n + 1)}
		if n == 11 {
			spec.this, spec.revokes = -30*minute, certs(leaf)
		}
		read = append(read, w.crl(spec).from("/partitions.pem"))
	}
	stranger := w.ca(pki.Options{Subject: w.inter.Cert.Subject})
	for n := range maxChecks {
		read = append(read, w.crl(crlSpec{by: stranger, keyID: w.inter.Cert.SubjectKeyId, this: -minute, number: int64(100 + n)}).from("http://other/"))
	}
	crls, _ := (*CRLs)(nil).Renew(read, certs(w.root), w.keeping())
	if v := w.ask(crls, CRLAvailable, leaf, w.inter); v.Reason != Revoked {
		t.Errorf("the client that its point's list revokes is %q", v.Text())
	}
}

// A bundle of many CAs that is damaged for once still revokes whom it revoked.
func TestTheListsOfAFileThatCannotBeReadStay(t *testing.T) {
	w := newWorld(t)
	var read []*CRL
	for n := range 3 * maxVanished / 2 {
		name := append([]byte(nil), w.stranger.Cert.RawSubject...)
		name[len(name)-2], name[len(name)-1] = byte('0'+n/64), byte('0'+n%64)
		read = append(read, w.crl(crlSpec{by: w.stranger, name: name}).from("/crl/issuing.pem"))
	}
	crls, faults := (*CRLs)(nil).Renew(read, certs(w.root), w.keeping())
	wantFaults(t, faults)
	for _, unread := range []string{"/crl/issuing.pem", "/crl"} {
		keep := w.keeping()
		keep.Unread = []string{unread}
		left, faults := crls.Renew(nil, certs(w.root), keep)
		wantFaults(t, faults)
		if got := len(left.All()); got != len(read) {
			t.Errorf("%s cannot be read: %d of its %d lists stay", unread, got, len(read))
		}
	}
	if left, _ := crls.Renew(nil, certs(w.root), w.keeping()); len(left.All()) != maxVanished {
		t.Errorf("of a file that is gone %d lists stay, want %d", len(left.All()), maxVanished)
	}
}
