package main

import (
	"os"
	"slices"
	"strings"
	"testing"
	"time"
)

// What is measured must be what the image has.
func TestTheDockerfileBuildsAsIsMeasured(t *testing.T) {
	text, err := os.ReadFile("../../Dockerfile")
	if err != nil {
		t.Fatal(err)
	}
	file := strings.Join(strings.Fields(strings.ReplaceAll(string(text), `"`, "")), " ")
	for _, flag := range append(imageFlags(), "CGO_ENABLED=0", "./cmd/mtls-sidecar") {
		if !strings.Contains(file, flag) {
			t.Errorf("the Dockerfile does not say %s", flag)
		}
	}
	for _, architecture := range architectures() {
		if !strings.Contains(file, "linux/"+architecture) {
			t.Errorf("the Dockerfile's comment does not build for %s", architecture)
		}
	}
}

// The line is of the form that package runtime documents for GODEBUG=inittrace=1, with
// what it may stand among.
func TestTheTraceOfAStartIsRead(t *testing.T) {
	got := parseInits([]byte(`init internal/bytealg @0.008 ms, 0 ms clock, 0 bytes, 0 allocs
mtls-sidecar: init is a word like any other
init github.com/x/y @5.1 ms, 0.057 ms clock, 1024 bytes, 12 allocs
init broken @5.1 ms, fast ms clock, 1024 bytes, 12 allocs

init z @6 ms, 1.5 ms clock, 7 bytes, 1 allocs`))
	want := []initialization{{"internal/bytealg", 0, 0, 0}, {"github.com/x/y", 0.057, 1024, 12}, {"z", 1.5, 7, 1}}
	if !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

// proc_pid_status(5).
func TestMemoryIsReadInTheUnitsOfTheKernel(t *testing.T) {
	const status = "Name:\tmtls-sidecar\nVmHWM:\t   12344 kB\nVmRSS:\t   12340 kB\nRssAnon:\t    2048 kB\nThreads:\t7\nVmRSSx:\t1 kB\nVmBad:\tmany kB\n"
	for name, want := range map[string]int64{"VmRSS": 12340 << 10, "RssAnon": 2 << 20, "Threads": 7, "VmHWM": 12344 << 10, "VmSwap": 0, "VmBad": 0} {
		if got := statusValue([]byte(status), name); got != want {
			t.Errorf("%s: got %d, want %d", name, got, want)
		}
	}
}

func TestATableIsWrittenInColumnsAndInMarkdown(t *testing.T) {
	one := &table{heading: "Cost", columns: []string{"what", "µs"}, note: "Roughly."}
	one.add("a request", "23")
	one.add("≤", "1")
	for markdown, want := range map[bool]string{
		false: "Cost\n\nwhat       µs\na request  23\n≤          1\n\nRoughly.\n\n",
		true:  "### Cost\n\n| what      | µs |\n|-----------|----|\n| a request | 23 |\n| ≤         | 1  |\n\nRoughly.\n\n",
	} {
		var got strings.Builder
		if err := one.write(&got, markdown); err != nil {
			t.Fatal(err)
		}
		if got.String() != want {
			t.Errorf("markdown %t: got\n%swant\n%s", markdown, got.String(), want)
		}
	}
}

func TestTheMedianIsTheMiddle(t *testing.T) {
	for want, all := range map[time.Duration][]time.Duration{3: {9, 3, 1}, 4: {8, 1, 3, 5}, 7: {7}} {
		if got := median(all); got != want {
			t.Errorf("%v: got %d, want %d", all, got, want)
		}
	}
}

func TestOnlyFlagsThatMakeSenseAreTaken(t *testing.T) {
	for _, args := range [][]string{{"-rounds", "0"}, {"-d", "0s"}, {"-work", "small,nonsense"}, {"-peers", "nobody"}, {"nonsense"}, {"-rate", "-1"},
		{"footprint", "-rounds", "0"}, {"footprint", "footprint"}} {
		var out strings.Builder
		if err := run(t.Context(), args, &out); err == nil || out.Len() > 0 {
			t.Errorf("%q: got no error, and %q", args, out.String())
		}
	}
}
