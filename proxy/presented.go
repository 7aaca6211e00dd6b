package proxy

import (
	"bytes"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
)

// maxPresentedFile is above what any client can send: crypto/tls takes 256 KiB
// of certificates, and PEM is a third longer.
const maxPresentedFile = 1 << 20

// readPresented reads what a client would present, its own certificate first:
// PEM, or one certificate in DER. A private key beside certificates is passed over. It also reads what is
// no regular file: in an image without a shell, /dev/stdin is the way in.
func readPresented(path string) ([]*x509.Certificate, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, unopened(err)
	}
	defer file.Close()
	data, err := io.ReadAll(io.LimitReader(file, maxPresentedFile+1))
	if err != nil {
		return nil, unopened(err)
	}
	return parsePresented(data)
}

func parsePresented(data []byte) ([]*x509.Certificate, error) {
	switch {
	case len(data) > maxPresentedFile:
		return nil, fmt.Errorf("has more than %d bytes, more than any client could send; name the file of one client's certificate", maxPresentedFile)
	case len(bytes.TrimSpace(data)) == 0:
		return nil, errors.New("is empty; name the file of a client's certificate")
	case !bytes.Contains(data, []byte("-----BEGIN")):
		return presentedDER(data)
	}
	return presentedPEM(data)
}

func unopened(err error) error {
	var path *os.PathError
	if errors.As(err, &path) {
		err = path.Err // the path is told by the caller
	}
	return fmt.Errorf("cannot be read (%w); name the file of a client's certificate, readable for this user", err)
}

// presentedPEM counts the BEGIN lines: encoding/pem passes over a damaged block
// in silence, and the next one would be taken for the client's own.
func presentedPEM(data []byte) ([]*x509.Certificate, error) {
	var chain []*x509.Certificate
	var others []string
	begin := []byte("-----BEGIN")
	for number := 1; bytes.Contains(data, begin); number++ {
		data = data[bytes.Index(data, begin):]
		block, rest := pem.Decode(data)
		if block == nil || bytes.Count(data[:len(data)-len(rest)], begin) != 1 {
			return nil, fmt.Errorf("PEM block %d is damaged or cut short; write the file anew, whole", number)
		}
		data = rest
		switch block.Type {
		case "CERTIFICATE", "X509 CERTIFICATE":
			c, err := x509.ParseCertificate(block.Bytes)
			if err != nil {
				return nil, fmt.Errorf("the certificate in PEM block %d does not parse (%w), and the handshake of a client with it would fail; have it issued anew, or look at it with: openssl x509 -text", number, err)
			}
			chain = append(chain, c)
		default:
			others = append(others, block.Type)
		}
	}
	if len(chain) > 0 {
		return chain, nil
	}
	if at := slices.IndexFunc(others, isKey); at > 0 { // behind its EC PARAMETERS
		return nil, holdsOnly(others[at])
	}
	return nil, holdsOnly(others[0])
}

func presentedDER(data []byte) ([]*x509.Certificate, error) {
	c, err := x509.ParseCertificate(data)
	if err == nil {
		return []*x509.Certificate{c}, nil
	}
	if _, notCSR := x509.ParseCertificateRequest(data); notCSR == nil {
		return nil, holdsOnly("CERTIFICATE REQUEST")
	}
	if _, notKey := parseKey([][]byte{data}, false); notKey == nil {
		return nil, holdsOnly("PRIVATE KEY")
	}
	if _, notCRL := x509.ParseRevocationList(data); notCRL == nil {
		return nil, holdsOnly("X509 CRL")
	}
	switch {
	case holdsPKCS12(data):
		return nil, errors.New("is a PKCS#12 file; take the certificates out with: openssl pkcs12 -in FILE -nokeys -out client.crt (older ones need -legacy, too)")
	case bytes.Contains(data[:min(len(data), 32)], oidSignedData):
		return nil, holdsOnly("PKCS7")
	}
	return nil, fmt.Errorf("is neither PEM nor a certificate in DER (%w); name the file of a client's certificate", err)
}

// oidSignedData is pkcs7-signedData (RFC 2315 §14) in DER.
var oidSignedData = []byte{0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x07, 0x02}

// holdsPKCS12 looks for the head of a PFX (RFC 7292 §4): a SEQUENCE that begins with the
// version, INTEGER 3, and a ContentInfo. Windows writes it in BER, of indefinite length.
func holdsPKCS12(data []byte) bool {
	if len(data) < 8 || data[0] != 0x30 {
		return false
	}
	body := data[2:]
	if data[1] > 0x80 {
		body = data[min(2+int(data[1]&0x7f), len(data)):]
	}
	return bytes.HasPrefix(body, []byte{0x02, 0x01, 0x03, 0x30})
}

func isKey(kind string) bool { return strings.HasSuffix(kind, "PRIVATE KEY") }

// holdsOnly tells what is in a file that has no certificate.
func holdsOnly(kind string) error {
	switch {
	case isKey(kind):
		return errors.New("holds a private key and no certificate; name the file of the certificate that belongs to it")
	case strings.HasSuffix(kind, "CERTIFICATE REQUEST"):
		return errors.New("holds a request for a certificate (CSR), not the certificate; have a CA issue it, and name the file that the CA gives you")
	case kind == "X509 CRL":
		return errors.New("holds a revocation list, not a certificate; name it in MTLS_CRL, and here the file of a client's certificate")
	case kind == "PKCS7" || kind == "CMS":
		return errors.New("holds certificates in PKCS#7 form; take them out with: openssl pkcs7 -print_certs -in FILE -out client.crt (add -inform DER if it is no text)")
	case kind == "TRUSTED CERTIFICATE":
		return errors.New("holds a TRUSTED CERTIFICATE, a form that no client sends; convert it with: openssl x509 -in FILE -out client.crt")
	}
	return fmt.Errorf("holds no certificate but %.40q; name a file with a CERTIFICATE block", kind)
}
