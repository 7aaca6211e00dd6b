package proxy

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"slices"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"mtls-sidecar/proxy/trust"
)

// Material is what the files of a configuration hold, read and checked.
type Material struct {
	Certificates []tls.Certificate   // the server's, in the order of MTLS_CERT_FILE
	CAs          []*x509.Certificate // the clients' authorities, in file order
	Hints        [][]byte            // DER subjects offered to clients
	CRLs         []*trust.CRL        // of the files of MTLS_CRL
	Unread       []string            // those of MTLS_CRL that could not be read, where others could
	TicketKeys   [][]byte            // material of MTLS_TICKET_KEY_FILES
	Warnings     []string            // what works but should not stay as it is

	seen [fileSetCount]fingerprint // of the files, before they were read
}

// maxHintBytes is the size of the CA names offered to clients above which they
// are left out: many clients stumble there, and crypto/tls fails at 64 KiB.
const maxHintBytes = 16 << 10

// Load reads every file that a configuration names. All faults are reported at
// once, each with its variable and path.
func Load(config *Config) (*Material, error) {
	m := &Material{Warnings: config.warnings()}
	var faults []error
	for i, set := range fileSets {
		m.seen[i] = fingerprintOf(set.files(config), config.fingerprintLimit())
		faults = append(faults, parts(set.load(m, config))...)
	}
	if len(faults) > 0 {
		return nil, errors.Join(faults...)
	}
	m.warnSubPath(config, "/proc/self/mountinfo")
	return m, nil
}

// summary is what a reload's log line says of the certificates that were read.
func (m *Material) summary() []zap.Field {
	var fields []zap.Field
	if len(m.Certificates) > 0 {
		servers := make([]zapcore.ObjectMarshaler, len(m.Certificates))
		for i, certificate := range m.Certificates {
			servers[i] = zap.DictObject(certificateFields(certificate.Leaf)...)
		}
		fields = append(fields, zap.Objects("servers", servers))
	}
	if len(m.CAs) > 0 {
		fields = append(fields, zap.Int("cas", len(m.CAs)))
	}
	if len(m.TicketKeys) > 0 {
		fields = append(fields, zap.Int("keys", len(m.TicketKeys)))
	}
	return fields
}

func (m *Material) loadCRLs(config *Config) error {
	files := config.CRLFiles()
	if len(files) == 0 {
		return nil
	}
	lists, warnings, err := trust.ReadCRLs(files, int64(config.CRLMaxBytes))
	m.CRLs = lists
	for _, fault := range parts(err) {
		var unread *trust.CRLError
		if errors.As(fault, &unread) {
			m.Unread = append(m.Unread, unread.Path)
		}
	}
	m.warnOf("MTLS_CRL", warnings)
	return naming("MTLS_CRL", err)
}

func (m *Material) loadTicketKeys(config *Config) error {
	keys, err := readTicketKeys(config.TicketKeyFiles)
	m.TicketKeys = keys
	return err
}

func (m *Material) loadCertificates(config *Config) error {
	var faults []error
	passphrases, unread := readPassphrases(config.KeyPassphraseFile)
	if unread != nil {
		faults = append(faults, unread)
	}
	for i, certFile := range config.CertFile {
		certificate, err := readServerCertificate(certFile, config.KeyFile[i], passphrases)
		if err == nil {
			err = strongEnough(certificate.Leaf, certFile, int(config.MinRSABits))
		}
		for _, fault := range parts(err) {
			if unread == nil || !errors.Is(fault, errEncrypted) { // else it is said already
				faults = append(faults, fault)
			}
		}
		if err == nil {
			m.Certificates = append(m.Certificates, certificate)
			m.warnDates(certificate.Leaf, certFile, time.Now())
		}
	}
	return errors.Join(faults...)
}

// warnDates tells of a server certificate that clients will refuse. The sidecar
// starts all the same.
func (m *Material) warnDates(leaf *x509.Certificate, path string, now time.Time) {
	switch {
	case now.After(leaf.NotAfter):
		m.Warnings = append(m.Warnings, fmt.Sprintf(
			"MTLS_CERT_FILE: %s: the certificate has expired on %s; clients will refuse it, so renew it", path, leaf.NotAfter.UTC().Format(time.DateOnly)))
	case now.Before(leaf.NotBefore):
		m.Warnings = append(m.Warnings, fmt.Sprintf(
			"MTLS_CERT_FILE: %s: the certificate is not valid before %s; look at this machine's clock, or wait", path, leaf.NotBefore.UTC().Format(time.RFC3339)))
	}
}

// strongEnough refuses a server key that clients of today refuse as well.
func strongEnough(leaf *x509.Certificate, path string, minRSABits int) error {
	if kind, bits := keyStrength(leaf.PublicKey); kind == "RSA" && bits < minRSABits {
		return fmt.Errorf("MTLS_CERT_FILE: %s: its RSA key has %d bits, too small for MTLS_MIN_RSA_BITS=%d; make a new key of %d bits or more", path, bits, minRSABits, max(2048, minRSABits))
	}
	return nil
}

func (m *Material) loadCAs(config *Config) error {
	if config.VerifyClient == VerifyOff {
		return nil
	}
	cas, warnings, err := trust.ReadCAs(config.ClientCAFile)
	err = naming("MTLS_CLIENT_CA_FILE", err)
	m.CAs = cas
	m.warnOf("MTLS_CLIENT_CA_FILE", warnings)
	if err == nil && !slices.ContainsFunc(cas, selfIssued) {
		m.warnOf("MTLS_CLIENT_CA_FILE", []string{"holds no root, so no client can be verified; put the CA that issued its certificates there, too"})
	}
	hinted := cas
	switch file := config.hintsFile(); {
	case config.CAHints == "off":
		return err
	case file != "":
		var unread error
		hinted, warnings, unread = trust.ReadCAs([]string{file})
		m.warnOf("MTLS_CA_HINTS", warnings)
		err = errors.Join(err, naming("MTLS_CA_HINTS (on, off or a PEM file)", unread))
	}
	if err != nil {
		return err
	}
	m.Hints = trust.Hints(hinted)
	size := 0
	for _, name := range m.Hints {
		size += len(name) + 2
	}
	if size > maxHintBytes {
		m.Hints = nil
		m.Warnings = append(m.Warnings, fmt.Sprintf(
			"the %d CA names take %d bytes in every handshake, so none is offered to clients; list those that clients need in a file and name it in MTLS_CA_HINTS, or set MTLS_CA_HINTS=off", len(hinted), size))
	}
	return nil
}

func (m *Material) warnOf(variable string, warnings []string) {
	for _, warning := range warnings {
		m.Warnings = append(m.Warnings, variable+": "+warning)
	}
}

func selfIssued(c *x509.Certificate) bool { return bytes.Equal(c.RawSubject, c.RawIssuer) }

// naming puts a variable in front of each of the errors joined in err.
func naming(variable string, err error) error {
	var named []error
	for _, part := range parts(err) {
		named = append(named, fmt.Errorf("%s: %w", variable, part))
	}
	return errors.Join(named...)
}

// parts are the errors joined in err.
func parts(err error) []error {
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		var all []error
		for _, part := range joined.Unwrap() {
			all = append(all, parts(part)...)
		}
		return all
	}
	if err == nil {
		return nil
	}
	return []error{err}
}
