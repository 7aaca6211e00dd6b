package main_test

import (
	"crypto/tls"
	"crypto/x509/pkix"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"mtls-sidecar/proxy/pki"
)

// disguise is a certificate whose names pretend to be more than they are.
type disguise struct {
	cn    string
	names []generalName
}

// disguises are what a CA may well sign that looks at the wrong things.
var disguises = []disguise{
	{"ordinary", []generalName{{ofURI, "spiffe://example.org/ns/a/sa/b"}, {ofDNS, "a.example"}, {ofDNS, "b.example"}}},
	{"no names", nil},
	{"keys in a URI", []generalName{{ofURI, "spiffe://a;Hash=x;URI=spiffe://admin"}}},
	{"keys in a quoted URI", []generalName{{ofURI, `spiffe://a";Hash="x";URI="spiffe://admin`}}},
	{"an element in a URI", []generalName{{ofURI, `spiffe://a/b,By=spiffe://admin;Cert="x";URI=spiffe://admin`}}},
	{"a URI escaped already", []generalName{{ofURI, "spiffe://a/%2CURI=spiffe://admin%3BDNS=admin.example"}}},
	{"a URI with backslashes", []generalName{{ofURI, `spiffe://a/b\";URI=spiffe://admin;X=\`}}},
	{"a comma in a host name", []generalName{{ofDNS, "x,admin.example"}}},
	{"a key in a host name", []generalName{{ofDNS, "x;DNS=admin.example"}, {ofDNS, `y";DNS="admin.example`}}},
	{"quotes in a host name", []generalName{{ofDNS, `"x`}, {ofDNS, `y\"`}, {ofDNS, "admin.example\\"}}},
	{"spaces and equals signs", []generalName{{ofDNS, " x"}, {ofDNS, "y=z "}, {ofURI, "spiffe://a/b c"}}},
	{"a plus sign", []generalName{{ofDNS, "x+y"}, {ofURI, "spiffe://a/b+c%20d%2Be"}}},
	{`x",URI=spiffe://admin;Hash=0`, []generalName{{ofURI, "spiffe://a"}}},
	{`x";URI=spiffe://admin;DNS="admin.example`, []generalName{{ofDNS, "a.example"}}},
	{`x\";URI=spiffe://admin;X="`, []generalName{{ofURI, "spiffe://a"}}},
	{`URI=spiffe://admin,DNS=admin.example`, []generalName{{ofURI, "spiffe://a"}}},
	{"x;SAN=admin.example,CN=admin", []generalName{{ofURI, "spiffe://a"}}},
	{"an address with a comma", []generalName{{ofEmail, "x@example.org,admin@example.org"}, {ofEmail, `"; SAN="`}}},
}

func (c crowd) wearing(t *testing.T, d disguise) tls.Certificate {
	t.Helper()
	o := pki.Options{Subject: pkix.Name{Organization: []string{"Acme"}, CommonName: d.cn}}
	if d.names != nil {
		o.ExtraExtensions = []pkix.Extension{c.alternatives(d.names...)}
	}
	cert := c.leaf(c.good, o)
	if cert.Leaf == nil {
		t.Fatalf("%s: crypto/x509 would not read this certificate; disguise it another way", d.cn)
	}
	return cert
}

// of lists the names of the given kinds, in their order of kinds.
func (d disguise) of(tags ...int) []string {
	list := []string{}
	for _, tag := range tags {
		for _, n := range d.names {
			if n.tag == tag {
				list = append(list, n.value)
			}
		}
	}
	return list
}

// valuesOf are the values of all pairs with that key.
func valuesOf(pairs []nodePair, key string) []string {
	list := []string{}
	for _, p := range pairs {
		if p[0] != key {
			continue
		}
		if several, ok := p[1].([]any); ok {
			for _, one := range several {
				list = append(list, fmt.Sprint(one))
			}
		} else {
			list = append(list, fmt.Sprint(p[1]))
		}
	}
	return list
}

// TestNoNameOfACertificateForgesAnother: however carelessly a back end cuts the
// header up, it finds the names that are in the certificate and no others.
func TestNoNameOfACertificateForgesAnother(t *testing.T) {
	t.Parallel()
	node, c := startNode(t), newCrowd(t)
	envoy, traefik := nodeReader{"envoy", "xfcc", true}, nodeReader{"traefik", "traefik", true}
	xfcc, info := c.car(t, node.port, envoy.dialects), c.car(t, node.port, traefik.dialects)
	for _, d := range disguises {
		t.Run(d.cn, func(t *testing.T) {
			cert := c.wearing(t, d)
			status, a := envoy.read(t, xfcc, &cert)
			envoy.believes(t, status, a, cert)
			d.inXFCC(t, a)
			status, a = traefik.read(t, info, &cert)
			traefik.believes(t, status, a, cert)
			d.inTraefikInfo(t, a)
		})
	}
}

// readings checks that the header was read in so many ways.
func (a nodeAnswer) readings(t *testing.T, n int) {
	t.Helper()
	if len(a.Names) != n {
		t.Errorf("read in the ways %q, want %d", slices.Collect(maps.Keys(a.Names)), n)
	}
}

func (d disguise) inXFCC(t *testing.T, a nodeAnswer) {
	t.Helper()
	a.readings(t, 3)
	uris := d.of(ofURI)
	if len(uris) == 0 {
		uris = []string{""} // Envoy sends URI= all the same
	}
	if got, want := valuesOf(a.Names["semicolons"], "Subject"), valuesOf(a.Names["careful"], "Subject"); !slices.Equal(got, want) {
		t.Errorf("semicolons: the subject is %q, want %q", got, want)
	}
	for way, pairs := range a.Names {
		counted := map[string]int{"Hash": 1, "Cert": 1, "Subject": 1, "Chain": 1, "By": 0}
		for key, want := range counted {
			if got := len(valuesOf(pairs, key)); got != want {
				t.Errorf("%s: %s is there %d times, want %d\n%s", way, key, got, want, a.Headers["x-forwarded-client-cert"])
			}
		}
		for key, want := range map[string][]string{"URI": uris, "DNS": d.of(ofDNS)} {
			if got := valuesOf(pairs, key); !slices.Equal(got, want) {
				t.Errorf("%s: %s is %q, want %q\n%s", way, key, got, want, a.Headers["x-forwarded-client-cert"])
			}
		}
	}
}

func (d disguise) inTraefikInfo(t *testing.T, a nodeAnswer) {
	t.Helper()
	a.readings(t, 2)
	header := a.Headers["x-forwarded-tls-client-cert-info"]
	keys := []any{"Subject", "Issuer", "SerialNumber", "NB", "NA"}
	names := d.of(ofDNS, ofEmail, ofURI) // Traefik's order
	if len(names) > 0 {
		keys = append(keys, "SAN")
	}
	for way, pairs := range a.Names {
		var got []any
		for _, p := range pairs {
			got = append(got, p[0])
		}
		if !slices.Equal(got, keys) {
			t.Errorf("%s: the keys are %q, want %q\n%s", way, got, keys, header)
		}
		if got := valuesOf(pairs, "SAN"); !slices.Equal(got, names) {
			t.Errorf("%s: the names are %q, want %q\n%s", way, got, names, header)
		}
		if got := valuesOf(pairs, "Subject"); len(got) != 1 || !strings.HasSuffix(got[0], "CN="+d.cn) {
			t.Errorf("%s: the subject is %q, want CN=%s at its end\n%s", way, got, d.cn, header)
		}
	}
}
