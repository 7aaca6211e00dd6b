package admin

// The families, in the order of a request's way through the sidecar. Their names
// and labels are what dashboards and alerts are made of: a test pins them.
const (
	MetricBuildInfo Metric = iota
	MetricConfigInfo

	MetricConnections
	MetricConnectionsAccepted
	MetricHandshakes
	MetricHandshakeDuration
	MetricVerdicts
	MetricReverifications
	MetricExchangesCut

	MetricRequests
	MetricRequestsInFlight
	MetricRequestDuration
	MetricUpstreamResponse
	MetricUpstreamErrors
	MetricUpstreamRetries
	MetricRefusals
	MetricClientGone
	MetricTunnels
	MetricTunnelsOpened

	MetricStrippedHeaders
	MetricLimitsReached
	MetricHTTP2Abuse
	MetricProxyHeadersRefused

	MetricCertificateNotBefore
	MetricCertificateNotAfter
	MetricCRLThisUpdate
	MetricCRLNextUpdate
	MetricCRLEntries
	MetricCRLFetches
	MetricOCSPRequests
	MetricReloads
	MetricReloadLastSuccess
	MetricTroubles

	MetricUpstreamExposed
	MetricDraining
	MetricLogLinesDropped

	metricCount
)

type metricKind uint8

const (
	counterKind metricKind = iota
	gaugeKind
	histogramKind
)

// family is what /metrics says of one.
type family struct {
	name   string
	kind   metricKind
	labels []string
	help   string
}

var families = [metricCount]family{
	MetricBuildInfo: {"mtls_build_info", gaugeKind, []string{"version", "goversion", "revision"},
		"Always 1; the labels tell which build runs."},
	MetricConfigInfo: {"mtls_config_info", gaugeKind,
		[]string{"verify_client", "invalid_cert", "reject_with", "crl_policy", "ocsp", "upstream_exposed", "drain_delay", "drain_timeout"},
		"Always 1; the labels are the settings that decide who is let in, so that replicas that differ can be found."},

	MetricConnections: {"mtls_connections", gaugeKind, []string{"state"},
		"Open client connections: in their TLS handshake, active with a request or a tunnel, or idle."},
	MetricConnectionsAccepted: {"mtls_connections_accepted_total", counterKind, nil,
		"Client connections taken in, those turned away at MTLS_MAX_CONNECTIONS not counted."},
	MetricHandshakes: {"mtls_tls_handshakes_total", counterKind, []string{"result", "version", "resumed"},
		"TLS handshakes by how they ended: ok, or why not; eof counts port scans and TCP probes too."},
	MetricHandshakeDuration: {"mtls_tls_handshake_duration_seconds", histogramKind, nil,
		"How long successful TLS handshakes took from the ClientHello on, the client's part and the network included."},
	MetricVerdicts: {"mtls_verdicts_total", counterKind, []string{"status", "reason"},
		"Judgements of clients, one for a connection unless belief changes while it is open; the reason is why a certificate is not believed."},
	MetricReverifications: {"mtls_reverifications_total", counterKind, []string{"result"},
		"Judgements of open connections that had been judged before: whether the client is still believed, or no longer."},
	MetricExchangesCut: {"mtls_exchanges_cut_total", counterKind, nil,
		"Requests and tunnels cut while in flight, because their client was no longer believed."},

	MetricRequests: {"mtls_http_requests_total", counterKind, []string{"method", "code", "protocol", "verified"},
		"Requests by the answer that the client got, the application's or one of our own; code none: it got no answer."},
	MetricRequestsInFlight: {"mtls_http_requests_in_flight", gaugeKind, nil,
		"Requests being served now, tunnels not counted."},
	MetricRequestDuration: {"mtls_http_request_duration_seconds", histogramKind, []string{"code_class"},
		"Time from a request's head to the last byte of its answer, which includes how fast the client reads; tunnels not counted."},
	MetricUpstreamResponse: {"mtls_upstream_response_seconds", histogramKind, nil,
		"Time from sending a request to the head of the application's answer: what it takes beyond that is not the application's thinking."},
	MetricUpstreamErrors: {"mtls_upstream_errors_total", counterKind, []string{"reason"},
		"Requests for which the application failed: unreachable, too slow, no valid answer, an answer cut short, or a port open to others."},
	MetricUpstreamRetries: {"mtls_upstream_retries_total", counterKind, nil,
		"Requests sent once more, since the application had ended the kept connection; many mean that it closes earlier than MTLS_UPSTREAM_IDLE_TIMEOUT."},
	MetricRefusals: {"mtls_refusals_total", counterKind, []string{"reason"},
		"Clients and requests that the sidecar itself refused, by the reason that page, log and status page give."},
	MetricClientGone: {"mtls_client_gone_total", counterKind, nil,
		"Clients that went away while the application was thinking, as a client's own timeouts make them."},
	MetricTunnels: {"mtls_tunnels", gaugeKind, nil,
		"Open tunnels, WebSockets among them."},
	MetricTunnelsOpened: {"mtls_tunnels_opened_total", counterKind, nil,
		"Tunnels that were opened, WebSockets among them."},

	MetricStrippedHeaders: {"mtls_stripped_headers_total", counterKind, []string{"header"},
		"Fields that clients sent and the application was not shown, since it would take them for our word or another proxy's; somebody who sends verified or dn tries to pass for another."},
	MetricLimitsReached: {"mtls_limits_reached_total", counterKind, []string{"variable"},
		"How often a limit was reached, by the variable that sets it."},
	MetricHTTP2Abuse: {"mtls_http2_abuse_total", counterKind, []string{"kind"},
		"HTTP/2 clients that broke the protocol's rules, asked for too many streams, cancelled most requests, or sent frames that carry nothing."},
	MetricProxyHeadersRefused: {"mtls_proxy_headers_refused_total", counterKind, []string{"reason"},
		"Connections closed for their PROXY header: missing from a peer that must send one, malformed, or from a peer that must not."},

	MetricCertificateNotBefore: {"mtls_certificate_not_before_timestamp_seconds", gaugeKind, []string{"kind", "subject", "serial"},
		"When a certificate in force began to be valid: the server's own, and the clients' CAs."},
	MetricCertificateNotAfter: {"mtls_certificate_not_after_timestamp_seconds", gaugeKind, []string{"kind", "subject", "serial"},
		"When a certificate in force ends: the server's own, and the clients' CAs."},
	MetricCRLThisUpdate: {"mtls_crl_this_update_timestamp_seconds", gaugeKind, []string{"issuer", "source"},
		"When the newest revocation list of a CA was made."},
	MetricCRLNextUpdate: {"mtls_crl_next_update_timestamp_seconds", gaugeKind, []string{"issuer", "source"},
		"When the newest revocation list of a CA ends; after it clients of that CA are refused, unless MTLS_CRL_POLICY or MTLS_CRL_GRACE allow more."},
	MetricCRLEntries: {"mtls_crl_entries", gaugeKind, []string{"issuer", "source"},
		"How many certificates the newest revocation list of a CA names."},
	MetricCRLFetches: {"mtls_crl_fetches_total", counterKind, []string{"result"},
		"Attempts to get a revocation list from a URL: ok is a new one, refused one that could not come into force."},
	MetricOCSPRequests: {"mtls_ocsp_requests_total", counterKind, []string{"result"},
		"Questions to OCSP responders by their answer; failed: there was none that counts."},
	MetricReloads: {"mtls_reloads_total", counterKind, []string{"kind", "result"},
		"Changed files that were read, by kind; after a failure what was in force stays in force."},
	MetricReloadLastSuccess: {"mtls_reload_last_success_timestamp_seconds", gaugeKind, []string{"kind"},
		"When files of a kind were last read and came into force, at the start or later."},
	MetricTroubles: {"mtls_troubles", gaugeKind, nil,
		"How many things keep news from coming into force now; the status page and the log name them."},

	MetricUpstreamExposed: {"mtls_upstream_exposed", gaugeKind, nil,
		"1 while the application's port is open outside loopback, so that everything here can be bypassed."},
	MetricDraining: {"mtls_draining", gaugeKind, nil,
		"1 once the sidecar has begun to go out of service."},
	MetricLogLinesDropped: {"mtls_log_lines_dropped_total", counterKind, []string{"reason"},
		"Log lines that were left out: refusals beyond their rate, and whatever found the log's buffer full."},
}
