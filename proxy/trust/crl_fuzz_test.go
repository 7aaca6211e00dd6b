package trust

import (
	"bytes"
	"crypto"
	"encoding/pem"
	"runtime"
	"strings"
	"testing"

	"mtls-sidecar/proxy/pki"
)

// refusedByGo are the reasons for which crypto/x509 refuses a list that we
// read, as OpenSSL does. Only the first is seen in real lists.
var refusedByGo = []string{
	"unsupported crl version",                   // it knows no lists of version 1
	"malformed extension OID",                   // nor identifiers with large numbers in them
	"malformed OID",                             // the same in the algorithm
	"invalid RDNSequence",                       // nor names with unusual strings, and so no CA of that name either
	"authority key identifier incorrectly mark", // RFC 5280 §4.2.1.1: not critical
}

// FuzzParseCRLs gives any bytes as a file: lists, or an error that tells a
// remedy; never a panic, never much memory; and whatever is read, encoding/pem and
// crypto/x509 read as the same lists.
func FuzzParseCRLs(f *testing.F) {
	for _, seed := range crlSeeds(f) {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		var before, after runtime.MemStats
		input := bytes.Clone(data)
		runtime.ReadMemStats(&before)
		lists, err := ParseCRLs(data)
		runtime.ReadMemStats(&after)
		if spent, most := after.TotalAlloc-before.TotalAlloc, uint64(32*len(data)+1<<20); spent > most {
			t.Errorf("%d bytes were allocated to read %d", spent, len(data))
		}
		if err != nil {
			fault, ok := err.(*CRLError)
			if !ok || fault.Fault == "" || fault.Remedy == "" || lists != nil {
				t.Errorf("%d lists, and the error does not tell fault and remedy: %v", len(lists), err)
			}
			if strings.ContainsAny(err.Error(), "\r\n\x00") {
				t.Errorf("the error does not keep to its line: %q", err)
			}
			return
		}
		ders := listsIn(input)
		if len(ders) != len(lists) || len(lists) == 0 {
			t.Fatalf("%d lists, encoding/pem finds %d", len(lists), len(ders))
		}
		for i, list := range lists {
			if err := sameAsStandardLibrary(t, list, ders[i]); err != nil && !named(err) {
				t.Errorf("crypto/x509: %v", err)
			}
			if list.NextUpdate.Before(list.ThisUpdate) || list.verified() {
				t.Errorf("from %v to %v, verified %v", list.ThisUpdate, list.NextUpdate, list.verified())
			}
		}
	})
}

func named(refusal error) bool {
	for _, reason := range refusedByGo {
		if strings.Contains(refusal.Error(), reason) {
			return true
		}
	}
	return false
}

// listsIn finds the lists of a file as the standard library would.
func listsIn(data []byte) [][]byte {
	if !isPEM(data) {
		return [][]byte{data}
	}
	var ders [][]byte
	for {
		at := bytes.Index(data, []byte("-----BEGIN"))
		if at < 0 {
			return ders
		}
		var block *pem.Block
		if block, data = pem.Decode(data[at:]); block == nil {
			return ders
		}
		if block.Type == "X509 CRL" {
			ders = append(ders, block.Bytes)
		}
	}
}

func crlSeeds(f *testing.F) [][]byte {
	root, err := pki.NewRoot(pki.Options{})
	must(f, root, err)
	good := goodRawCRL(root)
	full := good
	full.entries = append(full.entries, rawEntry([]byte{9}, rawExtension(extReasonCode, false, []byte{10, 1, 1})))
	full.extensions = append(full.extensions, rawExtension(extIssuingPoint, true,
		asDER(0x30, asDER(0xa0, asDER(0xa0, asDER(0x86, []byte("http://a/")))), []byte{0x81, 1, 0xff})))
	old := good
	old.version, old.extensions, old.entries = nil, nil, nil
	var seeds [][]byte
	for _, raw := range []rawCRL{good, full, old} {
		der := raw.signed(f, root.Key, crypto.SHA256)
		text := pem.EncodeToMemory(&pem.Block{Type: "X509 CRL", Bytes: der})
		seeds = append(seeds, der, text, der[:len(der)/2], text[:len(text)/2], append(text, text...),
			append(pki.CertPEM(root.Cert), text...))
	}
	for _, c := range signatureCases(f) {
		raw := good
		raw.algorithm = c.algorithm
		seeds = append(seeds, raw.sealed([]byte("signature")))
	}
	return append(seeds, nil, root.Cert.Raw, []byte("-----BEGIN X509 CRL-----\n-----END X509 CRL-----\n"), []byte("-----BEGIN"), []byte("0"))
}
