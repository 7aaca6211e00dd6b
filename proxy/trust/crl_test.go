package trust

import (
	"crypto"
	"crypto/sha256"
	"errors"
	"io/fs"
	"math/big"
	"testing"
)

func TestAListTellsWhatItIs(t *testing.T) {
	w := newWorld(t)
	der := goodRawCRL(w.root).signed(t, w.root.Key, crypto.SHA256)
	digest := sha256.Sum256(der)
	list := oneCRL(t, der)
	if !list.ThisUpdate.Equal(rawThis) || !list.NextUpdate.Equal(rawNext) {
		t.Errorf("from %v to %v, want from %v to %v", list.ThisUpdate, list.NextUpdate, rawThis, rawNext)
	}
	if list.Number == nil || list.Number.Int64() != 7 {
		t.Errorf("number %v, want 7", list.Number)
	}
	if list.Digest != digest {
		t.Errorf("digest %x, want %x", list.Digest, digest)
	}
	if got, want := string(list.RawIssuer), string(w.root.Cert.RawSubject); got != want {
		t.Errorf("issuer %x, want %x", got, want)
	}
	if list.issuer != newCertificate(w.root.Cert).subject {
		t.Errorf("the issuer's canonical name is another than its certificate's")
	}
	if got, want := string(list.authority.keyID), string(w.root.Cert.SubjectKeyId); got != want {
		t.Errorf("key identifier %x, want %x", got, want)
	}
	if list.Entries() != 3 {
		t.Errorf("%d entries, want 3", list.Entries())
	}
	for serial, want := range map[int64]bool{3: true, 5: true, 128: true, -128: false, 0: false, 4: false, 1 << 40: false} {
		if got := list.Revokes(big.NewInt(serial)); got != want {
			t.Errorf("serial %d is revoked: %v, want %v", serial, got, want)
		}
	}
}

// ParseCRLs owns its input: whoever uses the memory again must not change a list.
func TestAListRefersToNoByteOfTheFile(t *testing.T) {
	w := newWorld(t)
	raw := goodRawCRL(w.root)
	point := rawExtension(extIssuingPoint, true, asDER(0x30, asDER(0xa0, asDER(0xa0, asDER(0x86, []byte("http://a/"))))))
	raw.extensions = append(raw.extensions, point)
	der := raw.signed(t, w.root.Key, crypto.SHA256)
	list := oneCRL(t, der)
	clear(der)
	if !list.signedBy(newCertificate(w.root.Cert)) {
		t.Errorf("the signature is gone with the file")
	}
	if string(list.RawIssuer) != string(w.root.Cert.RawSubject) || string(list.authority.keyID) != string(w.root.Cert.SubjectKeyId) ||
		string(list.scope.point) != "\x86\x09http://a/" || !list.Revokes(big.NewInt(5)) || list.Number.Int64() != 7 {
		t.Errorf("the list changed with the file: %+v", list)
	}
}

// An entry revokes whatever its reason, also with the one that takes an entry back.
func TestTheReasonOfAnEntryDoesNotMatter(t *testing.T) {
	w := newWorld(t)
	for _, reason := range []byte{0, 1, 6, 8} { // unspecified, keyCompromise, certificateHold, removeFromCRL
		raw := goodRawCRL(w.root)
		raw.entries = [][]byte{rawEntry([]byte{9}, rawExtension(extReasonCode, false, []byte{10, 1, reason}))}
		if list := oneCRL(t, raw.signed(t, w.root.Key, crypto.SHA256)); !list.Revokes(big.NewInt(9)) {
			t.Errorf("reason %d: not revoked", reason)
		}
	}
}

func TestLookingUpASerialDoesNotAllocate(t *testing.T) {
	w := newWorld(t)
	list := oneCRL(t, goodRawCRL(w.root).signed(t, w.root.Key, crypto.SHA256))
	serials := []*big.Int{big.NewInt(5), big.NewInt(-3), new(big.Int).Lsh(big.NewInt(1), 159), new(big.Int).Lsh(big.NewInt(1), 4096)}
	if n := testing.AllocsPerRun(100, func() {
		for _, serial := range serials {
			list.Revokes(serial)
		}
	}); n != 0 {
		t.Errorf("%v allocations, want none", n)
	}
}

func TestAFaultIsToldWithItsPathAndRemedy(t *testing.T) {
	fault := &CRLError{Path: "/etc/ca.crl", Fault: "cannot be read", Remedy: "check it", Err: fs.ErrPermission}
	if got, want := fault.Error(), "/etc/ca.crl: cannot be read: permission denied; check it"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if !errors.Is(fault, fs.ErrPermission) {
		t.Errorf("the cause is lost")
	}
	fault = &CRLError{Fault: "empty", Remedy: "fill it"}
	if got, want := fault.Error(), "empty; fill it"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}
