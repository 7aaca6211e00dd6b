package trust

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"strings"
)

const (
	crlLabel   = "X509 CRL"
	maxPEMLine = 200 // of a BEGIN line, far above any label
	// maxLists is how many lists one file may hold: each costs a signature check and
	// perhaps a line of the log.
	maxLists = 1000
)

// isPEM tells text from DER. The bytes of a list may by chance, or by its
// issuer's wish, hold a BEGIN line: what begins like DER of some length is DER.
func isPEM(data []byte) bool {
	if len(data) > 1 && data[0] == tagSequence && data[1] >= 0x80 {
		return false
	}
	return bytes.Contains(data, []byte("-----BEGIN"))
}

// parsePEMLists reads every block of data, which it overwrites. Text between
// blocks is passed over (`openssl crl -text` writes some); anything that looks
// like a block must be a whole one.
func parsePEMLists(data []byte) ([]*CRL, *CRLError) {
	var lists []*CRL
	for number := 1; ; number++ {
		at := bytes.Index(data, []byte("-----BEGIN"))
		between := data
		if at >= 0 {
			between = data[:at]
		}
		if remains(between) {
			return nil, (&CRLError{Fault: "has lost its BEGIN line", Remedy: fetchAnew}).in("PEM block %d", number)
		}
		if at < 0 {
			break
		}
		label, body, rest, ok := nextBlock(data[at:])
		if !ok {
			return nil, (&CRLError{Fault: "damaged or cut short", Remedy: fetchAnew}).in("PEM block %d", number)
		}
		data = rest
		switch label {
		case crlLabel:
			list, fault := parsePEMList(body)
			if fault != nil {
				return nil, fault.in("PEM block %d", number)
			}
			if lists = append(lists, list); len(lists) > maxLists {
				return nil, &CRLError{Fault: fmt.Sprintf("more than %d CRLs", maxLists), Remedy: "name files with those of the clients' CAs only"}
			}
		case "CERTIFICATE", "X509 CERTIFICATE", "TRUSTED CERTIFICATE":
			// Of no use here, and no harm.
		default:
			return nil, &CRLError{Fault: fmt.Sprintf("PEM block %d is a %.40q, not a CRL", number, label), Remedy: nameLists}
		}
	}
	if len(lists) == 0 {
		return nil, &CRLError{Fault: "certificates only, no CRL", Remedy: nameLists}
	}
	return lists, nil
}

// remains reports whether the text between two blocks is what is left of another: of
// a file cut at its head, or with a character changed, a whole list would be missing otherwise.
func remains(between []byte) bool {
	return bytes.Contains(between, []byte("-----END")) || bytes.Contains(between, []byte("X509 CRL-----"))
}

// nextBlock splits the block off data, which begins with "-----BEGIN": its
// label, what stands between the BEGIN and END lines, and what follows.
func nextBlock(data []byte) (label string, body, rest []byte, ok bool) {
	const begin, end, dashes = "-----BEGIN ", "-----END ", "-----"
	line, body, ok := bytes.Cut(data, []byte("\n"))
	if !ok || len(line) > maxPEMLine {
		return "", nil, nil, false
	}
	name, isBegin := strings.CutPrefix(string(bytes.TrimRight(line, " \t\r")), begin)
	label, closed := strings.CutSuffix(name, dashes)
	if !isBegin || !closed || strings.Contains(label, dashes) {
		return "", nil, nil, false
	}
	at := bytes.Index(body, []byte(dashes))
	if at < 0 || at > 0 && body[at-1] != '\n' {
		return "", nil, nil, false
	}
	line, rest, _ = bytes.Cut(body[at:], []byte("\n"))
	if string(bytes.TrimRight(line, " \t\r")) != end+label+dashes {
		return "", nil, nil, false
	}
	return label, body[:at], rest, true
}

// parsePEMList reads the list whose base64 text is body, and overwrites it.
func parsePEMList(body []byte) (*CRL, *CRLError) {
	der, at := decodeInPlace(body)
	switch {
	case at >= 0:
		return nil, &CRLError{Fault: fmt.Sprintf("not base64 near character %d of it", at), Remedy: fetchAnew}
	case len(der) == 0:
		return nil, &CRLError{Fault: "empty", Remedy: fetchAnew}
	}
	return parseCRL(der)
}

// decodeInPlace decodes base64 with white space into the beginning of text. What
// is written is always behind what is read, since three bytes come from four.
// faulty is about where the text is not base64, or negative.
func decodeInPlace(text []byte) (plain []byte, faulty int) {
	var quads [4096]byte
	var triples [len(quads) / 4 * 3]byte
	collected, written := 0, 0
	padded := false
	flush := func() bool {
		n, err := base64.StdEncoding.Decode(triples[:], quads[:collected])
		if err != nil || padded && collected > 0 {
			return false
		}
		padded = collected > 0 && quads[collected-1] == '='
		written += copy(text[written:], triples[:n])
		collected = 0
		return true
	}
	for at, c := range text {
		if c == ' ' || c == '\t' || c == '\r' || c == '\n' {
			continue
		}
		quads[collected] = c
		collected++
		if collected == len(quads) && !flush() {
			return nil, at
		}
	}
	if !flush() {
		return nil, len(text)
	}
	return text[:written], -1
}
