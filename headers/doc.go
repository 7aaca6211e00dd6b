// Package headers decides what the application is told about a client, and what a client may not tell it.
//
// It writes the identity block: VERIFIED always, DN when a verified certificate has a subject (identity.go). The DN is
// OpenSSL's RFC 2253 form to the byte, as nginx puts it into $ssl_client_s_dn: dn.go walks the name, dnvalue.go converts
// and escapes one value, der.go takes DER apart, shortnames.go knows what OpenSSL calls each attribute type.
//
// It refuses what a client sends under a name that some terminator uses for its own findings (dialects.go), in any
// spelling that an application could read as that name, and odd spellings of framing, routing and forwarding names
// (strip.go, guarded.go). Operators add and except names (stripoptions.go).
//
// No value can leave its line: what is written is visible ASCII and space, whatever the certificate holds. A name that
// OpenSSL would not have read is an error, never half a line.
//
// It knows no sockets, no requests and no certificates, only names and values. Verdicts are made in proxy/trust, message
// syntax in proxy/http1; the order of stripping and writing is the relay's, in proxy.
package headers
