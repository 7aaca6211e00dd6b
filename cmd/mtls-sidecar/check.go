package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"mtls-sidecar/proxy"
)

// check is nginx -t: it reads what serve would read, and says what it found.
// The URLs of MTLS_CRL are asked once; where serve would wait for a list, check fails.
func check(environ []string, stdout io.Writer) error {
	config, err := proxy.Environment(environ)
	if err != nil {
		return err
	}
	material, err := proxy.Load(config)
	if err != nil {
		return fmt.Errorf("%w:\n%w", errFiles, err)
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	crls, err := material.Gather(ctx, config)
	if err != nil && ctx.Err() != nil {
		return context.Cause(ctx)
	} else if err != nil {
		return fmt.Errorf("%w:\n%w", errFiles, err)
	}
	warnings := append(material.Warnings, material.Unlisted(config, crls)...)
	if warning, err := proxy.CheckExposed(config); err != nil {
		return err
	} else if warning != "" {
		warnings = append(warnings, warning)
	}
	out, now := report{width: 80}, time.Now()
	out.found(config, material, now)
	for _, list := range crls.All() {
		out.item("CRL", proxy.DescribeCRL(list, now))
	}
	out.revocation(config)
	for _, warning := range warnings {
		out.prose("warning", warning)
	}
	fmt.Fprintln(&out, "the configuration and its files can be used")
	_, err = io.WriteString(stdout, out.String())
	return err
}

// found tells what is in the files.
func (r *report) found(config *proxy.Config, material *proxy.Material, now time.Time) {
	r.item("listen", fmt.Sprintf("%s, application %s, client certificates %s",
		config.ListenAddr, config.UpstreamURL, config.VerifyClient))
	if config.ProxyProtocolFrom.Set() {
		r.item("PROXY", "a header is demanded of "+config.ProxyProtocolFrom.String()+" on every connection, probes included")
	}
	for i, certificate := range material.Certificates {
		r.server(config.CertFile[i], certificate, now)
	}
	for _, ca := range material.CAs {
		r.item("client CA", proxy.Subject(ca)+", "+lifetime(ca, now))
	}
	r.item("tells", strings.Join(config.Headers.Describe(), ", "))
	r.item("", "as "+strings.Join(config.Headers.Names(), ", "))
	if config.Routes.Set() {
		r.item("routes", config.Routes.String())
	}
	switch n := len(material.TicketKeys); n {
	case 0:
		r.item("tickets", "random keys of its own, so sessions end with the process")
	case 1:
		r.item("tickets", "1 key file, which seals and opens")
	default:
		r.item("tickets", fmt.Sprintf("%d key files; the first seals, all open", n))
	}
}

// revocation tells what is demanded of lists, and whether CAs are asked.
func (r *report) revocation(config *proxy.Config) {
	if len(config.CRL) == 0 && config.OCSP == proxy.OCSPOff && config.VerifyClient != proxy.VerifyOff {
		r.item("revoked?", "nobody is asked: neither MTLS_CRL nor MTLS_OCSP is set")
	}
	if len(config.CRL) > 0 {
		r.item("", fmt.Sprintf("policy %s, grace %s, URLs asked every %s", config.CRLPolicy, config.CRLGrace, config.CRLRefresh))
	}
	if config.OCSP != proxy.OCSPOff {
		responder := "the one that each certificate names"
		if config.OCSPResponder != "" {
			responder = proxy.Printable(string(config.OCSPResponder))
		}
		r.item("OCSP", fmt.Sprintf("%s, responder: %s", config.OCSP, responder))
		r.item("", fmt.Sprintf("without an answer within %s: %s; an answer counts for %s at most", config.OCSPTimeout, config.OCSPFail, config.OCSPMaxAge))
	}
}

func (r *report) server(path string, certificate tls.Certificate, now time.Time) {
	leaf := certificate.Leaf
	var names []string
	names = append(names, leaf.DNSNames...)
	for _, ip := range leaf.IPAddresses {
		names = append(names, ip.String())
	}
	if len(names) == 0 {
		names = []string{"(no subject alternative name: clients of today will refuse it)"}
	}
	r.item("server", fmt.Sprintf("%s: %s, names %s, %s, %s", proxy.Printable(path), proxy.Subject(leaf),
		proxy.Printable(strings.Join(names, " ")), leaf.PublicKeyAlgorithm, lifetime(leaf, now)))
}

// lifetime tells whole days, as nginx's $ssl_client_v_remain counts them.
func lifetime(c *x509.Certificate, now time.Time) string {
	day := c.NotAfter.UTC().Format(time.DateOnly)
	switch {
	case now.After(c.NotAfter):
		return "EXPIRED on " + day
	case now.Before(c.NotBefore):
		return "not valid before " + c.NotBefore.UTC().Format(time.RFC3339)
	default:
		return fmt.Sprintf("%d days left (until %s)", int(c.NotAfter.Sub(now).Hours()/24), day)
	}
}
