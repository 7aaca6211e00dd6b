package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"testing/fstest"
	"time"
)

// TestMain is also the application, and a process that burns processor time.
func TestMain(m *testing.M) {
	switch {
	case os.Getenv(upstreamVariable) != "":
		if err := run(context.Background(), os.Args[1:], os.Stdout); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	case os.Getenv(burnVariable) != "":
		burn(os.Getenv(burnVariable))
	default:
		os.Exit(m.Run())
	}
}

// need skips a test whose program is missing, or fails it where all must be there.
func need(t *testing.T, program string) {
	t.Helper()
	if _, err := lookUp(program); err != nil {
		missing(t, err.Error())
	}
}

func missing(t *testing.T, why string) {
	t.Helper()
	if os.Getenv("TEST_REQUIRE") == "1" {
		t.Fatalf("TEST_REQUIRE=1, but %s", why)
	}
	t.Skip(why)
}

// The whole of it, once around: what it prints of nginx and of us is a row each.
func TestNginxAndWeAreCompared(t *testing.T) {
	if runtime.GOOS != "linux" {
		missing(t, "there is no /proc of Linux's")
	}
	need(t, "nginx")
	if _, _, err := cores(); err != nil {
		missing(t, err.Error())
	}
	var out strings.Builder
	file := t.TempDir() + "/plot.svg"
	if err := run(t.Context(), []string{"-work", "small,resumed,put64k,websocket,h2", "-peers", "nginx," + us, "-rounds", "1", "-d", "200ms", "-rate", "200", "-svg", file}, &out); err != nil {
		t.Fatalf("%v; it wrote\n%s", err, out.String())
	}
	for _, row := range []string{"\nnginx  ", "\n" + us + "  "} {
		if got := strings.Count(out.String(), row); got != 5 {
			t.Errorf("%d rows of %q, want one for each kind of work:\n%s", got, row, out.String())
		}
	}
	if drawn, err := os.ReadFile(file); err != nil || !strings.Contains(string(drawn), "WebSocket message") {
		t.Errorf("the plot does not show it: %v\n%s", err, drawn)
	}
}

// burnVariable has the test's binary use this much processor time, and tell how much
// it was; "tree" has a child of it do so.
const burnVariable = "BENCH_BURN"

// burnt is a third of a second: 33 ticks, so that one more or less is seen as such.
const burnt = "333ms"

func burn(much string) {
	if much == "tree" {
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), burnVariable+"="+burnt)
		cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
		_ = cmd.Run()
		return
	}
	length, _ := time.ParseDuration(much)
	for {
		var usage syscall.Rusage
		_ = syscall.Getrusage(syscall.RUSAGE_SELF, &usage)
		if used := time.Duration(usage.Utime.Nano() + usage.Stime.Nano()); used >= length {
			fmt.Println(used)
			break
		}
	}
	_, _ = os.Stdin.Read(make([]byte, 1)) // until it has been looked at
}

func TestProcessorTimeIsThatOfTheWholeTree(t *testing.T) {
	if runtime.GOOS != "linux" {
		missing(t, "there is no /proc of Linux's")
	}
	for _, how := range []string{burnt, "tree"} {
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), burnVariable+"="+how)
		in, err := cmd.StdinPipe()
		if err != nil {
			t.Fatal(err)
		}
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		var told string
		if _, err := fmt.Fscanln(out, &told); err != nil {
			t.Fatal(err)
		}
		got, err := processorTime(cmd.Process.Pid)
		_ = in.Close()
		_ = cmd.Wait()
		if err != nil {
			t.Fatal(err)
		}
		want, err := time.ParseDuration(told)
		if err != nil {
			t.Fatal(err)
		}
		// What the parent used itself comes on top, and each time is rounded to a tick.
		if got < want-50*time.Millisecond || got > want+400*time.Millisecond {
			t.Errorf("%s: the kernel accounts %s, the process itself %s", how, got, want)
		}
	}
}

func TestStrangersAreNoticed(t *testing.T) {
	stat := func(name string, parent int, times string) *fstest.MapFile {
		return &fstest.MapFile{Data: fmt.Appendf(nil, "7 (%s) S %d 7 7 0 -1 4194560 100 0 0 0 %s 20 0 1 0 55 9 9", name, parent, times)}
	}
	proc := fstest.MapFS{
		"stat":      &fstest.MapFile{Data: []byte("cpu  999999 0 0 0 0 0 0 0 0 0\n")},
		"1/stat":    stat("init", 0, "10 20 30 40"),
		"2/stat":    stat("kthreadd", 0, "1000 0 0 0"),
		"22/stat":   stat("ksoftirqd/1", 2, "0 1000 0 0"),
		"300/stat":  stat("a stranger) 2 (", 1, "400 100 0 0"),
		"400/stat":  stat("bench", 1, "1000 1000 1000 1000"),
		"401/stat":  stat("nginx", 400, "1000 1000 1000 1000"),
		"self/stat": stat("bench", 1, "1000 1000 1000 1000"),
	}
	used, err := othersTime(proc, []int{400, 401})
	if err != nil || used != 6*time.Second {
		t.Errorf("got %s, %v, want 6s: of init and the stranger", used, err)
	}
	before := usage{time.Unix(100, 0), 50 * time.Second}
	if got := before.remark(usage{time.Unix(110, 0), 53 * time.Second}); !strings.Contains(got, "30 % of a core") {
		t.Errorf("got %q", got)
	}
	if got := before.remark(usage{time.Unix(110, 0), 50400 * time.Millisecond}); got != "" {
		t.Errorf("4 %% of a core: got %q, want no remark", got)
	}
}

// proc_pid_stat(5): utime is field 14, stime 15, cutime 16, cstime 17, and a name may
// have brackets and blanks.
func TestTimesAreReadBehindAnyName(t *testing.T) {
	for text, want := range map[string]time.Duration{
		"7 (nginx) S 1 7 7 0 -1 4194560 100 0 0 0 120 30 4 1 20 0 1 0 55 9 9": 1550 * time.Millisecond,
		"7 (a) b (c) R 1 7 7 0 -1 4194560 100 0 0 0 1 2 3 4 20 0 1 0 55 9 9":  100 * time.Millisecond,
	} {
		if got, err := statTime([]byte(text)); err != nil || got != want {
			t.Errorf("%s: got %s, %v, want %s", text, got, err, want)
		}
	}
	for _, text := range []string{"", "7 (nginx) S 1 7 7", "7 (nginx) S 1 7 7 0 -1 4194560 100 0 0 0 x 30 4 1"} {
		if got, err := statTime([]byte(text)); err == nil {
			t.Errorf("%q: got %s and no error", text, got)
		}
	}
}
