package main_test

import (
	"fmt"
	"os/exec"
	"path/filepath"
	"testing"
)

// apacheNames are mod_ssl's names for what it knows of a client, told as headers of the same name.
var apacheNames = []string{
	"SSL_CLIENT_VERIFY", "SSL_CLIENT_S_DN", "SSL_CLIENT_I_DN", "SSL_CLIENT_S_DN_CN", "SSL_CLIENT_CERT", "SSL_CLIENT_M_VERSION",
	"SSL_CLIENT_M_SERIAL", "SSL_CLIENT_V_START", "SSL_CLIENT_V_END", "SSL_CLIENT_V_REMAIN", "SSL_CLIENT_SAN_DNS_0", "SSL_CLIENT_SAN_Email_0",
	"SSL_PROTOCOL", "SSL_CIPHER", "SSL_CIPHER_USEKEYSIZE",
}

// apacheModules is where Debian keeps the modules.
const apacheModules = "/usr/lib/apache2/modules"

// startDialectApache runs Apache httpd with the certificates in dir before an application.
func startDialectApache(t *testing.T, dir string) proxyServer {
	t.Helper()
	application, path := startHeadApplication(t), need(t, "apache2")
	for range 5 {
		addr, config := fmt.Sprintf("127.0.0.1:%d", freePorts(t, 1)[0]), filepath.Join(dir, "apache.conf")
		writeTemplate(t, dialectData("apache.conf.tmpl"), config, map[string]any{
			"Dir": dir, "Modules": apacheModules, "Addr": addr, "Application": application.addr, "Names": apacheNames})
		if start(t, "apache2", exec.Command(path, "-D", "FOREGROUND", "-f", config)).listens(addr) {
			return proxyServer{addr, application}
		}
	}
	t.Fatal("Apache did not start")
	return proxyServer{}
}
