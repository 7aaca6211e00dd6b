package headers

import "math/big"

// Serial is a serial number as $ssl_client_serial tells it, and openssl x509 -serial.
func Serial(serial *big.Int) string { return string(appendSerial(nil, serial)) }

// appendSerial appends a serial number as OpenSSL's i2a_ASN1_INTEGER does, which nginx puts into $ssl_client_serial: upper-case
// hex, two digits for each byte of the number's size, so 00 for zero and no 00 before a set top bit. OpenSSL
// breaks the line after 35 bytes (RFC 5280 §4.1.2.2 allows 20); nothing does so here.
func appendSerial(dst []byte, serial *big.Int) []byte {
	switch serial.Sign() {
	case 0:
		return append(dst, "00"...)
	case -1:
		dst = append(dst, '-')
	}
	return appendHex(dst, serial.Bytes())
}
