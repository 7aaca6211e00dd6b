package main_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// dialectDifference is where the sidecar says something else than a peer, on purpose, with the reason. Each of its rows
// must be one; what is not listed here must be equal.
type dialectDifference struct {
	profiles string            // names, or * for all
	headers  string            // in lower case, or * for all
	rows     []string          // names, or anyRow or unverified
	texts    map[string]string // instead of rows and ours: what the sidecar says of each
	ours     func(c dialectCase) string
	why      string
}

// Rows that are many.
const (
	anyRow     = "(any)"
	unverified = "(FAILED)"
)

// about reports whether a difference is about a case, and as which of its rows.
func (d dialectDifference) about(c dialectCase) (row string, applies bool) {
	if !slices.Contains(strings.Fields(d.profiles), c.profile.name) && d.profiles != "*" {
		return "", false
	}
	if !slices.Contains(strings.Fields(d.headers), c.header) && (d.headers != "*" || c.header == notForwarded) {
		return "", false
	}
	for _, row := range d.allRows() {
		if row == anyRow || row == c.row || row == unverified && strings.HasPrefix(c.verdict(), "FAILED") {
			return row, true
		}
	}
	return "", false
}

func (d dialectDifference) allRows() []string {
	return append(slices.Sorted(maps.Keys(d.texts)), d.rows...)
}

// expected is what the sidecar is to say instead of what the peer does.
func (d dialectDifference) expected(c dialectCase) string {
	if text, ok := d.texts[c.row]; ok {
		return text
	}
	return d.ours(c)
}

func left(dialectCase) string { return notSent }

// dialectDifferences is the whole list. Of two that are about one case the first counts.
func dialectDifferences() []dialectDifference {
	return slices.Concat(generalDifferences(), haproxyDifferences(), apacheDifferences())
}

func generalDifferences() []dialectDifference {
	const everyCertificateHeader = "ssl-client-subject-dn ssl-client-issuer-dn ssl-client-cert " +
		"x-ssl-client-serial x-ssl-client-version x-ssl-client-sha1 x-ssl-client-dn x-ssl-client-cn x-ssl-issuer x-ssl-client-notbefore x-ssl-client-notafter x-ssl-client-der " +
		"client-cert client-cert-chain ssl_client_s_dn ssl_client_i_dn ssl_client_m_serial ssl_client_v_start ssl_client_v_end ssl_client_cert ssl-client-s-dn x-client-dn x-client-cert"
	return []dialectDifference{
		{profiles: "*", headers: notForwarded, texts: map[string]string{"Universal string": "true", "Printable string with an underscore": "true"},
			why: "crypto/x509 reads no UniversalString, and in a PrintableString only the characters of X.680 with * and &, so that the handshake ends"},
		{profiles: "variables-of-nginx variables-of-apache apache", headers: "x-v-ssl_client_serial x-info ssl_client_m_serial", rows: []string{"serial number of 40 bytes"},
			ours: func(c dialectCase) string { return strings.NewReplacer("\\\n", "", "\\ ", "").Replace(c.peers) },
			why:  "OpenSSL breaks the line after 35 bytes, with a backslash; no value has a line feed here"},
		{profiles: "ingress-nginx haproxy keycloak-haproxy apache foreman tomcat puppet puppet-nginx", headers: everyCertificateHeader, rows: []string{unverified}, ours: left,
			why: "what a preset takes from a certificate is sent with SUCCESS only: most of these dialects have back ends that look at nothing else"},
	}
}

func haproxyDifferences() []dialectDifference {
	const all = "haproxy keycloak-haproxy variables-of-haproxy"
	nginxs := func(variable string) func(dialectCase) string {
		return func(c dialectCase) string { return c.records["nginx"].rows[c.row][variable] }
	}
	return []dialectDifference{
		{profiles: "haproxy", headers: "x-ssl-client-verify", rows: []string{"nothing"}, ours: left,
			why: "HAProxy's 0 means verified as well as no certificate; a back end that looks at nothing else believes everybody"},
		{profiles: all, headers: "*", rows: []string{anyRow}, ours: emptyLeft, why: "an empty value is not sent; HAProxy sends the name with nothing behind it"},
		{profiles: "haproxy", headers: "x-ssl-client-dn", texts: map[string]string{
			"commas and plus signs": `/O=Example, Inc./CN=a\x2Bb\x3Dc,CN\x3Dadmin`, "slashes": `/O=x/CN=a\x2FCN\x3Dadmin\x2FO\x3Droot`,
			"quotes and backslashes": `/CN=a"b\x5Cc<d>;e\x3Df\x5C`, "backslash x": `/CN=\x5CxC3\x5CxA9 and \x5CC3\x5CA9`,
			"mixed types": `/C=US/ST=S\xC3\xA3o Paulo/O= lead,trail; /OU=#hash<a>"q"\x5Cb\x3Dc\x2Fd/DC=example/emailAddress=a@b.c/CN=x`,
		}, why: "HAProxy escapes nothing, so that / and + read like the next attribute; these and the escape itself are bytes in hex here"},
		{profiles: "haproxy", headers: "x-ssl-client-dn", ours: nginxs("X-V-ssl_client_s_dn_legacy"), rows: []string{
			"accent first and last", "accents in UTF-8", "bidirectional override", "BMP string", "C1 controls", "CN and UID in one RDN",
			"emoji and CJK", "line feeds", "other control bytes", "T61 string", "three attributes in one RDN", "unknown attribute in a BMP string",
		}, why: "OpenSSL's escapes, as nginx has them, where HAProxy sends raw bytes, percent signs that were not in the name, and a slash within an RDN"},
		{profiles: "haproxy", headers: "x-ssl-issuer", ours: nginxs("X-V-ssl_client_i_dn_legacy"), rows: []string{"issuer of mixed types"},
			why: "the same of the issuer"},
		{profiles: "haproxy", headers: "x-ssl-issuer", texts: map[string]string{"issuer in UTF-8": `/C=BR/O=Autoridade S\xC3\xA3o, Ltda./CN=Raiz \x2F \xE6\xA0\xB9`},
			why: "the same of the issuer"},
		{profiles: "haproxy", headers: "x-ssl-client-cn", texts: escapedCommonNames(),
			why: "UTF-8, with percent signs before what is not plain, so that decoding gives the name; HAProxy's bytes are those of the encoding, whichever it is, and its percent signs ambiguous"},
		{profiles: "keycloak-haproxy", headers: "client-cert-chain", texts: map[string]string{
			"three intermediates and the root": pathOf3, "three intermediates out of order": pathOf3, "unrelated certificate sent too": notSent,
		}, why: "the path that was verified, in order and without its root; HAProxy tells what was presented"},
	}
}

// escapedCommonNames are worked out by hand from the rule for lists: %XX for %, comma, quote, semicolon, backslash, spaces at
// the ends and whatever is not visible ASCII.
func escapedCommonNames() map[string]string {
	return map[string]string{
		"accent first and last": "%C3%A9 in between %C3%A9", "accents in UTF-8": "D%C3%A1vid %C3%9Cn%C3%AFcode", "emoji and CJK": "x%F0%9F%98%80y",
		"bidirectional override": "user%E2%80%AEgro.elpmaxe", "C1 controls": "next%C2%85line%C2%9Fend", "other control bytes": "nul%00del%7Ftab%09bell%07",
		"BMP string": "h%C3%A9%E2%82%AC", "T61 string": "h%C3%83%C2%A9",
		"CN is a space": "%20", "CN is two spaces": "%20%20", "spaces around": "%20 both ends %20", "space at the end of the last": "tail%20",
		"backslash x": "%5CxC3%5CxA9 and %5CC3%5CA9", "commas and plus signs": "a+b=c%2CCN=admin", "percent signs": "%250d%250aX: y%2541%25%25",
		"quotes and backslashes": "a%22b%5Cc<d>%3Be=f%5C",
	}
}

// emptyLeft leaves out what a peer sends without a value.
func emptyLeft(c dialectCase) string {
	if c.peers == "" {
		return notSent
	}
	return c.peers
}

// pathOf3 stands for the chain that HAProxy tells of the client "three intermediates".
const pathOf3 = "(as of three intermediates)"

func apacheDifferences() []dialectDifference {
	const subject = "ssl_client_s_dn ssl-client-s-dn x-client-dn"
	commonNames := escapedCommonNames()
	maps.Copy(commonNames, map[string]string{"two CNs": "first,second", "line feeds": "a%0D%0AVERIFIED: SUCCESS",
		"unknown CA and a hostile subject": "%20#admin%2C%20", "self-signed in UTF-8": "D%C3%A1vid"})
	var hosts []string
	for i := range 200 {
		hosts = append(hosts, fmt.Sprintf("host-%d.example.org", i))
	}
	return []dialectDifference{
		{profiles: "apache foreman tomcat puppet", headers: "*", rows: []string{"nothing", "empty subject", "empty subject with a DNS name"}, ours: nullLeft,
			why: "what is missing is not sent; Apache sends the text (null), which could be a name"},
		{profiles: "variables-of-apache", headers: "ssl_client_s_dn_cn ssl_client_v_remain ssl_client_san_dns_0 ssl_client_san_email_0", rows: []string{anyRow}, ours: nullLeft,
			why: "the same of the variables that are asked for one by one"},
		{profiles: "variables-of-apache", headers: "ssl_client_s_dn_cn", texts: commonNames,
			why: "lists hold all values, escaped so that none can be taken for two; Apache tells the first, raw or with some backslashes"},
		{profiles: "variables-of-apache", headers: "ssl_client_san_dns_0", texts: map[string]string{
			"200 DNS names": strings.Join(hosts, ","), "every kind of name": "a.example.org,b.example.org", "wildcard and punycode": "*.example.org,xn--bcher-kva.example",
			"DNS name that forges a second": "x%2Cadmin.example,y%22%3BDNS=admin.example", "DNS name with spaces around": "%20a.example%20",
		}, why: "the same of DNS names"},
		{profiles: "variables-of-apache", headers: "ssl_client_san_email_0", texts: map[string]string{
			"e-mail names": "ann@example.org,bob@example.org", "hostile e-mail name": "%22a%2Cb%3Bc%22@example.org",
		}, why: "the same of addresses"},
		{profiles: "apache foreman tomcat", headers: "ssl_client_cert ssl-client-cert", rows: []string{anyRow},
			ours: func(c dialectCase) string { return strings.TrimSuffix(c.peers, " ") },
			why:  "the space that Apache makes of the last line end is not part of a value (RFC 9110 section 5.5)"},
		{profiles: "puppet", headers: subject, rows: []string{anyRow}, ours: puppetsName,
			why: "Puppet Server looks for the common name alone, and its readers find it in other attributes and behind separators, too"},
		{profiles: "apache foreman", headers: subject, texts: map[string]string{
			"bidirectional override": `OU=zero\E2\80\8Bwidth,CN=user\E2\80\AEgro.elpmaxe`,
			"C1 controls":            `CN=next\C2\85line\C2\9Fend`,
		}, why: "what is not printable is escaped as nginx does it; Apache sends all UTF-8 raw"},
		{profiles: "foreman", headers: subject, texts: map[string]string{
			"commas and plus signs":  `CN=a\+b\3Dc\2CCN\3Dadmin,O=Example\2C Inc.`,
			"quotes and backslashes": `CN=a\"b\\c\<d\>\;e\3Df\\`,
			"slashes":                `CN=a\2FCN\3Dadmin\2FO\3Droot,O=x`,
			"mixed types":            `CN=x,emailAddress=a@b.c,DC=example,OU=\#hash\<a\>\"q\"\\b\3Dc\2Fd,O=\ lead\2Ctrail\;\ ,ST=São Paulo,C=US`,
		}, why: "equals sign, slash and comma are hex pairs, for Foreman looks for CN= anywhere in the name"},
	}
}

// puppetsName is worked out from nginx's DN: its one common name, if it is of the characters that certnames have.
func puppetsName(c dialectCase) string {
	const separators = `,+`
	var names []string
	for dn := c.records["nginx"].rows[c.row]["X-V-ssl_client_s_dn"]; dn != ""; {
		end := 0
		for end < len(dn) && !strings.ContainsRune(separators, rune(dn[end])) {
			if dn[end] == '\\' {
				end++
			}
			end++
		}
		if value, isCN := strings.CutPrefix(dn[:end], "CN="); isCN {
			names = append(names, value)
		}
		dn = dn[min(end+1, len(dn)):]
	}
	if len(names) != 1 || names[0] == "" {
		return notSent
	}
	if strings.Trim(names[0], "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._") != "" {
		return notSent
	}
	return "CN=" + names[0]
}

func nullLeft(c dialectCase) string {
	if c.peers == "(null)" && (c.row != "null in brackets" || c.header != "ssl_client_s_dn_cn") { // which is a name
		return notSent
	}
	return c.peers
}
