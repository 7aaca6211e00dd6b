package proxy

// Config is everything an operator may set. Each field is one environment
// variable; its tag gives the name and the default, its comment the meaning.
// A variable that is set but empty counts as unset.
type Config struct {
	// ListenAddr is where TLS is accepted: host:port, an empty host being every
	// address, or unix:///path.
	ListenAddr ListenAddr `env:"MTLS_LISTEN_ADDR" envDefault:":8443"`

	// UpstreamURL is the application: http://host:port or unix:///path over
	// HTTP/1.1, h2c://host:port over HTTP/2 without TLS, which gRPC needs.
	UpstreamURL UpstreamURL `env:"MTLS_UPSTREAM_URL" envDefault:"http://127.0.0.1:8080"`
	// UpstreamAllowRemote permits an application on another machine. The
	// request and the identity in it then cross the network in plain text.
	UpstreamAllowRemote Switch `env:"MTLS_UPSTREAM_ALLOW_REMOTE" envDefault:"false"`
	// UpstreamExposed says what to do when the application also listens outside
	// loopback, where everything decided here can be bypassed.
	UpstreamExposed Exposed `env:"MTLS_UPSTREAM_EXPOSED" envDefault:"warn"`

	// CertFile lists PEM files, each with a server certificate and its chain.
	CertFile List `env:"MTLS_CERT_FILE" envDefault:"/etc/mtls/tls/tls.crt"`
	// KeyFile lists the keys, one for each of CertFile and in its order. The
	// same file may hold both.
	KeyFile List `env:"MTLS_KEY_FILE" envDefault:"/etc/mtls/tls/tls.key"`
	// KeyPassphraseFile holds the pass phrase of encrypted keys, one a line;
	// each line is tried (nginx's ssl_password_file).
	KeyPassphraseFile string `env:"MTLS_KEY_PASSPHRASE_FILE"`

	// ClientCAFile lists PEM files, or folders of them, with the authorities
	// whose client certificates are believed (nginx's ssl_client_certificate).
	ClientCAFile List `env:"MTLS_CLIENT_CA_FILE" envDefault:"/etc/mtls/ca/ca.crt"`
	// VerifyClient is nginx's ssl_verify_client.
	VerifyClient VerifyClient `env:"MTLS_VERIFY_CLIENT" envDefault:"optional"`
	// InvalidCert says what becomes of a request whose certificate did not
	// verify; other than reject it goes with VerifyClient optional only.
	InvalidCert InvalidCert `env:"MTLS_INVALID_CERT" envDefault:"reject"`
	// RejectWith chooses between an HTTP 400 that gives the reason and a failed
	// TLS handshake.
	RejectWith RejectWith `env:"MTLS_REJECT_WITH" envDefault:"page"`
	// VerifyDepth is the largest number of intermediates between a client
	// certificate and its root: a number or none (nginx's ssl_verify_depth,
	// whose default is 1).
	VerifyDepth Depth `env:"MTLS_VERIFY_DEPTH" envDefault:"none"`
	// MinRSABits is the smallest RSA key accepted anywhere in a chain, in bits.
	MinRSABits Count `env:"MTLS_MIN_RSA_BITS" envDefault:"2048"`
	// CAHints says which CA names are offered to clients: on (those of
	// ClientCAFile), off, or a PEM file with the ones to offer.
	CAHints string `env:"MTLS_CA_HINTS" envDefault:"on"`

	// CRL lists where revocation lists are: PEM or DER files, folders of them, and
	// http or https URLs (nginx's ssl_crl).
	CRL List `env:"MTLS_CRL"`
	// CRLPolicy says which certificates need a current list: every one of the
	// chain (strict, as nginx), the client's own (leaf), none (available).
	CRLPolicy CRLPolicy `env:"MTLS_CRL_POLICY" envDefault:"strict"`
	// CRLGrace is how long past its nextUpdate a list still counts.
	CRLGrace Duration `env:"MTLS_CRL_GRACE" envDefault:"0s"`
	// CRLRefresh is how often a list's URL is asked again.
	CRLRefresh Duration `env:"MTLS_CRL_REFRESH" envDefault:"5m"`
	// CRLMaxBytes bounds one file, or one answer of a URL.
	CRLMaxBytes Size `env:"MTLS_CRL_MAX_BYTES" envDefault:"64MiB"`
	// OCSP says about which certificates their CA is asked: none (off), the
	// client's own (leaf), all but the root (on; nginx's ssl_ocsp).
	OCSP OCSP `env:"MTLS_OCSP" envDefault:"off"`
	// OCSPResponder is asked instead of the one that the certificate names.
	OCSPResponder HTTPURL `env:"MTLS_OCSP_RESPONDER"`
	// OCSPFail says what becomes of a client when no answer is to be had.
	OCSPFail OCSPFail `env:"MTLS_OCSP_FAIL" envDefault:"reject"`
	// OCSPTimeout bounds one question, and how long a client waits for it.
	OCSPTimeout Duration `env:"MTLS_OCSP_TIMEOUT" envDefault:"3s"`
	// OCSPMaxAge is how long an answer counts that says itself to be good for longer.
	OCSPMaxAge Duration `env:"MTLS_OCSP_MAX_AGE" envDefault:"10m"`

	// Routes says which paths need a believed certificate, and which are served
	// without asking who the client is.
	Routes Routes `env:"MTLS_ROUTES"`

	// Headers says what the application is told of the client, and by which
	// names: presets, and Name=$variable (see headers.ParseTemplate).
	Headers HeaderTemplate `env:"MTLS_HEADERS" envDefault:"nginx"`
	// StripHeaders lists further request headers that clients may not send, in
	// any spelling.
	StripHeaders List `env:"MTLS_STRIP_HEADERS"`
	// KeepHeaders excepts names from what is stripped.
	KeepHeaders List `env:"MTLS_KEEP_HEADERS"`
	// ForwardedFor says how the client's address is told in X-Forwarded-For.
	ForwardedFor ForwardedFor `env:"MTLS_FORWARDED_FOR" envDefault:"append"`

	// MinTLS is the lowest TLS version: 1.2 or 1.3.
	MinTLS TLSVersion `env:"MTLS_MIN_TLS" envDefault:"1.2"`
	// TicketKeyFiles lists key material for session tickets, shared by replicas;
	// the first encrypts, all decrypt (nginx's ssl_session_ticket_key). Whoever
	// holds one can impersonate every client.
	TicketKeyFiles List `env:"MTLS_TICKET_KEY_FILES"`
	// SessionTimeout is how long after a full handshake its session may be
	// resumed (nginx's ssl_session_timeout).
	SessionTimeout Duration `env:"MTLS_SESSION_TIMEOUT" envDefault:"5m"`

	// HTTP2 offers h2 to clients (nginx's http2).
	HTTP2 Switch `env:"MTLS_HTTP2" envDefault:"true"`
	// HTTP2MaxStreams bounds the requests that one HTTP/2 connection may have in
	// flight (nginx's http2_max_concurrent_streams).
	HTTP2MaxStreams Count `env:"MTLS_HTTP2_MAX_STREAMS" envDefault:"128"`

	// Upgrade lists the protocols that a request's Upgrade may switch to, or is
	// none. h2c cannot be among them.
	Upgrade List `env:"MTLS_UPGRADE" envDefault:"websocket"`
	// TunnelIdleTimeout ends a tunnel in which no byte has gone either way for
	// so long; 0 is never.
	TunnelIdleTimeout Duration `env:"MTLS_TUNNEL_IDLE_TIMEOUT" envDefault:"0"`

	// ProxyProtocolFrom lists who tells the client's address in a PROXY header
	// before the TLS handshake (nginx's proxy_protocol and set_real_ip_from).
	ProxyProtocolFrom Ranges `env:"MTLS_PROXY_PROTOCOL_FROM"`

	// MaxConnections bounds the open connections; 0 is no limit.
	MaxConnections Count `env:"MTLS_MAX_CONNECTIONS" envDefault:"0"`
	// MaxHeaderBytes bounds a request's head, and an answer's.
	MaxHeaderBytes Size `env:"MTLS_MAX_HEADER_BYTES" envDefault:"32KiB"`
	// MaxBodyBytes bounds a request's body; 0 is no limit.
	MaxBodyBytes Size `env:"MTLS_MAX_BODY_BYTES" envDefault:"0"`
	// MaxIdentityBytes bounds the identity lines of one request together. A
	// certificate that needs more is refused, never shortened.
	MaxIdentityBytes Size `env:"MTLS_MAX_IDENTITY_BYTES" envDefault:"16KiB"`

	// MaxConnectionAge is how long a connection is given requests to serve; the
	// one after that is its last (nginx's keepalive_time). 0 is no limit.
	MaxConnectionAge Duration `env:"MTLS_MAX_CONNECTION_AGE" envDefault:"1h"`

	// HandshakeTimeout bounds the TLS handshake, from accept to its end.
	HandshakeTimeout Duration `env:"MTLS_HANDSHAKE_TIMEOUT" envDefault:"10s"`
	// HeaderTimeout bounds a request's head, from its first byte to its last.
	HeaderTimeout Duration `env:"MTLS_HEADER_TIMEOUT" envDefault:"10s"`
	// BodyTimeout bounds the wait between two reads of a request's body, until the
	// answer begins.
	BodyTimeout Duration `env:"MTLS_BODY_TIMEOUT" envDefault:"60s"`
	// SendTimeout bounds each write to the client.
	SendTimeout Duration `env:"MTLS_SEND_TIMEOUT" envDefault:"60s"`
	// IdleTimeout bounds the wait for the next request.
	IdleTimeout Duration `env:"MTLS_IDLE_TIMEOUT" envDefault:"120s"`

	// UpstreamConnectTimeout bounds the dialling of the application.
	UpstreamConnectTimeout Duration `env:"MTLS_UPSTREAM_CONNECT_TIMEOUT" envDefault:"2s"`
	// UpstreamTimeout bounds the wait for the first byte of the answer, and
	// between two reads or writes.
	UpstreamTimeout Duration `env:"MTLS_UPSTREAM_TIMEOUT" envDefault:"60s"`
	// UpstreamIdleTimeout is how long a kept connection is used again; 3 s is
	// below the 5 s after which Node closes.
	UpstreamIdleTimeout Duration `env:"MTLS_UPSTREAM_IDLE_TIMEOUT" envDefault:"3s"`

	// ReloadInterval is how often the files are looked at for changes.
	ReloadInterval Duration `env:"MTLS_RELOAD_INTERVAL" envDefault:"10s"`

	// AdminAddr is where operators look, in plain HTTP: health and metrics for
	// everybody, the status page for peers on loopback. host:port, unix:///path
	// or off.
	AdminAddr AdminAddr `env:"MTLS_ADMIN_ADDR" envDefault:":9902"`
	// ReadyUpstream has the sidecar count as ready only while the application
	// accepts connections.
	ReadyUpstream Switch `env:"MTLS_READY_UPSTREAM" envDefault:"false"`
	// AdminUpstreamPaths lists paths of the application that AdminAddr relays under
	// /upstream, for the kubelet's probes, which cannot reach loopback.
	AdminUpstreamPaths List `env:"MTLS_ADMIN_UPSTREAM_PATHS"`

	// DrainDelay is how long after the beginning of a drain new connections are
	// still accepted: balancers learn late that they must not come any more.
	DrainDelay Duration `env:"MTLS_DRAIN_DELAY" envDefault:"5s"`
	// DrainTimeout bounds the requests in flight after that.
	DrainTimeout Duration `env:"MTLS_DRAIN_TIMEOUT" envDefault:"20s"`

	// AccessLog says which requests are logged: all, errors (refusals and 5xx)
	// or off.
	AccessLog AccessLog `env:"MTLS_ACCESS_LOG" envDefault:"errors"`
	// LogLevel is debug, info, warn or error.
	LogLevel LogLevel `env:"MTLS_LOG_LEVEL" envDefault:"info"`
	// LogFormat is json or console.
	LogFormat LogFormat `env:"MTLS_LOG_FORMAT" envDefault:"json"`

	set map[string]string // what was written, by variable
}

// Words that a variable may be set to.
const (
	VerifyOptional     VerifyClient = "optional"
	VerifyOn           VerifyClient = "on"
	VerifyOptionalNoCA VerifyClient = "optional_no_ca"
	VerifyOff          VerifyClient = "off"

	InvalidReject InvalidCert = "reject"
	InvalidFailed InvalidCert = "failed"
	InvalidNone   InvalidCert = "none"

	RejectPage  RejectWith = "page"
	RejectAlert RejectWith = "alert"

	ExposedWarn   Exposed = "warn"
	ExposedRefuse Exposed = "refuse"
	ExposedIgnore Exposed = "ignore"

	CRLStrict    CRLPolicy = "strict"
	CRLLeaf      CRLPolicy = "leaf"
	CRLAvailable CRLPolicy = "available"

	OCSPOff  OCSP = "off"
	OCSPLeaf OCSP = "leaf"
	OCSPOn   OCSP = "on"

	OCSPReject OCSPFail = "reject"
	OCSPAllow  OCSPFail = "allow"

	AccessAll    AccessLog = "all"
	AccessErrors AccessLog = "errors"
	AccessOff    AccessLog = "off"

	ForwardedAppend  ForwardedFor = "append"
	ForwardedReplace ForwardedFor = "replace"
	ForwardedOff     ForwardedFor = "off"
)
