package proxy

import (
	"errors"
	"maps"
	"net/url"
	"slices"
	"strings"
	"time"
)

// CRLPolicy is a value of MTLS_CRL_POLICY.
type CRLPolicy string

// OCSP is a value of MTLS_OCSP.
type OCSP string

// OCSPFail is a value of MTLS_OCSP_FAIL.
type OCSPFail string

// UnmarshalText accepts strict, leaf and available.
func (v *CRLPolicy) UnmarshalText(text []byte) error {
	return oneOf(v, text, CRLStrict, CRLLeaf, CRLAvailable)
}

// UnmarshalText accepts off, leaf and on.
func (v *OCSP) UnmarshalText(text []byte) error {
	return oneOf(v, text, OCSPOff, OCSPLeaf, OCSPOn)
}

// UnmarshalText accepts reject and allow.
func (v *OCSPFail) UnmarshalText(text []byte) error {
	return oneOf(v, text, OCSPReject, OCSPAllow)
}

// HTTPURL is an http URL of another machine's service. Empty is none.
type HTTPURL string

// UnmarshalText accepts http://host, with a port and path where needed.
func (u *HTTPURL) UnmarshalText(text []byte) error {
	parsed, err := url.Parse(string(text))
	if err != nil || parsed.Scheme != "http" || parsed.Hostname() == "" || parsed.User != nil || parsed.Fragment != "" {
		return errors.New("must be an http URL without a user, such as http://ocsp.example.com:8080/; answers are signed, so https is not needed")
	}
	*u = HTTPURL(text)
	return nil
}

// minCRLBytes is room for a list without entries.
const minCRLBytes = 1 << 10

// CRLFiles are the files and folders of MTLS_CRL.
func (c *Config) CRLFiles() []string {
	return slices.DeleteFunc(slices.Clone([]string(c.CRL)), isURL)
}

// CRLURLs are the URLs of MTLS_CRL.
func (c *Config) CRLURLs() []string {
	return slices.DeleteFunc(slices.Clone([]string(c.CRL)), func(source string) bool { return !isURL(source) })
}

func isURL(source string) bool { return strings.Contains(source, "://") }

// revocationFaults checks the variables about CRLs and OCSP against each other.
func (c *Config) revocationFaults() []Fault {
	var faults []Fault
	add := func(variable, value, problem string) {
		faults = append(faults, Fault{variable, value, problem})
	}
	for _, source := range c.CRLURLs() {
		parsed, err := url.Parse(source)
		if err != nil || parsed.Hostname() == "" || parsed.Scheme != "http" && parsed.Scheme != "https" {
			add("MTLS_CRL", redactURLs(source), "must be files, folders, or http:// and https:// URLs")
		}
	}
	if c.VerifyClient == VerifyOff && len(c.CRL) > 0 {
		add("MTLS_CRL", redactURLs(strings.Join(c.CRL, ",")), "has no meaning with MTLS_VERIFY_CLIENT=off, which asks for no certificate; remove one of the two")
	}
	if c.VerifyClient == VerifyOff && c.OCSP != OCSPOff {
		add("MTLS_OCSP", string(c.OCSP), "has no meaning with MTLS_VERIFY_CLIENT=off, which asks for no certificate; remove one of the two")
	}
	if d := c.CRLRefresh.Duration; d > 0 && d < time.Second {
		add("MTLS_CRL_REFRESH", d.String(), "must be 1s or longer, such as 5m: each interval is a request to the CA")
	}
	if len(c.CRL) > 0 && (c.CRLMaxBytes < minCRLBytes || c.CRLMaxBytes > 1<<30) {
		add("MTLS_CRL_MAX_BYTES", c.CRLMaxBytes.String(), "must be from 1KiB to 1GiB")
	}
	return faults
}

// lonelyFaults finds what is set and has no effect since what it belongs to is not:
// who sets MTLS_CRL_POLICY=strict alone believes that lists are looked at.
func lonelyFaults(set map[string]string, c *Config) []Fault {
	var faults []Fault
	for _, name := range slices.Sorted(maps.Keys(set)) {
		switch {
		case strings.HasPrefix(name, "MTLS_CRL_") && len(c.CRL) == 0 && set["MTLS_CRL"] == "":
			faults = append(faults, Fault{name, set[name], "has no effect without MTLS_CRL; name the lists there, or remove it"})
		case strings.HasPrefix(name, "MTLS_OCSP_") && c.OCSP == OCSPOff:
			faults = append(faults, Fault{name, redactURLs(set[name]), "has no effect while MTLS_OCSP=off; set MTLS_OCSP to leaf or on, or remove it"})
		case name == "MTLS_UPGRADE" && c.UpstreamURL.H2C && set[name] != "none":
			faults = append(faults, Fault{name, set[name], "has no effect with MTLS_UPSTREAM_URL=h2c://…, since HTTP/2 has no Upgrade (RFC 9113 §8.6); remove it, or have the application speak HTTP/1.1"})
		case name == "MTLS_HTTP2_MAX_STREAMS" && !bool(c.HTTP2):
			faults = append(faults, Fault{name, set[name], "has no effect while MTLS_HTTP2=false; remove one of the two"})
		}
	}
	return faults
}

// redactURLs leaves out what stands for user and password in each element of a
// list, for messages, also where it is no URL that can be parsed.
func redactURLs(list string) string {
	elements := strings.Split(list, ",")
	for i, element := range elements {
		scheme, rest, isURL := strings.Cut(element, "://")
		if at := strings.LastIndexByte(rest, '@'); isURL && at >= 0 {
			elements[i] = scheme + "://…@" + rest[at+1:]
		}
	}
	return strings.Join(elements, ",")
}
