package main_test

import (
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"testing"
)

// foldingServer runs an application that answers with its variables as JSON.
type foldingServer struct {
	name    string
	command func(t *testing.T) *exec.Cmd
	says    *regexp.Regexp
	bodies  bool // reads a chunked body, so that there is a trailer section to look into
	// dropsUnderscores: names with an underscore do not reach the application, so neither do the
	// dialects that have such names (apache, tomcat).
	dropsUnderscores bool
}

// foldingServers are Debian's. gunicorn drops names with underscores from 22 on.
func foldingServers() []foldingServer {
	python := func(kind string) func(t *testing.T) *exec.Cmd {
		return func(t *testing.T) *exec.Cmd {
			if kind == "waitress" {
				modules(t, kind)
			}
			return debianPython(t, consumerFile(t, "environ.py"), kind)
		}
	}
	program := func(name string, args ...string) func(t *testing.T) *exec.Cmd {
		return func(t *testing.T) *exec.Cmd {
			cmd := exec.Command(need(t, name), args...)
			cmd.Dir = consumerFile(t, "")
			cmd.Env = append(os.Environ(), "PYTHONDONTWRITEBYTECODE=1")
			return cmd
		}
	}
	php := func(t *testing.T) *exec.Cmd {
		return program("php", "-S", fmt.Sprintf("127.0.0.1:%d", freePorts(t, 1)[0]), "environ.php")(t)
	}
	oldGunicorn := exec.Command("/usr/bin/python3", "-c", "import gunicorn; exit(gunicorn.version_info >= (22,))").Run() == nil
	atPort, loopback := regexp.MustCompile(`at port (\d+)`), regexp.MustCompile(`http://127\.0\.0\.1:(\d+)`)
	return []foldingServer{
		{name: "wsgiref", command: python("wsgiref"), says: atPort},
		{name: "waitress", command: python("waitress"), says: atPort, bodies: true, dropsUnderscores: true},
		{name: "gunicorn", command: program("/usr/bin/gunicorn", "-b", "127.0.0.1:0", "environ:application"), says: loopback,
			bodies: true, dropsUnderscores: !oldGunicorn},
		{name: "uwsgi", command: program("uwsgi", "--plugin", "python3", "--http-socket", "127.0.0.1:0", "--buffer-size", "65535",
			"--die-on-term", "--need-app", "--wsgi-file", "environ.py"), says: regexp.MustCompile(`127\.0\.0\.1:(\d+) \(port auto`)},
		{name: "php", command: php, says: loopback, bodies: true},
		{name: "puma", command: program("puma", "-e", "none", "-t", "4:4", "-b", "tcp://127.0.0.1:0", "environ.ru"), says: loopback, bodies: true},
	}
}

// start runs the server. php cannot be left to choose its port, and the one
// that was free for it may be taken by now.
func (server foldingServer) start(t *testing.T) consumer {
	t.Helper()
	for range 4 {
		c := consumer{process: start(t, server.name, server.command(t))}
		if c.listens(server.says) == nil {
			return c
		}
	}
	return startConsumer(t, server.command(t), server.says)
}
