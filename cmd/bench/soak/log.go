package soak

import (
	"bytes"
	"encoding/json"
	"slices"
)

// logged is what the sidecar has said, by level and message.
type logged map[string]int

// explained are the errors that the day itself makes, by damaging files.
var explained = []string{"reload failed, what was in force stays", "some files could not be reloaded, the others are in force"}

// judgeLog looks at every line: each must be one of the sidecar's own, and no error without a reason.
func (d *day) judgeLog(text []byte) logged {
	all := logged{}
	for line := range bytes.Lines(text) {
		var one struct {
			Level, Msg string
			Stack      string
		}
		line = bytes.TrimSpace(line)
		switch err := json.Unmarshal(line, &one); {
		case err != nil:
			d.faults.add(unexplained, nil, "a line that is none of the log's: %q", line)
		case one.Stack != "":
			d.faults.add(unexplained, nil, "a fault of the program: %s", line)
		case one.Level != "debug" && one.Level != "info" && one.Level != "warn" && !(d.rotator.damaged > 0 && slices.Contains(explained, one.Msg)):
			d.faults.add(unexplained, nil, "%s", line)
		}
		all[one.Level+": "+one.Msg]++
	}
	return all
}
