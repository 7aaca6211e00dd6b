package headers

import (
	"slices"
	"strings"
	"testing"
)

// TestSlipsOfThePenAreFaults: what can be read and cannot be meant would tell every client the same, or another identity.
func TestSlipsOfThePenAreFaults(t *testing.T) {
	for _, c := range [][2]string{
		// A variable that is none, or in another program's way.
		{"X=ssl_client_s_dn", "write $ssl_client_s_dn (only in docker compose"},
		{"X={ssl_client_s_dn}", "write $ssl_client_s_dn (only"},
		{`X="ssl_client_verify"`, "write $ssl_client_verify (only"},
		{"X=$$ssl_client_serial", "write $ssl_client_serial (only"},
		{`X="by $$ssl_client_cn"`, "write $ssl_client_cn (only"},
		{"X=21324ssl_client_cn", "write $ssl_client_cn (only"},
		{"X=$(ssl_client_s_dn)", "write $ssl_client_s_dn or ${ssl_client_s_dn}"},
		{"X=$$(ssl_client_s_dn)", "write $ssl_client_s_dn (only"},
		{"X=%{SSL_CLIENT_S_DN}s", "in Apache's or HAProxy's way"},
		{"X=%[ssl_c_s_dn(cn)]", "in Apache's or HAProxy's way"},
		{`X="%{+Q}[ssl_c_s_dn]"`, "in Apache's or HAProxy's way"},
		{"X=$ssl_client_serial;", "ends in a semicolon"},
		{"X=${ssl_protocol", "write ${ssl_protocol}"},
		// An entry the wrong way round, or with signs that do not belong there.
		{"$ssl_client_verify=X-V", "is the wrong way round; write Name=$ssl_client_verify"},
		{"$Ssl_Client_Cert=X", "is the wrong way round"},
		{"xfcc=on", "write xfcc alone"},
		{`"nginx`, "leave the quotes around the whole out"},
		{"'nginx'", "leave the quotes around the whole out"},
		{"nginx:", "a preset stands alone"},
		{"X-A: $ssl_client_s_dn", "without a blank"},
		{"X-A:$ssl_client_s_dn", "write X-A=$ssl_client_s_dn"},
		{"X $ssl_client_serial;", "write Name=$ssl_client_serial, or quotes"},
		{"proxy_set_header X=$ssl_client_serial", "another program's directive"},
		// A word that is no preset.
		{"ssl_client_serial", "write Name=$ssl_client_serial"},
		{"VERIFIED", "a header that is sent by nginx; write"},
		{"X-Forwarded-Client-Cert", "a header that is sent by xfcc; write"},
		{"X-Client-Cert", "sent by puppet, aspnet; write"},
		{"Envoy", "the one for it is xfcc"},
		{"AWS_ALB", "the nearest one is aws-alb"},
		{"kubernetes", "there are nginx, rfc9440, xfcc"},
		{"client", "there are nginx, rfc9440, xfcc"},
		// A variable that is not known: what is near would be another identity.
		{"X=$remote_addr", "is no variable here; the README lists"},
		{"X=$SSL_CLIENT_S_DN", "the nearest one is $ssl_client_s_dn\n"},
		{"X=$ssl_client_dn", "near it are $ssl_client_cn, $ssl_client_i_dn, $ssl_client_s_dn\n"},
		{"X=$ssl_client_san", "$ssl_client_san_dns, $ssl_client_san_email, $ssl_client_san_ip"},
		{"X=$ssl_client_fingerprint_sha1", "near it are $ssl_client_fingerprint, $ssl_client_fingerprint_sha256\n"},
		// Names by which an application sees another request.
		{"X-HTTP-Method=$ssl_client_verify", "see another request"},
		{"Proxy=$ssl_client_verify", "see another request"},
		{"Script_Name=/x", "see another request"},
		{"X-Forwarded-Prefix=/x", "see another request"},
	} {
		text, want := c[0], c[1]
		_, err := ParseTemplate(text)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: got %v, want something with %q", text, err, want)
		}
	}
}

func TestWhatLooksLikeASlipAndIsNoneIsTaken(t *testing.T) {
	for text, want := range map[string]string{
		"$WSCC=$ssl_client_verify": "$WSCC: NONE", // WebSphere's
		`A="100%[net] %{x}"`:       "A: 100%[net] %{x}",
		`A="b;"`:                   "A: b;",
		"A=5$$":                    "A: 5$",
		"A=$ssl_client_verify;b":   "A: NONE;b",
		"A=https://a/b?c=(d)":      "A: https://a/b?c=(d)",
		"A=client":                 "A: client",
	} {
		if got := lines(t, template(t, text), Facts{Verify: VerifyNone}); !slices.Equal(got, []string{want}) {
			t.Errorf("%q: got %q, want %q", text, got, want)
		}
	}
}
