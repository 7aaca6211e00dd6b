package headers

import (
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// traefikCert appends X-Forwarded-Tls-Client-Cert: the base64 of each certificate, the client's own first.
func traefikCert(dst []byte, f *Facts) ([]byte, error) {
	for i, c := range f.Chain {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = appendStdBase64(dst, c.Raw)
	}
	return dst, nil
}

// traefikInfo appends X-Forwarded-Tls-Client-Cert-Info: for each certificate key="value" pairs separated by semicolons, the
// certificates separated by commas, and all of it as a query's value is escaped.
//
// Traefik puts names between the quotes as they are. Here what could be taken for a quote, a separator or another pair is
// percent-encoded first, so that whoever splits the header finds exactly the names of the certificates.
func traefikInfo(dst []byte, f *Facts) ([]byte, error) {
	var all strings.Builder
	for i, c := range f.Chain {
		if i > 0 {
			all.WriteByte(',')
		}
		if err := writeTraefikInfo(&all, c); err != nil {
			return dst, err
		}
	}
	return append(dst, url.QueryEscape(all.String())...), nil
}

// writeTraefikInfo writes one certificate's pairs. A pair without a value is left out, but for the times.
func writeTraefikInfo(all *strings.Builder, c *x509.Certificate) error {
	alternative, err := traefikSANs(c)
	if err != nil {
		return err
	}
	pairs := [...]struct{ key, value string }{
		{"Subject", traefikName(&c.Subject, c.Subject.OrganizationalUnit)},
		{"Issuer", traefikName(&c.Issuer, nil)},
		{"SerialNumber", c.SerialNumber.String()},
		{"NB", strconv.FormatInt(c.NotBefore.Unix(), 10)},
		{"NA", strconv.FormatInt(c.NotAfter.Unix(), 10)},
		{"SAN", strings.Join(alternative, ",")},
	}
	separator := ""
	for _, p := range pairs {
		if p.value == "" {
			continue
		}
		all.WriteString(separator + p.key + `="` + p.value + `"`)
		separator = ";"
	}
	return nil
}

// traefikName renders what Traefik tells of a name, in its order: DC, C, ST, L, O, OU (not of issuers), SN for serialNumber,
// CN; of the last two only the last one. crypto/x509 has read the name, for Traefik as for us.
func traefikName(name *pkix.Name, units []string) string {
	var parts []string
	add := func(key string, values ...string) {
		for _, v := range values {
			if v != "" {
				parts = append(parts, key+"="+traefikEscape(v))
			}
		}
	}
	for _, attribute := range name.Names {
		if value, text := attribute.Value.(string); text && attribute.Type.Equal(asn1.ObjectIdentifier{0, 9, 2342, 19200300, 100, 1, 25}) {
			add("DC", value)
		}
	}
	add("C", name.Country...)
	add("ST", name.Province...)
	add("L", name.Locality...)
	add("O", name.Organization...)
	add("OU", units...)
	add("SN", name.SerialNumber)
	add("CN", name.CommonName)
	return strings.Join(parts, ",")
}

// traefikSANs lists the alternative names in Traefik's order: DNS names, e-mail addresses, IP addresses, URIs. URIs are as the
// certificate holds them; Traefik writes some in other words (url.URL.String).
func traefikSANs(c *x509.Certificate) ([]string, error) {
	names, err := sans(c)
	if err != nil {
		return nil, err
	}
	var list []string
	for _, kind := range [...]byte{sanDNS, sanEmail, sanIP, sanURI} {
		for _, name := range names {
			switch {
			case name.kind != kind || len(name.value) == 0:
			case kind == sanIP:
				address, _ := netip.AddrFromSlice(name.value)
				list = append(list, address.String())
			default:
				list = append(list, traefikEscape(string(name.value)))
			}
		}
	}
	return list, nil
}

// traefikEscape percent-encodes what has a meaning in the header, a space at either end, and all that is not printable.
// Printable characters above ASCII stay, as with Traefik: the escaping of the whole keeps them in their place.
func traefikEscape(text string) string {
	var out []byte
	for i := 0; i < len(text); {
		c, size := utf8.DecodeRuneInString(text[i:])
		printable := unicode.IsPrint(c) && (c != utf8.RuneError || size > 1)
		edge := c == ' ' && (i == 0 || i == len(text)-1)
		if printable && !edge && !strings.ContainsRune(`"%,;=\`, c) {
			out = append(out, text[i:i+size]...)
		} else {
			for _, b := range []byte(text[i : i+size]) {
				out = appendPercent(out, b)
			}
		}
		i += size
	}
	return string(out)
}
