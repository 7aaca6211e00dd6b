package trust

import (
	"bytes"
	"crypto"
	"encoding/binary"
	"encoding/pem"
	"math/big"
	"runtime"
	"testing"

	"mtls-sidecar/proxy/pki"
)

// manySerial is the 20 bytes of the nth serial, in no order.
func manySerial(n int) []byte {
	serial := make([]byte, 20)
	binary.BigEndian.PutUint64(serial, (uint64(n)*0x9e3779b97f4a7c15)>>1)
	binary.BigEndian.PutUint32(serial[16:], uint32(n))
	serial[0] |= 0x40 // so that no byte is redundant
	return serial
}

// manyRevoked is a list of many entries with a reason each: a million take 53 MB.
func manyRevoked(t testing.TB, issuer *pki.Authority) []byte {
	t.Helper()
	reason := rawExtension(extReasonCode, false, []byte{10, 1, 1})
	raw := goodRawCRL(issuer)
	size := len(rawEntry(manySerial(0), reason))
	all := make([]byte, 0, manyEntries*size)
	entry := rawEntry(manySerial(0), reason)
	for n := range manyEntries {
		copy(entry[4:24], manySerial(n)) // behind two heads
		all = append(all, entry...)
	}
	raw.entries = [][]byte{all}
	return raw.signed(t, issuer.Key, crypto.SHA256)
}

// A list may be held in memory once as it came and once more, everything that was
// allocated meanwhile included; afterwards only what looking up needs is kept.
func TestAMillionEntriesTakeNoMoreMemoryThanTheFileAgain(t *testing.T) {
	w := newWorld(t)
	before := memory()
	for _, form := range []string{"DER", "PEM"} {
		data := manyRevoked(t, w.root)
		if form == "PEM" {
			data = pem.EncodeToMemory(&pem.Block{Type: "X509 CRL", Bytes: data})
		}
		size := uint64(len(data))
		start := memory().TotalAlloc
		lists, err := ParseCRLs(data)
		spent := memory().TotalAlloc - start
		data = nil
		if err != nil || len(lists) != 1 {
			t.Fatalf("%s: %d lists, %v", form, len(lists), err)
		}
		if spent > size {
			t.Errorf("%s: %d bytes were allocated to read %d", form, spent, size)
		}
		// 20 bytes for each serial, and an allowance for everything else.
		if kept := int64(memory().HeapAlloc) - int64(before.HeapAlloc); kept > manyEntries*20+4<<20 {
			t.Errorf("%s: %d bytes are kept of %d", form, kept, size)
		}
		checkMany(t, lists[0])
	}
}

func checkMany(t *testing.T, list *CRL) {
	t.Helper()
	if list.Entries() != manyEntries {
		t.Errorf("%d entries, want %d", list.Entries(), manyEntries)
	}
	for n := 0; n < manyEntries; n += 997 {
		serial := new(big.Int).SetBytes(manySerial(n))
		if !list.Revokes(serial) {
			t.Fatalf("serial %d is not revoked", n)
		}
		if list.Revokes(serial.Add(serial, big.NewInt(1<<40))) {
			t.Fatalf("a serial near number %d is revoked", n)
		}
	}
}

// memory is what the heap holds once all that is unreachable is gone.
func memory() runtime.MemStats {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m
}

// What a stranger's server sends instead of a list must not cost more than a
// small multiple of its size either.
func TestHostileListsAreReadInBoundedMemory(t *testing.T) {
	w := newWorld(t)
	attribute := asDER(0x30, oidDER(t, 2, 5, 4, 3), asDER(0x14, bytes.Repeat([]byte{0xe9}, 20))) // T61, twice as long in UTF-8
	name := func(count int) []byte { return asDER(0x30, bytes.Repeat(asDER(0x31, attribute), count)) }
	authority := func(fields ...[]byte) [][]byte {
		return [][]byte{rawExtension(extAuthorityKeyID, false, asDER(0x30, fields...))}
	}
	for what, c := range map[string]struct {
		change func(*rawCRL)
		good   bool
	}{
		"the shortest entries":  {func(l *rawCRL) { l.entries = [][]byte{bytes.Repeat(rawEntry([]byte{1}), 200_000)} }, true},
		"a long name":           {func(l *rawCRL) { l.issuer = name(100_000) }, false},
		"a name of one RDN":     {func(l *rawCRL) { l.issuer = asDER(0x30, asDER(0x31, bytes.Repeat(attribute, 100_000))) }, false},
		"a name as long as may": {func(l *rawCRL) { l.issuer = name(2000) }, true},
		"a long extension":      {func(l *rawCRL) { l.extensions = [][]byte{rawExtension("\x2a\x03", false, make([]byte, 4<<20))} }, true},
		"names of a point": {func(l *rawCRL) {
			names := asDER(0xa0, bytes.Repeat(asDER(0x86, []byte("u")), 1_000_000))
			l.extensions = [][]byte{rawExtension(extIssuingPoint, true, asDER(0x30, asDER(0xa0, names)))}
		}, false},
		"an authority's name":   {func(l *rawCRL) { l.extensions = authority(asDER(0xa1, asDER(0xa4, name(100_000)))) }, false},
		"an authority's serial": {func(l *rawCRL) { l.extensions = authority(asDER(0x82, bytes.Repeat([]byte{0x81}, 4<<20))) }, false},
	} {
		raw := goodRawCRL(w.root)
		c.change(&raw)
		data := raw.signed(t, w.root.Key, crypto.SHA256)
		size := uint64(len(data))
		start := memory().TotalAlloc
		_, err := ParseCRLs(data)
		spent := memory().TotalAlloc - start
		if (err == nil) != c.good {
			t.Errorf("%s: %v", what, err)
		}
		if spent > 4*size+1<<20 { // the longest name allowed takes some 25 times its size
			t.Errorf("%s: %d bytes were allocated to read %d", what, spent, size)
		}
	}
}

// BenchmarkParseCRLs reads a list of a million entries; its report shows the cost of
// all of them.
func BenchmarkParseCRLs(b *testing.B) {
	root, err := pki.NewRoot(pki.Options{})
	must(b, root, err)
	data := manyRevoked(b, root)
	b.SetBytes(int64(len(data)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := ParseCRLs(data); err != nil { // DER is not overwritten
			b.Fatal(err)
		}
	}
}

func BenchmarkRevokes(b *testing.B) {
	root, err := pki.NewRoot(pki.Options{})
	must(b, root, err)
	list := oneCRL(b, manyRevoked(b, root))
	serial := new(big.Int).SetBytes(manySerial(12345))
	b.ReportAllocs()
	for b.Loop() {
		if !list.Revokes(serial) {
			b.Fatal("not revoked")
		}
	}
}
