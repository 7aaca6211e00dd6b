package proxy

import "crypto/tls"

// maxSession is the largest session that gets a ticket, in bytes. Above 64 KiB
// crypto/tls fails the handshake (TLS 1.3) or sends a ticket with a wrong length
// (TLS 1.2), and just below that OpenSSL's client cannot send it back; the
// client's other extensions need room, too.
const maxSession = 32 << 10

// sealing is what EncryptTicket adds to a session: IV and MAC.
const sealing = 16 + 32

// noTicket is sent where a ticket was promised and is not to be had. In TLS 1.2 it is
// empty (RFC 5077 §3.3). TLS 1.3 promises none, and verify sees to it that
// none is asked for; should one be all the same, it cannot be empty (RFC 8446
// §4.6.1), so it is one that nothing opens.
func noTicket(version uint16) []byte {
	if version < tls.VersionTLS13 {
		return []byte{}
	}
	return []byte{0}
}

// sessionSize is how many bytes crypto/tls needs at most for the session of a
// connection, with our stamp. A client's own staple is kept there as well
// (RFC 8446 §4.4.2.1).
func sessionSize(cs tls.ConnectionState) int {
	const maxSecret = 48 // of SHA-384, and TLS 1.2's
	size := 2 + 1 + 2 + 8 + 1 + maxSecret + 3 + 3 + stampSize + 1 + 1 + 3 + 3 + 2
	for _, certificate := range cs.PeerCertificates {
		size += 3 + len(certificate.Raw) + 2
	}
	size += 2 + 2 + 1 + 3 + len(cs.OCSPResponse)
	size += 2 + 2 + 2
	for _, timestamp := range cs.SignedCertificateTimestamps {
		size += 2 + len(timestamp)
	}
	return size
}
