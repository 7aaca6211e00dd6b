// Package headers decides what the application is told about a client, and what a client may not tell it.
//
// It writes the identity lines. template.go and templateparse.go read MTLS_HEADERS, identity.go renders it from facts.go:
// variables.go lists what an operator may name, presets.go the dialects, dialectvalues.go what only dialects say; a value
// that needs code has a file of its own (xfcc.go, traefik.go, spiffe.go, …). The DN is OpenSSL's RFC 2253 form to the
// byte, as nginx puts it into $ssl_client_s_dn: dn.go walks the name, dnvalue.go converts and escapes one value, der.go
// takes DER apart, shortnames.go knows what OpenSSL calls each attribute type; dnlegacy.go, dnutf8.go and dnhex.go are the
// other forms. san.go reads alternative names from the certificate's own bytes. Lists are joined by one rule (escape.go).
//
// It refuses what a client sends under a name that some terminator uses for its own findings (dialects.go), in any
// spelling that an application could read as that name, and odd spellings of framing, routing and forwarding names
// (strip.go, guarded.go, otherpaths.go). Operators add and except names (stripoptions.go).
//
// No value can leave its line, whatever the certificate holds: what is written is visible ASCII and space, in variables that
// end in _utf8 printable UTF-8. No value can look like two, or like another key of its header. A name that OpenSSL would not
// have read is an error, never half a line.
//
// It knows no sockets and no requests, and judges no certificate. Verdicts are made in proxy/trust, message
// syntax in proxy/http1; the order of stripping and writing is the relay's, in proxy.
package headers
