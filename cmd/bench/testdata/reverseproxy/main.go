// Command reverseproxy is what a Go programmer writes who needs the sidecar's work done:
// httputil.ReverseProxy behind a tls.Config. It is one of the peers of cmd/bench, and
// stands in testdata because nothing of the module may be made of it.
package main

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
)

func main() {
	if err := serve(os.Args[1], os.Args[2], os.Args[3:]); err != nil {
		fmt.Fprintln(os.Stderr, "reverseproxy:", err)
		os.Exit(1)
	}
}

// serve takes the certificate's, the key's and the CA's file.
func serve(listen, upstream string, files []string) error {
	pair, err := tls.LoadX509KeyPair(files[0], files[1])
	if err != nil {
		return err
	}
	ca, err := os.ReadFile(files[2])
	if err != nil {
		return err
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(ca)
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.MaxIdleConns, transport.MaxIdleConnsPerHost = 0, 256
	transport.DisableCompression = true
	proxy := &httputil.ReverseProxy{Transport: transport, ErrorLog: log.New(io.Discard, "", 0), Rewrite: func(r *httputil.ProxyRequest) {
		r.SetURL(&url.URL{Scheme: "http", Host: upstream})
		r.Out.Host = r.In.Host
		r.Out.Header["X-Forwarded-For"] = r.In.Header["X-Forwarded-For"]
		r.SetXForwarded()
		verified, dn := "NONE", ""
		if r.In.TLS != nil && len(r.In.TLS.VerifiedChains) > 0 {
			verified, dn = "SUCCESS", r.In.TLS.PeerCertificates[0].Subject.String()
		}
		r.Out.Header.Set("VERIFIED", verified)
		r.Out.Header.Set("DN", dn)
	}}
	server := &http.Server{Addr: listen, Handler: proxy, ErrorLog: log.New(io.Discard, "", 0), TLSConfig: &tls.Config{
		Certificates: []tls.Certificate{pair}, ClientAuth: tls.VerifyClientCertIfGiven, ClientCAs: pool,
	}}
	return server.ListenAndServeTLS("", "")
}
