package http1

// What a relay writes when it chunks a body anew.
const (
	// MaxChunkHead is the most that AppendChunkHead appends.
	MaxChunkHead = maxSizeDigits + len(CRLF)
	// CRLF ends the data of each chunk, and the trailer section.
	CRLF = "\r\n"
	// LastChunk comes before the trailer fields.
	LastChunk = "0" + CRLF
	// LastChunkNoTrailer ends a body without trailer fields.
	LastChunkNoTrailer = LastChunk + CRLF
)

// AppendChunkHead appends the size line of a chunk of n bytes, n > 0.
func AppendChunkHead(dst []byte, n int) []byte {
	const digits = "0123456789abcdef"
	shift := 0
	for n>>shift > 0xf {
		shift += 4
	}
	for ; shift >= 0; shift -= 4 {
		dst = append(dst, digits[n>>shift&0xf])
	}
	return append(dst, CRLF...)
}
