package trust

import "time"

// begun reports whether now is at or after NotBefore.
func (c *certificate) begun(now time.Time) bool { return !now.Before(c.NotBefore) }

// ended reports whether now is at or after NotAfter. RFC 5280 §4.1.2.5 counts that
// second itself as valid, as crypto/x509 does; OpenSSL (X509_cmp_time) does
// not, and the stricter wins.
func (c *certificate) ended(now time.Time) bool { return !now.Before(c.NotAfter) }

// inDate reports whether c is valid at now.
func (c *certificate) inDate(now time.Time) bool { return c.begun(now) && !c.ended(now) }
