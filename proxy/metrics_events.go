package proxy

import "mtls-sidecar/proxy/admin"

// counted is an event as metrics tell it: a series of a family, or one of several
// events that make it.
type counted struct {
	metric admin.Metric
	label  string // empty: the family has none
	event  Event
}

// countedEvents are the events that have a series. The others are told in other
// words: handshakes by their result, reloads by their kind, fetches and OCSP by what came.
var countedEvents = []counted{
	{admin.MetricLimitsReached, "MTLS_MAX_CONNECTIONS", ConnectionLimit},
	{admin.MetricLimitsReached, "MTLS_HANDSHAKE_TIMEOUT", HandshakeTimeout},
	{admin.MetricLimitsReached, "MTLS_IDLE_TIMEOUT", IdleTimeout},
	{admin.MetricLimitsReached, "MTLS_HEADER_TIMEOUT", HeaderTimeout},
	{admin.MetricLimitsReached, "MTLS_MAX_HEADER_BYTES", HeadTooLarge},
	{admin.MetricLimitsReached, "MTLS_MAX_IDENTITY_BYTES", IdentityTooLarge},
	{admin.MetricLimitsReached, "MTLS_MAX_BODY_BYTES", BodyTooLarge},
	{admin.MetricLimitsReached, "MTLS_BODY_TIMEOUT", BodyTimeout},
	{admin.MetricLimitsReached, "MTLS_SEND_TIMEOUT", SendTimeout},
	{admin.MetricLimitsReached, "MTLS_UPSTREAM_CONNECT_TIMEOUT", UpstreamConnectTimeout},
	{admin.MetricLimitsReached, "MTLS_UPSTREAM_TIMEOUT", UpstreamTimeout},
	{admin.MetricLimitsReached, "MTLS_TUNNEL_IDLE_TIMEOUT", TunnelIdle},
	{admin.MetricLimitsReached, "MTLS_HTTP2_MAX_STREAMS", H2StreamLimit},
	{admin.MetricHTTP2Abuse, "protocol_error", H2ProtocolError},
	{admin.MetricHTTP2Abuse, "stream_limit", H2StreamLimit},
	{admin.MetricHTTP2Abuse, "resets", H2Resets},
	{admin.MetricHTTP2Abuse, "flood", H2Flood},
	{admin.MetricProxyHeadersRefused, "missing", ProxyHeaderMissing},
	{admin.MetricProxyHeadersRefused, "bad", ProxyHeaderBad},
	{admin.MetricProxyHeadersRefused, "unexpected", ProxyHeaderUnexpected},
	{admin.MetricClientGone, "", ClientGone},
	{admin.MetricTunnelsOpened, "", TunnelOpened},
	{admin.MetricExchangesCut, "", BeliefLost},
}

func (s *Server) sampleEvents(to *admin.Samples) {
	for _, c := range countedEvents {
		var labels []string
		if c.label != "" {
			labels = []string{c.label}
		}
		to.Value(c.metric, float64(s.Count(c.event)), labels...)
	}
}
