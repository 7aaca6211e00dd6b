package proxy

import (
	"crypto/x509"
	"fmt"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"mtls-sidecar/headers"
	"mtls-sidecar/proxy/trust"
)

// Log rules. One JSON object a line on standard error, nothing sampled: every
// refusal is there (of connections turned away at the limit, the first of a spell). Info is for what an operator asks about (who was refused
// and why, start, stop), debug for what happens all day (probes, clients that
// go away). Never a header's value, never a body, never a key.

// NewLogger makes the logger that a configuration asks for.
func NewLogger(config *Config) (*zap.Logger, error) {
	c := zap.NewProductionConfig()
	c.Level = zap.NewAtomicLevelAt(config.LogLevel.Level)
	c.Sampling = nil
	c.DisableCaller = true
	c.DisableStacktrace = true
	c.Encoding = string(config.LogFormat)
	c.EncoderConfig.TimeKey = "time"
	c.EncoderConfig.EncodeTime = func(t time.Time, enc zapcore.PrimitiveArrayEncoder) {
		enc.AppendString(t.UTC().Format(time.RFC3339Nano))
	}
	logger, err := c.Build()
	if err != nil {
		return nil, fmt.Errorf("opening the log: %w", err)
	}
	return logger, nil
}

// certificateFields identify a certificate as openssl x509 prints it.
func certificateFields(c *x509.Certificate) []zap.Field {
	return []zap.Field{
		zap.String("subject", shortened(subjectDN(c), maxLoggedName)),
		zap.String("issuer", shortened(name(c.RawIssuer, c.Issuer.String), maxLoggedName)),
		zap.String("serial", shortened(headers.Serial(c.SerialNumber), maxLoggedSerial)),
		zap.Time("not_after", c.NotAfter.UTC()),
	}
}

// A certificate may have a name of 200 KiB and a serial number of 10, and a refused
// client could fill the log with them. RFC 5280 §4.1.2.2 gives a serial number 20 octets.
const (
	maxLoggedName   = 1 << 10
	maxLoggedSerial = 2 * 20
)

// shortened cuts a text that holds ASCII only.
func shortened(text string, most int) string {
	if len(text) <= most {
		return text
	}
	return text[:most] + "..."
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

// listFields identify a revocation list and tell how fresh it is.
func listFields(list *trust.CRL) []zap.Field {
	fields := []zap.Field{
		zap.String("issuer", shortened(dn(list.RawIssuer), maxLoggedName)),
		zap.Int("entries", list.Entries()),
		zap.Time("this_update", list.ThisUpdate.UTC()),
		zap.Time("next_update", list.NextUpdate.UTC()),
	}
	if list.Number != nil {
		fields = append(fields, zap.String("number", list.Number.String()))
	}
	return fields
}

// listsField describes several lists.
func listsField(key string, lists []*trust.CRL) zap.Field {
	described := make([]zapcore.ObjectMarshaler, len(lists))
	for i, list := range lists {
		described[i] = zap.DictObject(listFields(list)...)
	}
	return zap.Objects(key, described)
}

// dn is a DER name as the application would see it, or in hexadecimal digits.
func dn(raw []byte) string {
	return name(raw, func() string { return fmt.Sprintf("%X", raw) })
}
