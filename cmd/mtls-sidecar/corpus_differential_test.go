package main_test

import (
	"net"
	"os"
	"strings"
	"testing"
)

// TestHostileCorpusDiffersFromPeersAsListed sends the corpus through the
// program, nginx and HAProxy, and holds every difference in what reaches the
// application against the table with the reasons.
func TestHostileCorpusDiffersFromPeersAsListed(t *testing.T) {
	need(t, "nginx")
	need(t, "haproxy")
	probe, err := net.Listen("tcp", corpusAddress(1)+":0")
	if err != nil {
		missing(t, "127.0.0.0/8 is not ours: %v", err)
	}
	probe.Close()
	versions := peerVersions(t)
	asked, listed := readDifferences(t)
	if asked != versions && !required() && !*update {
		t.Skipf("the table is about %s, here are %s", asked, versions)
	}

	cases := readCorpusRequests(t)
	dir := newMint(t).files()
	us, nginxs, haproxys := startAddressBook(t), startAddressBook(t), startAddressBook(t)
	sendCorpus(t, cases, startSidecar(t, oracleSettings(dir, us.addr, verifySettings()[1])).addr, false)
	sendCorpus(t, cases, startCorpusNginx(t, dir, nginxs.addr), true)
	sendCorpus(t, cases, startCorpusHAProxy(t, dir, haproxys.addr), false)
	if len(us.nobody) > 0 {
		t.Errorf("requests without our verdict: %q", us.nobody)
	}

	var found []corpusDifference
	for i, c := range cases {
		from := corpusAddress(i)
		d := corpusDifference{c.name, us.counts[from], nginxs.counts[from], haproxys.counts[from], listed[c.name].why}
		if listed[c.name].varies {
			d.haproxy = varies
		}
		if d.ours != d.nginxs || d.ours != d.haproxy {
			found = append(found, d)
		}
	}
	if *update {
		writeDifferences(t, versions, found)
	}
	compareDifferences(t, found, listed)
}

func compareDifferences(t *testing.T, found []corpusDifference, listed map[string]listedDifference) {
	t.Helper()
	seen := map[string]bool{}
	for _, d := range found {
		seen[d.name] = true
		row, ok := listed[d.name]
		switch {
		case !ok || row.why == "":
			t.Errorf("not explained in testdata/corpus/differences.txt: %s", d)
		case row.line != d.String():
			t.Errorf("the table says\n%s\nbut now it is\n%s", row.line, d)
		}
	}
	for name, row := range listed {
		if !seen[name] {
			t.Errorf("no difference any more: %s", row.line)
		}
	}
}

// listedDifference is a row of the table.
type listedDifference struct {
	line, why string
	varies    bool // HAProxy does now this, now that
}

// readDifferences returns the versions that the table is about, and its rows.
func readDifferences(t *testing.T) (asked string, rows map[string]listedDifference) {
	t.Helper()
	text, err := os.ReadFile(corpusData("differences.txt"))
	if err != nil && !(*update && os.IsNotExist(err)) {
		t.Fatal(err)
	}
	rows = map[string]listedDifference{}
	for line := range strings.SplitSeq(string(text), "\n") {
		if rest, found := strings.CutPrefix(line, "# asked: "); found {
			asked = rest
		}
		cells := strings.SplitN(line, " | ", 5)
		if line == "" || line[0] == '#' || len(cells) != 5 {
			continue
		}
		if _, twice := rows[cells[0]]; twice {
			t.Errorf("twice in the table: %s", line)
		}
		rows[cells[0]] = listedDifference{line, cells[4], cells[3] == forwarded(varies)}
	}
	return asked, rows
}

func writeDifferences(t *testing.T, versions string, found []corpusDifference) {
	t.Helper()
	var b strings.Builder
	b.WriteString("# The requests of which nginx or HAProxy forward another number than we do, and why that is right.\n" +
		"# Made by: go test ./cmd/mtls-sidecar -run Corpus -update; the reasons are written by hand and kept.\n" +
		"# asked: " + versions + "\n" +
		"# case | we | nginx | HAProxy | reason\n")
	for _, d := range found {
		b.WriteString(d.String() + "\n")
	}
	if err := os.WriteFile(corpusData("differences.txt"), []byte(b.String()), 0o644); err != nil {
		t.Fatal(err)
	}
}
