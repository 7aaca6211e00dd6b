package main_test

import (
	"encoding/base64"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"mtls-sidecar/proxy/pki"
)

// tomcatHome is where Debian's tomcat10-common puts it.
const tomcatHome = "/usr/share/tomcat10"

// startTomcat runs a Tomcat with the SSLValve and one page that tells what it
// made of the headers.
func startTomcat(t *testing.T) consumer {
	t.Helper()
	bootstrap := filepath.Join(tomcatHome, "bin", "bootstrap.jar")
	if _, err := os.Stat(bootstrap); err != nil {
		missing(t, "tomcat10-common is not installed: %v", err)
	}
	base := t.TempDir()
	for to, from := range map[string]string{
		"conf/server.xml":              "server.xml",
		"webapps/ROOT/WEB-INF/web.xml": "web.xml",
		"webapps/ROOT/client.jsp":      "client.jsp",
		"logs/":                        "", "temp/": "", "work/": "",
	} {
		if err := os.MkdirAll(filepath.Join(base, filepath.Dir(to)), 0o755); err != nil {
			t.Fatal(err)
		}
		if from == "" {
			continue
		}
		text, err := os.ReadFile(consumerFile(t, filepath.Join("tomcat", from)))
		if err != nil {
			t.Fatal(err)
		}
		write(t, filepath.Join(base, to), string(text))
	}
	// Without the second stage of the compiler it is up sooner.
	return startConsumer(t, exec.Command(need(t, "java"), "-XX:TieredStopAtLevel=1",
		"-Dcatalina.home="+tomcatHome, "-Dcatalina.base="+base, "-Djava.io.tmpdir="+filepath.Join(base, "temp"),
		"-cp", bootstrap+":"+filepath.Join(tomcatHome, "bin", "tomcat-juli.jar"),
		"org.apache.catalina.startup.Bootstrap", "start"), regexp.MustCompile(`auto-1-(\d+)`))
}

// TestTomcatsValveReadsTheVeryCertificate: the certificate becomes the request's attribute,
// as if Tomcat had spoken TLS itself, and no client without one gets there.
func TestTomcatsValveReadsTheVeryCertificate(t *testing.T) {
	t.Parallel()
	tomcat, c := startTomcat(t), newCrowd(t)
	car := c.car(t, tomcat.port, "tomcat")

	block := string(pki.ChainPEM(c.plain))
	lies := []string{
		"ssl_client_cert: " + strings.ReplaceAll(block, "\n", " "),
		"SSL-Client-Cert: " + strings.ReplaceAll(block, "\n", " "),
		"ssl_client_escaped_cert: " + strings.ReplaceAll(url.QueryEscape(block), "+", "%20"),
		"ssl.client.escaped.cert: " + strings.ReplaceAll(url.QueryEscape(block), "+", "%20"),
		"ssl_cipher: forged", "ssl_session_id: forged", "ssl_cipher_usekeysize: 42",
	}
	told := func(name string) string {
		switch name {
		case "plain":
			return base64.StdEncoding.EncodeToString(c.plain.Certificate[0]) + " CN=plain,O=Acme,C=US"
		case "chained":
			return base64.StdEncoding.EncodeToString(c.chained.Certificate[0]) + " CN=chained,O=Acme"
		default:
			return ""
		}
	}
	for _, r := range []row{{"plain", &c.plain}, {"chained", &c.chained}, {"stranger", &c.stranger}, {"nothing", nil}} {
		for _, forged := range [][]string{nil, lies} {
			status, body := car.ask(t, r.cert, "/client.jsp", forged...)
			first, rest, _ := strings.Cut(strings.ReplaceAll(body, "\r", ""), "\n")
			if status != 200 || first != told(r.name) {
				t.Errorf("%s, %d lies: status %d, the page was told %q, want %q\n%s", r.name, len(forged), status, first, told(r.name), body)
			}
			if strings.Contains(rest, "forged") || strings.Contains(rest, "42") {
				t.Errorf("%s: the page believed %q", r.name, rest)
			}
		}
	}

	// Without the sidecar the same lies are believed: they are good ones.
	request := "GET /client.jsp HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n" + lies[0] + "\r\n" + lies[4] + "\r\n\r\n"
	if body := askPlain(t, tomcat.port, request); !strings.Contains(body, told("plain")) || !strings.Contains(body, "cipher_suite=forged") {
		t.Errorf("asked directly the page was told %q: these lies prove nothing", body)
	}
}
