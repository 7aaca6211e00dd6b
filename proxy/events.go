package proxy

import "sync/atomic"

// Event is something worth counting that does not happen to most requests: a
// limit that was reached. Each names the variable that sets the limit.
type Event uint8

// The events, in the order of a connection's life.
const (
	ConnectionLimit  Event = iota // MTLS_MAX_CONNECTIONS: a connection was turned away
	HandshakeTimeout              // MTLS_HANDSHAKE_TIMEOUT
	IdleTimeout                   // MTLS_IDLE_TIMEOUT: the usual end of a kept connection
	HeaderTimeout                 // MTLS_HEADER_TIMEOUT
	HeadTooLarge                  // MTLS_MAX_HEADER_BYTES: answered 431
	TargetTooLong                 // answered 414
	IdentityTooLarge              // MTLS_MAX_IDENTITY_BYTES: answered 431
	BodyTooLarge                  // MTLS_MAX_BODY_BYTES: answered 413
	BodyTimeout                   // MTLS_BODY_TIMEOUT
	SendTimeout                   // MTLS_SEND_TIMEOUT
	UpstreamTimeout               // MTLS_UPSTREAM_CONNECT_TIMEOUT, MTLS_UPSTREAM_TIMEOUT: answered 504
	ClientGone                    // the client went away while the application thought
	TunnelOpened                  // MTLS_UPGRADE: a 101 was passed on
	TunnelIdle                    // MTLS_TUNNEL_IDLE_TIMEOUT
	eventCount
)

// events are the counters; an increment is all that an event costs.
type events [eventCount]atomic.Uint64

func (e *events) count(event Event) { e[event].Add(1) }

// Count is how often an event has happened since the start.
func (s *Server) Count(event Event) uint64 { return s.events[event].Load() }
