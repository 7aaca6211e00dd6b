package proxy

import (
	"crypto/tls"
	"fmt"
	"strings"
	"time"

	"mtls-sidecar/headers"
)

// validate checks the rules that concern more than one variable, or more than
// the form of one.
func (c *Config) validate() []Fault {
	var faults []Fault
	add := func(variable, value, problem string) {
		faults = append(faults, Fault{variable, value, problem})
	}
	if c.InvalidCert != InvalidReject && c.VerifyClient != VerifyOptional {
		add("MTLS_INVALID_CERT", string(c.InvalidCert), fmt.Sprintf(
			"goes with MTLS_VERIFY_CLIENT=optional only, and that is %q; remove it or set MTLS_VERIFY_CLIENT=optional", c.VerifyClient))
	}
	if c.InvalidCert != InvalidReject && c.RejectWith == RejectAlert {
		add("MTLS_INVALID_CERT", string(c.InvalidCert),
			"contradicts MTLS_REJECT_WITH=alert, which refuses invalid certificates in the handshake; remove one of the two")
	}
	if len(c.CertFile) != len(c.KeyFile) {
		add("MTLS_KEY_FILE", strings.Join(c.KeyFile, ","), fmt.Sprintf(
			"lists %d files where MTLS_CERT_FILE lists %d: give one key for each certificate, in the same order (a file that holds both is named in both)", len(c.KeyFile), len(c.CertFile)))
	}
	for _, t := range c.timeouts() {
		if t.value <= 0 {
			add(t.variable, t.value.String(), "must be longer than 0, such as 10s")
		}
	}
	if d := c.ReloadInterval.Duration; d > 0 && d < leastReloadInterval {
		add("MTLS_RELOAD_INTERVAL", d.String(), "must be 100ms or longer, such as 10s: all files are read each time")
	}
	if c.MaxHeaderBytes < 1024 || c.MaxHeaderBytes > 1<<20 {
		add("MTLS_MAX_HEADER_BYTES", c.MaxHeaderBytes.String(), "must be from 1KiB to 1MiB")
	}
	if c.MaxIdentityBytes < 256 || c.MaxIdentityBytes > 1<<20 {
		add("MTLS_MAX_IDENTITY_BYTES", c.MaxIdentityBytes.String(), "must be from 256 bytes to 1MiB")
	}
	if c.HTTP2MaxStreams < 1 || c.HTTP2MaxStreams > 10000 {
		add("MTLS_HTTP2_MAX_STREAMS", fmt.Sprint(int(c.HTTP2MaxStreams)), "must be from 1 to 10000 requests; MTLS_HTTP2=false offers no HTTP/2")
	}
	if c.MinRSABits < 1024 || c.MinRSABits > 8192 {
		add("MTLS_MIN_RSA_BITS", fmt.Sprint(int(c.MinRSABits)), "must be from 1024 to 8192 bits")
	}
	if c.VerifyClient == VerifyOff && c.RejectWith == RejectAlert {
		add("MTLS_REJECT_WITH", string(c.RejectWith),
			"has no meaning with MTLS_VERIFY_CLIENT=off, which asks for no certificate; remove one of the two")
	}
	for _, protocol := range c.Upgrade {
		if problem := upgradeProblem(protocol, len(c.Upgrade)); problem != "" {
			add("MTLS_UPGRADE", protocol, problem)
		}
	}
	faults = append(faults, c.addressFaults()...)
	faults = append(faults, c.adminFaults()...)
	faults = append(faults, c.revocationFaults()...)
	faults = append(faults, c.routeFaults()...)
	return append(faults, c.headerFaults()...)
}

// leastReloadInterval keeps a slip of the pen from taking a whole processor.
const leastReloadInterval = 100 * time.Millisecond

// upgradeProblem says why a protocol cannot be permitted. Those that carry
// requests of their own would bring them to the application without a verdict.
func upgradeProblem(protocol string, listed int) string {
	name, _, _ := strings.Cut(strings.ToLower(protocol), "/")
	switch {
	case name == "http" || name == "tls" || strings.HasPrefix(name, "h2") || strings.HasPrefix(name, "h3"):
		return "cannot be permitted: requests inside such a tunnel would reach the application without a verdict"
	case name == "none" && listed > 1:
		return "stands alone or not at all"
	case strings.ContainsFunc(protocol, func(r rune) bool { return r <= ' ' || r >= 0x7f || strings.ContainsRune("\"(),:;<=>?@[\\]{}", r) }):
		return "is not the name of a protocol; websocket is one (RFC 9110 §7.8)"
	}
	return ""
}

// routeFaults checks MTLS_ROUTES against the mode.
func (c *Config) routeFaults() []Fault {
	var faults []Fault
	if c.Routes.has(needOff) && c.RejectWith == RejectAlert {
		faults = append(faults, Fault{"MTLS_ROUTES", c.Routes.String(),
			"has a path that is off, and MTLS_REJECT_WITH=alert refuses clients before their path is known; use MTLS_REJECT_WITH=page, or optional for the path"})
	}
	if c.Routes.has(needRequire) && c.VerifyClient == VerifyOff {
		faults = append(faults, Fault{"MTLS_ROUTES", c.Routes.String(),
			"requires a certificate for a path, and MTLS_VERIFY_CLIENT=off asks no client for one; set that to optional"})
	}
	return faults
}

// warnings are about settings that can be meant, and seldom are.
func (c *Config) warnings() []string {
	var warnings []string
	if c.Routes.Set() {
		for _, name := range c.KeepHeaders {
			if headers.TellsOtherPath(name) {
				warnings = append(warnings, fmt.Sprintf("MTLS_KEEP_HEADERS: %s tells some applications another path than the one that MTLS_ROUTES looks at; keep it only if yours is not one of them", name))
			}
		}
	}
	warnings = append(warnings, c.addressWarnings()...)
	names := c.Headers.UnvouchedNames()
	if len(names) == 0 || c.InvalidCert != InvalidFailed && c.VerifyClient != VerifyOptionalNoCA {
		return warnings
	}
	return append(warnings, fmt.Sprintf("MTLS_HEADERS sends %s of certificates that did not verify, too, and not the verdict; add a header with $ssl_client_verify, and have the application look at it",
		strings.Join(names, ", ")))
}

// headerFaults has package headers check the names in MTLS_STRIP_HEADERS and
// MTLS_KEEP_HEADERS.
func (c *Config) headerFaults() []Fault {
	_, err := headers.NewStripper(c.stripOptions())
	var faults []Fault
	if n := c.guestBytes(); n > int(c.MaxIdentityBytes) {
		faults = append(faults, Fault{"MTLS_MAX_IDENTITY_BYTES", c.MaxIdentityBytes.String(), fmt.Sprintf(
			"is too small: without any certificate MTLS_HEADERS may take %d bytes already; raise it, or send less", n)})
	}
	for _, part := range parts(err) {
		faults = append(faults, faultFromText(part.Error()))
	}
	return faults
}

// guestBytes is the most that MTLS_HEADERS can take without a certificate.
func (c *Config) guestBytes() int {
	state := tls.ConnectionState{ServerName: strings.Repeat("n.", 126) + "n", NegotiatedProtocol: "http/1.1"} // the longest name
	most := 0
	for _, agreed := range []struct {
		version, cipher uint16
		curve           tls.CurveID
	}{
		{tls.VersionTLS12, tls.TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256, tls.CurveP256},
		{tls.VersionTLS13, tls.TLS_CHACHA20_POLY1305_SHA256, tls.SecP384r1MLKEM1024},
	} {
		state.Version, state.CipherSuite, state.CurveID = agreed.version, agreed.cipher, agreed.curve
		lines, _, _ := c.Headers.Render(headers.Facts{Verify: headers.VerifyNone, TLS: &state}) // NONE can always be told
		most = max(most, len(lines))
	}
	return most
}

// stripOptions says which names no client may send.
func (c *Config) stripOptions() headers.StripOptions {
	return headers.StripOptions{Emit: c.Headers.Names(), Strip: c.StripHeaders, Keep: c.KeepHeaders, Paths: c.Routes.Set()}
}

type timeout struct {
	variable string
	value    time.Duration
}

func (c *Config) timeouts() []timeout {
	return []timeout{
		{"MTLS_HANDSHAKE_TIMEOUT", c.HandshakeTimeout.Duration},
		{"MTLS_HEADER_TIMEOUT", c.HeaderTimeout.Duration},
		{"MTLS_BODY_TIMEOUT", c.BodyTimeout.Duration},
		{"MTLS_SEND_TIMEOUT", c.SendTimeout.Duration},
		{"MTLS_IDLE_TIMEOUT", c.IdleTimeout.Duration},
		{"MTLS_SESSION_TIMEOUT", c.SessionTimeout.Duration},
		{"MTLS_CRL_REFRESH", c.CRLRefresh.Duration},
		{"MTLS_OCSP_TIMEOUT", c.OCSPTimeout.Duration},
		{"MTLS_OCSP_MAX_AGE", c.OCSPMaxAge.Duration},
		{"MTLS_RELOAD_INTERVAL", c.ReloadInterval.Duration},
		{"MTLS_UPSTREAM_CONNECT_TIMEOUT", c.UpstreamConnectTimeout.Duration},
		{"MTLS_UPSTREAM_TIMEOUT", c.UpstreamTimeout.Duration},
		{"MTLS_UPSTREAM_IDLE_TIMEOUT", c.UpstreamIdleTimeout.Duration},
		{"MTLS_DRAIN_TIMEOUT", c.DrainTimeout.Duration},
	}
}
