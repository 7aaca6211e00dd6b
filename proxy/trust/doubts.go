package trust

import (
	"time"
)

// level2RSABits is what OpenSSL's security level 2 asks of RSA keys; the warnings
// know no policy.
const level2RSABits = 2048

// doubts warns of a certificate that is readable but unlikely to serve.
func (r *bundleReader) doubts(path string, c *certificate) {
	raw := c.Certificate
	name := raw.Subject.String()
	if name == "" {
		name = "with an empty subject"
	}
	day := func(t time.Time) string { return t.UTC().Format(time.DateOnly) }
	switch {
	case c.ended(r.now):
		r.warn(path, "CA %s has expired on %s; certificates that it issued are refused", name, day(raw.NotAfter))
	case !c.begun(r.now):
		r.warn(path, "CA %s is not valid before %s; certificates that it issued are refused until then", name, day(raw.NotBefore))
	}
	switch kind := c.authorityKind(); {
	case c.malformed:
		r.warn(path, "%s has a malformed extension and is not used", name)
	case kind == notCA:
		r.warn(path, "%s is not a CA certificate; it can verify only itself, and only if it is self-signed", name)
	case kind == usageOnly:
		r.warn(path, "CA %s has no basicConstraints; what it issued is refused", name)
	}
	if c.hasExtKeyUsage && !c.hasClientAuth {
		r.warn(path, "CA %s has an extended key usage without clientAuth; client certificates that it issued are refused", name)
	}
	if (Policy{MinRSABits: level2RSABits}).weakKey(c) {
		r.warn(path, "CA %s has a weak key (below RSA with %d bits)", name, level2RSABits)
	}
	if c.overlooked {
		r.warn(path, "CA %s is of a form that is refused; what it issued is refused too", name)
	}
}
