package headers

import (
	"fmt"
	"strings"
)

// The names of the identity fields, spelled as they are sent.
const (
	NameVerified = "VERIFIED" // $ssl_client_verify
	NameDN       = "DN"       // $ssl_client_s_dn
)

// The values of $ssl_client_verify. A failure is VerifyFailed followed by the reason, without a space.
const (
	VerifyNone    = "NONE"
	VerifySuccess = "SUCCESS"
	VerifyFailed  = "FAILED:"
)

// Facts is what is known of a client when its identity lines are rendered.
type Facts struct {
	Verify  string // VerifyNone, VerifySuccess, or VerifyFailed and a reason
	Subject []byte // the leaf's subject as DER (x509.Certificate.RawSubject), nil without a certificate
}

// Identity renders the lines that tell the application who the client is, each "Name: value\r\n":
// VERIFIED always, and DN when the verdict is SUCCESS and the subject is not empty. nginx too sends no line for an empty value.
// On FAILED it fills $ssl_client_s_dn; here values from a certificate need SUCCESS, for a back end that
// looks at DN alone would believe them.
//
// An error means that nothing may be sent in the client's name: the verdict is none of the three, or the subject is not a
// name (see DN). There are no lines then.
func Identity(f Facts) ([]byte, error) {
	if f.Verify != VerifyNone && f.Verify != VerifySuccess && !strings.HasPrefix(f.Verify, VerifyFailed) {
		return nil, fmt.Errorf("rendering identity: %q is not a verdict", f.Verify)
	}
	// Half as much again leaves room for short names and escapes in a usual subject.
	block := make([]byte, 0, len("VERIFIED: \r\nDN: \r\n")+len(f.Verify)+len(f.Subject)*3/2)
	block = append(block, NameVerified+": "...)
	block = appendVisible(block, f.Verify)
	block = append(block, '\r', '\n')
	if f.Verify != VerifySuccess {
		return block, nil
	}
	line := append(block, NameDN+": "...)
	value := len(line)
	line, err := appendDN(line, f.Subject)
	if err != nil {
		return nil, fmt.Errorf("rendering identity: %w", err)
	}
	if len(line) == value {
		return block, nil
	}
	return append(line, '\r', '\n'), nil
}

// appendVisible appends text with every byte that is not visible ASCII or a space as a question mark: the reason of a
// failure may one day quote a certificate.
func appendVisible(dst []byte, text string) []byte {
	for i := range len(text) {
		b := text[i]
		if b < 0x20 || b > 0x7e {
			b = '?'
		}
		dst = append(dst, b)
	}
	return dst
}
