package headers

// fold maps every byte to what it is compared as: a-z and 0-9, or a hyphen for all else.
var fold = func() (t [256]byte) {
	for i := range t {
		switch c := byte(i); {
		case 'a' <= c && c <= 'z', '0' <= c && c <= '9':
			t[i] = c
		case 'A' <= c && c <= 'Z':
			t[i] = c + 'a' - 'A'
		default:
			t[i] = '-'
		}
	}
	return t
}()

// folded returns a name as it is compared.
func folded(name string) string {
	b := []byte(name)
	for i, c := range b {
		b[i] = fold[c]
	}
	return string(b)
}

// hasFoldedPrefix reports whether the folded form of name begins with prefix, which is folded already.
func hasFoldedPrefix(name []byte, prefix string) bool {
	if len(name) < len(prefix) {
		return false
	}
	for i := range len(prefix) {
		if fold[name[i]] != prefix[i] {
			return false
		}
	}
	return true
}

// hyphensOnly reports whether a name has no other separator than the hyphen, so that it is its folded form but for case.
func hyphensOnly(name []byte) bool {
	for _, c := range name {
		if fold[c] == '-' && c != '-' {
			return false
		}
	}
	return true
}

// isToken reports whether name can be a field name at all (RFC 9110 §5.6.2).
func isToken(name string) bool {
	for i := range len(name) {
		switch c := name[i]; c {
		case '!', '#', '$', '%', '&', '\'', '*', '+', '-', '.', '^', '_', '`', '|', '~':
		default:
			if fold[c] == '-' {
				return false
			}
		}
	}
	return name != ""
}
