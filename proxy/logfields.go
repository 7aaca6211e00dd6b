package proxy

import (
	"crypto/sha256"
	"crypto/x509"
	"fmt"
	"strings"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"mtls-sidecar/headers"
	"mtls-sidecar/proxy/trust"
)

// Fields that several lines have are made here, each group in one place. The names
// with dots are OpenTelemetry's (semantic conventions: general, error, HTTP, TLS, URL,
// user agent), and a few of its manner; those without are our own words, for our own
// things. trace_id is its name in logs that are not OTLP.
const (
	keyAddress      = "client.address"
	keyErrorType    = "error.type"
	keyErrorMessage = "error.message"
	keyStatus       = "http.response.status_code"
	keyRequestID    = "http.request.id"
	keySubject      = "tls.client.subject"
	keyIssuer       = "tls.client.issuer"
	keySerial       = "tls.client.serial_number"
	keyPath         = "url.path"
	keyDuration     = "http.server.request.duration" // seconds
	keyRequestBody  = "http.request.body.size"       // bytes
	keyAnswerBody   = "http.response.body.size"
	keyLeftOut      = "left_out"
)

// addressField tells whom a line is about: the address without a port.
func addressField(address string) zap.Field { return zap.String(keyAddress, address) }

func reasonField(reason string) zap.Field { return zap.String(keyErrorType, reason) }

// faultField tells an error in words. nil: nothing.
func faultField(err error) zap.Field {
	if err == nil {
		return zap.Skip()
	}
	return messageField(err.Error())
}

func messageField(text string) zap.Field {
	return zap.String(keyErrorMessage, shortText(text, maxLoggedFault))
}

// A certificate may have a name of 200 KiB and a serial number of 10, and a refused
// client could fill the log with them. RFC 5280 §4.1.2.2 gives a serial number 20 octets.
const (
	maxLoggedName   = 1 << 10
	maxLoggedSerial = 2 * 20
	maxLoggedFault  = 2 << 10
)

// shortened cuts a text that holds ASCII only.
func shortened(text string, most int) string {
	if len(text) <= most {
		return text
	}
	return text[:most] + "..."
}

// shortText is shortened for any text: no character is cut in two.
func shortText(text string, most int) string {
	if len(text) <= most {
		return text
	}
	return strings.ToValidUTF8(text[:most], "") + "..."
}

// certificateNames are what identifies a certificate, as openssl x509 prints it.
type certificateNames struct{ subject, issuer, serial string }

func namesOf(c *x509.Certificate) certificateNames {
	return certificateNames{
		subject: shortened(subjectDN(c), maxLoggedName),
		issuer:  shortened(name(c.RawIssuer, c.Issuer.String), maxLoggedName),
		serial:  shortened(headers.Serial(c.SerialNumber), maxLoggedSerial),
	}
}

// clientFields identify the certificate of the client that a line is about.
func clientFields(c *x509.Certificate, n certificateNames) []zap.Field {
	return []zap.Field{
		zap.String(keySubject, n.subject),
		zap.String(keyIssuer, n.issuer),
		zap.String(keySerial, n.serial),
		zap.Time("tls.client.not_after", c.NotAfter.UTC()),
		zap.String("tls.client.hash.sha256", fmt.Sprintf("%X", sha256.Sum256(c.Raw))),
	}
}

// certificateFields identify any other certificate, within an object of its own.
func certificateFields(c *x509.Certificate) []zap.Field {
	n := namesOf(c)
	return []zap.Field{
		zap.String("subject", n.subject),
		zap.String("issuer", n.issuer),
		zap.String("serial_number", n.serial),
		zap.Time("not_after", c.NotAfter.UTC()),
	}
}

// subjectDN is a certificate's subject as the application would be told it.
func subjectDN(c *x509.Certificate) string { return name(c.RawSubject, c.Subject.String) }

// name is a DN as the application would see it.
func name(raw []byte, fallback func() string) string {
	if dn, err := headers.DN(raw); err == nil {
		return dn
	}
	return fallback()
}

// dn is a DER name as the application would see it, or in hexadecimal digits.
func dn(raw []byte) string {
	return name(raw, func() string { return fmt.Sprintf("%X", raw) })
}

// listFields identify a revocation list and tell how fresh it is.
func listFields(list *trust.CRL) []zap.Field {
	fields := append([]zap.Field{
		zap.String("issuer", shortened(dn(list.RawIssuer), maxLoggedName)),
		zap.Int("entries", list.Entries()),
	}, freshnessFields(list.ThisUpdate, list.NextUpdate)...)
	if list.Number != nil {
		fields = append(fields, zap.String("number", list.Number.String()))
	}
	return fields
}

// freshnessFields tell of when a list or an answer is, and how long it counts.
func freshnessFields(this, next time.Time) []zap.Field {
	return []zap.Field{zap.Time("this_update", this.UTC()), zap.Time("next_update", next.UTC())}
}

// listsField describes several lists.
func listsField(key string, lists []*trust.CRL) zap.Field {
	described := make([]zapcore.ObjectMarshaler, len(lists))
	for i, list := range lists {
		described[i] = zap.DictObject(listFields(list)...)
	}
	return zap.Objects(key, described)
}
