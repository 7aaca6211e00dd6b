package headers

// otherPaths are fields by which some application is told another path than that of the request. Where paths are decided
// about (MTLS_ROUTES) a client may send none of them.
var otherPaths = [...]string{
	"X-Original-URL", "X-Rewrite-URL", // Symfony and Zend Framework, IIS rewriting
	"X-Original-URI", "X-Original-Path", "X-Envoy-Original-Path", "X-Replaced-Path", // ingress-nginx, Ambassador, Envoy, Traefik
	"X-MS-Original-URL", "X-WAWS-Unencoded-URL", "Unencoded-URL", // Azure Static Web Apps, App Service, IIS server variable
	"Script-Name", "Path-Info", // gunicorn takes both from loopback (forwarder_headers)
	"X-Script-Name", "X-Path-Info", "Request-URI", "X-Request-URI", // WSGI middleware, CGI's REQUEST_URI
}
