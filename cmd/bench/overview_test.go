package main

import (
	"errors"
	"strings"
	"testing"
)

func TestTheOverviewHasARowForEachWork(t *testing.T) {
	failing := comparedFinding()
	failing.work.title = "Other"
	failing.outcomes[1].failed = errors.New("a wrong answer")
	failing.outcomes = append(failing.outcomes, &outcome{peer: peer{name: "Third"}})
	tables := overview([]*finding{comparedFinding(), failing})
	for i, want := range [][]string{
		{"|nginx|mtls-sidecar|Third", "Work & <more>|1.00|0.50|–", "Other|1.00|–|–"},
		{"|nginx|mtls-sidecar|Third", "Work & <more>|200|too slow|–", "Other|200|–|too slow"},
	} {
		got := []string{strings.Join(tables[i].columns, "|")}
		for _, row := range tables[i].rows {
			got = append(got, strings.Join(row, "|"))
		}
		if strings.Join(got, "\n") != strings.Join(want, "\n") {
			t.Errorf("%s: got\n%s\nwant\n%s", tables[i].heading, strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
	}
}
