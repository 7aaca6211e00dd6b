package main_test

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// record is what one peer told the application about every client, as it is kept in testdata/dialects:
//
//	= name of the row
//	Header: value
//
// A value is quoted as in Go when it is not visible ASCII or has a space at an end, and "= Other" when it is that of an
// earlier header of the row.
type record struct {
	peer  string    // with its version, as far as it matters for what is told
	asked time.Time // when; what is told of remaining days depends on it
	rows  map[string]words
}

func dialectData(name string) string { return filepath.Join("..", "..", "testdata", "dialects", name) }

func writeRecord(t *testing.T, file string, r record) {
	t.Helper()
	var b strings.Builder
	b.WriteString("# What the application is told about each client, to the byte. Made by: go test ./cmd/mtls-sidecar -run Dialect -update\n")
	fmt.Fprintf(&b, "# asked: %s\n# asked at: %s\n", r.peer, r.asked.UTC().Format(time.RFC3339))
	for _, name := range slices.Sorted(maps.Keys(r.rows)) {
		b.WriteString("\n= " + name + "\n")
		seen := map[string]string{} // value → header
		for _, header := range slices.Sorted(maps.Keys(r.rows[name])) {
			value := r.rows[name][header]
			if other, ok := seen[value]; ok && len(value) > 40 {
				fmt.Fprintf(&b, "%s: = %s\n", header, other)
				continue
			}
			seen[value] = header
			fmt.Fprintf(&b, "%s: %s\n", header, quoted(value))
		}
	}
	if err := os.WriteFile(dialectData(file), []byte(b.String()), 0o644); err != nil {
		t.Fatal(err)
	}
}

// quoted leaves a value as it is unless a reader could mistake it.
func quoted(value string) string {
	if value == "" || value != strings.TrimSpace(value) || value[0] == '"' || strings.HasPrefix(value, "= ") ||
		strings.ContainsFunc(value, func(r rune) bool { return r < 0x20 || r > 0x7e }) {
		return strconv.QuoteToASCII(value)
	}
	return value
}

// readRecord reads what writeRecord wrote; one that is not there yet is empty.
func readRecord(t *testing.T, file string) record {
	t.Helper()
	data, err := os.ReadFile(dialectData(file))
	if err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	r := record{rows: map[string]words{}}
	var row words
	for line := range strings.Lines(string(data)) {
		line = strings.TrimSuffix(line, "\n")
		if rest, ok := strings.CutPrefix(line, "# asked: "); ok {
			r.peer = rest
		}
		if rest, ok := strings.CutPrefix(line, "# asked at: "); ok {
			if r.asked, err = time.Parse(time.RFC3339, rest); err != nil {
				t.Fatalf("%s: %v", file, err)
			}
		}
		if name, ok := strings.CutPrefix(line, "= "); ok {
			row = words{}
			r.rows[name] = row
			continue
		}
		header, value, found := strings.Cut(line, ": ")
		if !found || line[0] == '#' {
			continue
		}
		if other, ok := strings.CutPrefix(value, "= "); ok {
			value = row[other]
		} else if value[0] == '"' {
			if value, err = strconv.Unquote(value); err != nil {
				t.Fatalf("%s: %q: %v", file, line, err)
			}
		}
		row[header] = value
	}
	return r
}

// remaining are the headers whose value depends on the day.
var remaining = []string{"X-V-ssl_client_v_remain", "SSL_CLIENT_V_REMAIN"}

// peerRecord returns what a peer says: live where it is the one that was asked before, and always where all must run;
// it must then say what is stored. Otherwise what is stored.
func peerRecord(t *testing.T, file, version string, ask func() map[string]words) record {
	t.Helper()
	stored := readRecord(t, file)
	if !*update && !required() && (version == "" || version != stored.peer) {
		return stored
	}
	r := record{version, time.Now(), ask()}
	if *update {
		writeRecord(t, file, r)
		return r
	}
	for _, name := range slices.Sorted(maps.Keys(r.rows)) {
		if stored.rows[name] == nil {
			t.Errorf("%s: %s is not stored (ask again with -update)", file, name)
			continue
		}
		for _, header := range bothHeaders(r.rows[name], stored.rows[name]) {
			got, want := r.rows[name].value(header), stored.rows[name].value(header)
			if got != want && !slices.Contains(remaining, header) {
				t.Errorf("%s: %s: %s: %s says %q, the record %q (ask again with -update)", file, name, header, version, got, want)
			}
		}
	}
	for name := range stored.rows {
		if r.rows[name] == nil {
			t.Errorf("%s: %s is stored, but no longer asked (ask again with -update)", file, name)
		}
	}
	return r
}

// bothHeaders lists the headers of either, sorted.
func bothHeaders(a, b words) []string {
	all := maps.Clone(a)
	maps.Copy(all, b)
	return slices.Sorted(maps.Keys(all))
}
