package headers

import "slices"

// otherPaths are fields by which some application is told another path than that of the request. Where paths are decided
// about (MTLS_ROUTES) a client may send none of them.
var otherPaths = [...]string{
	"X-Original-URL", "X-Rewrite-URL", // Symfony and Zend Framework, IIS rewriting
	"X-Original-URI", "X-Original-Path", "X-Envoy-Original-Path", "X-Replaced-Path", // ingress-nginx, Ambassador, Envoy, Traefik
	"X-MS-Original-URL", "X-WAWS-Unencoded-URL", "Unencoded-URL", // Azure Static Web Apps, App Service, IIS server variable
	"Script-Name", "Path-Info", // gunicorn takes both from loopback (forwarder_headers)
	"X-Script-Name", "X-Path-Info", "Request-URI", "X-Request-URI", // WSGI middleware, CGI's REQUEST_URI
	"X-Traversal-Path", "X-Request-Base", // Plack's ReverseProxyPath, Catalyst and Mojolicious
	"X-ProxyContextPath", "X-ProxyPath", // NiFi, Karaf
	"X-Matched-Path", "X-Now-Route-Matches", "X-Invoke-Path", "X-Invoke-Query", // Next.js, between its own parts
	"X-Middleware-Rewrite", "X-Middleware-Next", "X-Middleware-Subrequest", // likewise; the last one skips its checks
	"X-Vhm-Root", "X-Vhm-Host", // Pyramid's traversal and repoze.vhm put the first before the path
	"X-Astro-Path", "X-Astro-Locals", "X-Invoke-Output", // Astro on Vercel, Next.js
	"X-Sendfile-Type", "X-Accel-Mapping", "X-Accel-Redirect", // Rack::Sendfile and its like: which file a front end of theirs sends
	// What people try, whoever may have read them.
	"X-Rewrite-Path", "X-Rewrite-URI", "X-Real-URL", "X-Real-URI", "X-Request-URL", "X-Request-Path", "X-Envoy-Original-URL",
	"X-HTTP-DestinationURL", "X-HTTP-Path-Override", "X-Override-URL", "X-Proxy-URL", "Proxy-URL", "Proxy-Request-FullURI",
	"X-MS-Endpoint-Absolute-Path", "X-Original-Request-URI", "X-Original-URI-Path", "Base-URL", "Http-URL", "X-Path", "X-URL", "X-URI",
}

// otherForwardedPaths are those of the X-Forwarded- family, which is stripped in any case (forwardedPrefix).
var otherForwardedPaths = [...]string{
	"X-Forwarded-Prefix", "X-Forwarded-Path", "X-Forwarded-PathBase", "X-Forwarded-Uri", "X-Forwarded-Url",
	"X-Forwarded-Script-Name", "X-Forwarded-Context",
}

// otherMethods are fields that make an application see another method, or ask another server (Proxy, which CGI makes HTTP_PROXY).
var otherMethods = [...]string{"X-HTTP-Method", "X-Method-Override", "Proxy"}

// TellsOtherPath reports whether some application takes another path than the request's from a field of that name.
func TellsOtherPath(name string) bool {
	name = folded(name)
	is := func(n string) bool { return folded(n) == name }
	return slices.ContainsFunc(otherPaths[:], is) || slices.ContainsFunc(otherForwardedPaths[:], is)
}
