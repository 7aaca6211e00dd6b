package headers

import (
	"bytes"
	"crypto/ed25519"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestDNAgreesWithOpenSSLOnHostileSubjects makes certificates with random subjects and compares what OpenSSL prints for each.
// "openssl verify" is the one command that reads many certificates in one process and prints their subjects by -nameopt:
// since it trusts nobody here, it names the subject of each before it fails it. A subject with which OpenSSL does not read the
// certificate must be an error here, and no other.
func TestDNAgreesWithOpenSSLOnHostileSubjects(t *testing.T) {
	requireTool(t, "openssl")
	subjects := hostileSubjects(t, 2500)
	dir := t.TempDir()
	writeCertificates(t, dir, subjects)
	printed := verifySubjects(t, dir, "RFC2253", len(subjects))
	refused, parsedByGo := 0, 0
	for i, subject := range subjects {
		want, read := printed[i]
		got, err := DN(subject)
		switch {
		case !read && err == nil:
			t.Errorf("%x: got %q, openssl does not read it", subject, got)
		case read && (err != nil || got != want):
			t.Errorf("%x:\n got %q, %v\nwant %q", subject, got, err, want)
		}
		if !read {
			refused++
		}
		if goReads(dir, i) {
			parsedByGo++
		}
	}
	t.Logf("%d subjects: %d not read by openssl, %d read by crypto/x509", len(subjects), refused, parsedByGo)
	if parsedByGo < len(subjects)/4 || refused < len(subjects)/50 {
		t.Errorf("the subjects are not mixed as they should be")
	}
}

func certificateFile(i int) string { return fmt.Sprintf("%d.pem", i) }

func goReads(dir string, i int) bool {
	text, err := os.ReadFile(filepath.Join(dir, certificateFile(i)))
	if err != nil {
		return false
	}
	block, _ := pem.Decode(text)
	_, err = x509.ParseCertificate(block.Bytes)
	return err == nil
}

func writeCertificates(t *testing.T, dir string, subjects [][]byte) {
	t.Helper()
	key := ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize))
	issuer := &x509.Certificate{Subject: pkix.Name{CommonName: "issuer"}}
	for i, subject := range subjects {
		leaf := &x509.Certificate{
			SerialNumber: big.NewInt(1),
			RawSubject:   subject,
			NotBefore:    time.Unix(0, 0),
			NotAfter:     time.Unix(4e9, 0),
		}
		der, err := x509.CreateCertificate(nil, leaf, issuer, key.Public(), key)
		if err != nil {
			t.Fatalf("certificate for %x: %v", subject, err)
		}
		text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
		if err := os.WriteFile(filepath.Join(dir, certificateFile(i)), text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// verifySubjects returns what openssl printed for each certificate that it could read, with these options of -nameopt.
func verifySubjects(t *testing.T, dir, nameopt string, n int) map[int]string {
	t.Helper()
	args := []string{"verify", "-nameopt", nameopt, "-no-CAfile", "-no-CApath", "-no-CAstore"}
	for i := range n {
		args = append(args, certificateFile(i))
	}
	var out bytes.Buffer
	cmd := exec.CommandContext(t.Context(), "openssl", args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "OPENSSL_CONF="+os.DevNull) // it may define objects of its own
	cmd.Stderr = &out
	if err := cmd.Run(); err == nil {
		t.Fatal("openssl verify believed a certificate without a CA")
	}
	printed := make(map[int]string)
	unread := 0
	var block []string // the lines since the last certificate: its subject, then the reason
	for line := range strings.Lines(out.String()) {
		line = strings.TrimSuffix(line, "\n")
		var i int
		if strings.HasPrefix(line, "Unable to load certificate") {
			unread, block = unread+1, nil
		} else if _, err := fmt.Sscanf(line, "error %d.pem: verification failed", &i); err != nil {
			block = append(block, line)
		} else if len(block) != 2 {
			t.Fatalf("openssl printed %q for certificate %d", block, i)
		} else {
			printed[i], block = block[0], nil
		}
	}
	if len(printed)+unread != n {
		t.Fatalf("openssl spoke of %d certificates, not %d", len(printed)+unread, n)
	}
	return printed
}

// hostileSubjects returns n random subjects, the same in each run.
func hostileSubjects(t *testing.T, n int) [][]byte {
	t.Helper()
	g := subjectMaker{Rand: rand.New(rand.NewPCG(2253, 4514)), everyObject: openSSLIs30(t)}
	subjects := make([][]byte, n)
	for i := range subjects {
		subjects[i] = g.subject()
	}
	return subjects
}

type subjectMaker struct {
	*rand.Rand
	everyObject bool // use all of shortNames, which another OpenSSL may know differently
}

func (g subjectMaker) subject() []byte {
	var rdns []string
	for range g.usually(g.IntN(4), 20) {
		rdn := ""
		for range g.usually(1, 3+g.IntN(3)) {
			rdn += g.attribute()
		}
		rdns = append(rdns, rdn)
	}
	return name(rdns...)
}

// usually returns n, or one time in four up to most.
func (g subjectMaker) usually(n, most int) int {
	if g.IntN(4) == 0 {
		return g.IntN(most)
	}
	return n
}

func (g subjectMaker) attribute() string {
	strange := g.IntN(30) == 0 // a type or an encoding that OpenSSL may not read
	if strange && g.IntN(2) == 0 {
		return attr(g.oid(), byte(1+g.IntN(30)), g.bytes("\x00ab\x01\xff"))
	}
	switch g.IntN(8) {
	case 0, 1, 2:
		if strange {
			return attr(g.oid(), tagUTF8String, g.bytes("ab\xc3\xa9\xff\x80\xed\xa0\xf4\x90"))
		}
		return attr(g.oid(), tagUTF8String, g.text())
	case 3:
		return attr(g.oid(), tagPrintableString, g.bytes("abcXYZ019 '()+,-./:=?*&"))
	case 4:
		return attr(g.oid(), tagIA5String, g.bytes("ab \x00\t\r\n\x1f\x7f,+\"\\<>;=#/~"))
	case 5:
		return attr(g.oid(), tagTeletexString, g.bytes("ab #,\\\x00\n\x7f\x80\xa0\xc3\xa9\xff"))
	case 6:
		return attr(g.oid(), tagNumericString, g.bytes("0123456789 "))
	default:
		return g.wide(strange)
	}
}

func (g subjectMaker) wide(strange bool) string {
	content, universal := "", g.IntN(4) == 0
	for _, r := range g.text() {
		if strange && g.IntN(3) == 0 {
			r = 0xd800 + rune(g.IntN(0x800))
		}
		if universal {
			content += string([]byte{0, byte(r >> 16), byte(r >> 8), byte(r)})
		} else {
			content += string([]byte{byte(r >> 8), byte(r)}) // what is above U+FFFF becomes another character, or a surrogate
		}
	}
	if strange && g.IntN(2) == 0 {
		content += "\x00"
	}
	if universal {
		return attr(g.oid(), tagUniversalString, content)
	}
	return attr(g.oid(), tagBMPString, content)
}

// bytes returns a few of the bytes in alphabet, now and then none, one or many.
func (g subjectMaker) bytes(alphabet string) string {
	b := make([]byte, g.usually(g.IntN(6), 200))
	for i := range b {
		b[i] = alphabet[g.IntN(len(alphabet))]
	}
	return string(b)
}

func (g subjectMaker) text() string {
	alphabet := []rune("ab  ##,+\"\\<>;=/\x00\t\r\n\x1f\x7f\u0080é\u07ff\u0800€\ufffd\ufffe\uffff😀\U0010ffff")
	out := make([]rune, g.usually(g.IntN(6), 100))
	for i := range out {
		out[i] = alphabet[g.IntN(len(alphabet))]
	}
	return string(out)
}

func (g subjectMaker) oid() string {
	switch g.IntN(6) {
	case 0:
		if g.everyObject {
			return shortNames[g.IntN(len(shortNames))].oid
		}
		return oidC
	case 1: // below 2.999, the example arc: nobody gives these a name
		arcs := []uint64{2, 999}
		for range g.usually(1+g.IntN(4), 60) {
			arcs = append(arcs, g.Uint64()>>(1+g.IntN(63)))
		}
		return string(oidContent(arcs))
	case 2:
		return oidUnknown
	default:
		common := []string{oidCN, oidO, oidOU, oidC, "\x09\x92\x26\x89\x93\xf2\x2c\x64\x01\x01", "\x2a\x86\x48\x86\xf7\x0d\x01\x09\x01"}
		return common[g.IntN(len(common))]
	}
}
