package main

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"strings"
	"time"

	"mtls-sidecar/proxy"
)

// check is nginx -t: it reads what serve would read, and says what it found.
func check(environ []string, stdout io.Writer) error {
	config, err := proxy.Environment(environ)
	if err != nil {
		return err
	}
	material, err := proxy.Load(config)
	if err != nil {
		return fmt.Errorf("%w:\n%w", errFiles, err)
	}
	if warning, err := proxy.CheckExposed(config); err != nil {
		return err
	} else if warning != "" {
		material.Warnings = append(material.Warnings, warning)
	}
	_, err = io.WriteString(stdout, report(config, material, time.Now()))
	return err
}

func report(config *proxy.Config, material *proxy.Material, now time.Time) string {
	var out strings.Builder
	fmt.Fprintf(&out, "listen    %s, application %s, client certificates %s\n",
		config.ListenAddr, config.UpstreamURL, config.VerifyClient)
	for i, certificate := range material.Certificates {
		describeServer(&out, config.CertFile[i], certificate, now)
	}
	for _, ca := range material.CAs {
		fmt.Fprintf(&out, "client CA %s, %s\n", subject(ca), lifetime(ca, now))
	}
	for _, warning := range material.Warnings {
		fmt.Fprintf(&out, "warning   %s\n", warning)
	}
	fmt.Fprintln(&out, "the configuration and its files can be used")
	return out.String()
}

func describeServer(out *strings.Builder, path string, certificate tls.Certificate, now time.Time) {
	leaf := certificate.Leaf
	var names []string
	names = append(names, leaf.DNSNames...)
	for _, ip := range leaf.IPAddresses {
		names = append(names, ip.String())
	}
	if len(names) == 0 {
		names = []string{"(no subject alternative name: clients of today will refuse it)"}
	}
	fmt.Fprintf(out, "server    %s: %s, names %s, %s, %s\n",
		path, subject(leaf), strings.Join(names, " "), leaf.PublicKeyAlgorithm, lifetime(leaf, now))
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

func subject(c *x509.Certificate) string {
	if dn := proxy.SubjectDN(c); dn != "" {
		return dn
	}
	return "(no subject)"
}
