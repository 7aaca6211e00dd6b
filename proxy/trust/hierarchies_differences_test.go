package trust

import (
	"regexp"
	"slices"
	"testing"

	"mtls-sidecar/proxy/pki"
)

// difference is a rule by which something is refused here that OpenSSL accepts.
type difference struct {
	altered string   // an expression that matches the alterations
	reasons []Reason // that are told; nil: any, since what is malformed is nobody's issuer and others are looked at
	why     string
}

// differences are the rules about certificates and chains.
var differences = []difference{
	{`CA of the root: no basicConstraints(;|$)`, []Reason{InvalidCA},
		"crypto/x509 wants basicConstraints of every v3 CA; OpenSSL is content with keyCertSign in a root"},
	{`form of .*: AS resources`, []Reason{Rejected, CriticalExtension},
		"RFC 3779 resources, which OpenSSL compares, are not known here"},
	{`form of .*: explicit policy required`, []Reason{Rejected},
		"crypto/x509 demands policies where RFC 5280 §4.2.1.11 says so, OpenSSL only with -policy_check"},
	{`issuer of .*: the name in capitals`, []Reason{NameMismatch},
		"crypto/x509 finds issuers by the bytes of their names, RFC 5280 §7.1 and OpenSSL by their meaning"},
	{`a self-issued one, the root allows 1`, []Reason{PathLength},
		"crypto/x509 counts self-issued CAs as any other, RFC 5280 §6.1.4 (l) and OpenSSL do not"},
	{`subtrees: a self-issued CA's own name|names of the issuer: .*subject of the root: the issuer's`, []Reason{OutsidePermitted},
		"crypto/x509 constrains the names of self-issued CAs, RFC 5280 §6.1.3 (b) and OpenSSL do not"},
	{`subject of the (root|issuer): empty(;|$)|names of the issuer: empty subject`, []Reason{Rejected},
		"RFC 5280 §4.1.2.6 wants a CA to have a name; OpenSSL insists only with -x509_strict"},
	{`subtrees: (minimum|maximum)`, []Reason{ConstraintMinMax},
		"RFC 5280 §4.2.1.10 has no minimum or maximum; OpenSSL passes over a minimum of zero, and over both where there is no name to compare"},
	{`length: 16 intermediates`, []Reason{UnknownIssuer}, "a path has at most 16 certificates"},
	{`files: more certificates`, []Reason{ChainTooLong}, "a client may send at most 32 certificates"},
	{`subject of .*: empty set`, []Reason{Rejected, UnknownIssuer}, "a name with an attribute set of no attribute is malformed (X.501)"},
}

// nameDifferences are those about name constraints.
var nameDifferences = []difference{
	{`constraint of .* (directory|registered ID)`, []Reason{UnsupportedConstraint, CriticalExtension},
		"crypto/x509 knows constraints on DNS names, addresses and URIs only"},
	{`constraint of .* names of .*: DNS (host\.\.example|host example|example\.com\.|\.example)`, []Reason{OutsidePermitted},
		"crypto/x509 refuses malformed host names under constraints of any kind"},
	{`constraint of .* names of .*: e-mail (example\.com|@example\.com|user@\.example\.com)`, []Reason{OutsidePermitted},
		"crypto/x509 refuses malformed addresses under constraints of any kind"},
	{`constraint of .* names of .*: e-mail \S*@\S*@example`, []Reason{OutsidePermitted},
		"crypto/x509 takes the first @ for the end of the local part, OpenSSL the last"},
	{`constraint of .* names of .*: URI (https://10|https://\[|urn:|https:///|example)`, []Reason{OutsidePermitted},
		"crypto/x509 refuses URIs without a host name under constraints of any kind"},
	{`permits URI .* names of .*: URI https://example\.com:x@`, []Reason{OutsidePermitted},
		"OpenSSL 3.0 takes the user of a URI for its host"},
	{`excludes URI .* names of .*: URI https://(host|user@)`, []Reason{OutsidePermitted},
		"crypto/x509 takes a host for the whole domain, and reads hosts after a user name"},
	{`excludes e-mail .* names of .*: e-mail user@host\.example`, []Reason{OutsidePermitted},
		"crypto/x509 takes a host for the whole domain"},
	{`excludes DNS .* names of .*: DNS \*\.`, []Reason{OutsidePermitted},
		"crypto/x509 refuses a wildcard that stands for an excluded name"},
	{`permits IP ::/0.* names of .*: IP 0{20}ffff`, []Reason{OutsidePermitted},
		"crypto/x509 takes an IPv4-mapped address for an IPv4 address"},
	{`e-mail .* names of .*: SmtpUTF8Mailbox`, []Reason{UnsupportedName},
		"internationalised addresses (RFC 9598) are not compared with constraints but refused"},
	{`names of .*: CN outside, empty alternative names`, nil,
		"an alternative name extension without a name is malformed (RFC 5280 §4.2.1.6)"},
}

// comparison counts what OpenSSL and we say of the same hierarchies.
type comparison struct {
	t             *testing.T
	known         []difference
	expressions   []*regexp.Regexp // of the known
	stricter      []int            // how often each of them was met
	both, neither int
}

func newComparison(t *testing.T) *comparison {
	c := &comparison{t: t, known: slices.Concat(differences, nameDifferences)}
	for _, d := range c.known {
		c.expressions = append(c.expressions, regexp.MustCompile(d.altered))
	}
	c.stricter = make([]int, len(c.known))
	return c
}

// add fails the test where we are looser, or stricter without an explanation.
func (c *comparison) add(h *hierarchy, accepted bool) {
	c.t.Helper()
	v := h.verdict()
	switch {
	case v.Status == Success && accepted:
		c.both++
	case v.Status == Success:
		c.t.Errorf("%s (%s) is believed here, but not by openssl; depth %d, CA file and presented certificates:\n%s\n%s",
			h.name, h, h.depth, pki.CertPEM(h.cas...), pki.CertPEM(h.presented...))
	case !accepted:
		c.neither++
	default:
		c.explain(h, v.Reason)
	}
}

func (c *comparison) explain(h *hierarchy, reason Reason) {
	c.t.Helper()
	for i, d := range c.known {
		if (d.reasons == nil || slices.Contains(d.reasons, reason)) && c.expressions[i].MatchString(h.String()) {
			c.stricter[i]++
			return
		}
	}
	c.t.Errorf("%s (%s) is believed by openssl, but not here (%s), and no difference explains it", h.name, h, reason)
}

// report wants each difference of one table to have been met: one that is not is none any more.
func (c *comparison) report(table []difference) {
	c.t.Helper()
	c.t.Logf("%d are believed by both, %d by neither", c.both, c.neither)
	if c.both < 200 || c.neither < 200 {
		c.t.Errorf("that says little: want 200 of each at least")
	}
	for i, d := range c.known {
		if c.stricter[i] > 0 {
			c.t.Logf("%d are refused here alone: %s", c.stricter[i], d.why)
		}
		if c.stricter[i] == 0 && slices.ContainsFunc(table, func(x difference) bool { return x.altered == d.altered }) {
			c.t.Errorf("nothing was refused because %s (%s)", d.why, d.altered)
		}
	}
}
