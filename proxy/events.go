package proxy

import "sync/atomic"

// Event is something worth counting that does not happen to most requests: a
// limit that was reached, by the name of the variable that sets it, or a
// handshake that came to nothing.
type Event uint8

// The events, in the order of a connection's life.
const (
	ConnectionLimit           Event = iota // MTLS_MAX_CONNECTIONS: a connection was turned away
	ProxyHeaderMissing                     // MTLS_PROXY_PROTOCOL_FROM: a peer that must send a PROXY header sent something else
	ProxyHeaderBad                         // it sent one that cannot be believed
	ProxyHeaderUnexpected                  // a peer that is not among them sent one
	HandshakeTimeout                       // MTLS_HANDSHAKE_TIMEOUT
	CertificateTooLarge                    // more than 256 KiB of client certificates: crypto/tls ends the handshake
	CertificateUnparsable                  // a client certificate that crypto/x509 does not read: likewise
	CertificateKeyTooLarge                 // RSA above 8192 bits in a client certificate: likewise
	CertificateKeyUnsupported              // a client certificate with a key that is not RSA, ECDSA or Ed25519: likewise
	CertificateNotProved                   // the client has not proved that it holds its certificate's key
	HandshakeFailed                        // any other end of a handshake once TLS was spoken: nothing in common, an alert, malformed messages
	IdleTimeout                            // MTLS_IDLE_TIMEOUT: the usual end of a kept connection
	HeaderTimeout                          // MTLS_HEADER_TIMEOUT
	HeadTooLarge                           // MTLS_MAX_HEADER_BYTES: answered 431
	TargetTooLong                          // answered 414
	IdentityTooLarge                       // MTLS_MAX_IDENTITY_BYTES: answered 431
	BodyTooLarge                           // MTLS_MAX_BODY_BYTES: answered 413
	BodyTimeout                            // MTLS_BODY_TIMEOUT
	SendTimeout                            // MTLS_SEND_TIMEOUT
	UpstreamConnectTimeout                 // MTLS_UPSTREAM_CONNECT_TIMEOUT: answered 504
	UpstreamTimeout                        // MTLS_UPSTREAM_TIMEOUT: answered 504, or the answer was cut
	ClientGone                             // the client went away while the application thought
	TunnelOpened                           // MTLS_UPGRADE: a 101 was passed on
	TunnelIdle                             // MTLS_TUNNEL_IDLE_TIMEOUT
	H2ProtocolError                        // an HTTP/2 client broke a rule of its frames: a stream or the connection ended
	H2StreamLimit                          // MTLS_HTTP2_MAX_STREAMS: a stream was refused
	H2Resets                               // an HTTP/2 client cancelled most of its requests: its connection was closed
	H2Flood                                // an HTTP/2 client sent frames that carry nothing: its connection was closed
	BeliefLost                             // an exchange was cut: its client was no longer believed
	Reloaded                               // MTLS_RELOAD_INTERVAL: changed files came into force
	ReloadFailed                           // they could not
	CRLRefused                             // MTLS_CRL: a list was read and did not come into force
	CRLFetchFailed                         // MTLS_CRL: a URL gave none
	OCSPFetchFailed                        // MTLS_OCSP: a responder gave no answer
	eventCount
)

// events are the counters; an increment is all that an event costs.
type events [eventCount]atomic.Uint64

func (e *events) count(event Event) { e[event].Add(1) }

// Count is how often an event has happened since the start.
func (s *Server) Count(event Event) uint64 { return s.events[event].Load() }
