package headers

import (
	"fmt"
	"strings"
	"time"
	"unicode/utf8"
)

// The names of the default identity fields, spelled as they are sent.
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

// Render makes the lines that tell the application who the client is, each "Name: value\r\n". A line whose value is empty
// is not sent, as in nginx. What a preset takes from the certificate is sent with SUCCESS only: most dialects have no
// field for the verdict, and a back end that looks at a name alone would believe it. An operator's own entries are filled
// on FAILED too, as nginx fills them. With NONE there is no certificate, whatever the facts hold.
//
// until is when one of the values changes by itself ($ssl_client_v_remain); zero: never.
//
// An error means that nothing may be sent in the client's name: the verdict is none of the three, a name in the certificate
// is not one (see DN), or a value would leave its line. There are no lines then.
func (t *Template) Render(f Facts) (lines []byte, until time.Time, err error) {
	switch {
	case f.Verify == VerifyNone:
		f.Chain, f.Reason, f.Code = nil, "", 0
	case f.Verify != VerifySuccess && !strings.HasPrefix(f.Verify, VerifyFailed):
		return nil, time.Time{}, fmt.Errorf("rendering identity: %q is not a verdict", f.Verify)
	case f.Verify == VerifySuccess && f.leaf() == nil:
		return nil, time.Time{}, fmt.Errorf("rendering identity: SUCCESS without a certificate")
	}
	for i := range t.entries {
		e := &t.entries[i]
		if e.certificate && e.preset != "" && f.Verify != VerifySuccess {
			continue
		}
		if lines, err = e.appendLine(lines, &f); err != nil {
			return nil, time.Time{}, fmt.Errorf("rendering %s: %w", e.name, err)
		}
	}
	if t.remains && f.leaf() != nil {
		until = remainChanges(f.leaf(), f.Now)
	}
	return lines, until, nil
}

// appendLine appends an entry's line, or nothing when its value is empty.
func (e *entryLine) appendLine(dst []byte, f *Facts) ([]byte, error) {
	line := append(append(dst, e.name...), ": "...)
	start := len(line)
	for _, p := range e.parts {
		if p.variable == nil {
			line = append(line, p.text...)
			continue
		}
		if p.variable.from == fromCertificate && f.leaf() == nil {
			continue
		}
		if f.Shown && p.variable.from == fromConnection {
			line = append(append(line, '$'), p.variable.name...)
			continue
		}
		var err error
		if line, err = p.variable.value(line, f); err != nil {
			return dst, err
		}
	}
	value := line[start:]
	if len(value) == 0 {
		return dst, nil
	}
	if err := staysInLine(value); err != nil {
		return dst, err
	}
	return append(line, '\r', '\n'), nil
}

// staysInLine is the last look at a value, whatever its variables promise: no control character ends the line, and no byte
// sequence is read as one by a recipient of UTF-8.
func staysInLine(value []byte) error {
	for i, b := range value {
		if b < ' ' || b == 0x7f {
			return fmt.Errorf("byte %#02x at %d of a value", b, i)
		}
	}
	if !utf8.Valid(value) {
		return fmt.Errorf("a value is not valid UTF-8")
	}
	return nil
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
