package admin

import (
	"net/http"
	"strings"
	"testing"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
)

func TestTheLogLevelIsToldAndChanged(t *testing.T) {
	t.Parallel()
	level := zap.NewAtomicLevelAt(zap.WarnLevel)
	log, seen := observed(level)
	s := start(t, Options{Log: log, Level: level})
	s.get(t, "/log-level").expect(t, 200, `{"level":"warn"}`+"\n")
	for _, step := range []struct {
		query, body string
		want        zapcore.Level
		logged      zapcore.Level // the level at which the change is seen
	}{
		{"", `{"level":"debug"}`, zap.DebugLevel, zap.InfoLevel},
		{"?level=error", "", zap.ErrorLevel, zap.InfoLevel},
		{"?level=warn", "", zap.WarnLevel, zap.WarnLevel},
		{"?level=error", "", zap.ErrorLevel, zap.WarnLevel},
		{"?level=info", "  \n", zap.InfoLevel, zap.InfoLevel},
	} {
		old := level.String()
		s.request(t, http.MethodPut, "/log-level"+step.query, step.body).expect(t, 200, `{"level":"`+step.want.String()+`"}`)
		entries := seen.TakeAll()
		if level.Level() != step.want || len(entries) != 1 || entries[0].Level != step.logged {
			t.Errorf("%s%s: level %v, logged %v; want %v and one line at %v", step.query, step.body, level.Level(), entries, step.want, step.logged)
			continue
		}
		fields := entries[0].ContextMap()
		if client, _ := fields["client.address"].(string); !strings.HasPrefix(client, "127.0.0.1:") || fields["from"] != old || fields["to"] != step.want.String() {
			t.Errorf("logged %v, want who changed it from %s to %s", fields, old, step.want)
		}
	}
	s.request(t, http.MethodPut, "/log-level?level=info", "").expect(t, 200, `"info"`)
	if seen.Len() != 0 {
		t.Errorf("logged %v, and nothing was changed", seen.All())
	}
}

func TestALogLevelThatIsNoneChangesNothing(t *testing.T) {
	t.Parallel()
	level := zap.NewAtomicLevelAt(zap.WarnLevel)
	s := start(t, Options{Level: level})
	for _, c := range [][2]string{
		{"", ""}, {"?level=", ""}, {"?level=loud", ""}, {"?level=fatal", ""}, {"?level=DEBUG", ""}, {"?level=debug&level=info", ""},
		{"", `{"level":"panic"}`}, {"", `{"level":5}`}, {"", `"debug"`}, {"", `{"level":"debug"}{}`}, {"", `{"level":"debug","x":1}`}, {"", "level=debug"},
		{"?level=debug", `{"level":"debug"}`}, {"", `{"level":"debug"` + strings.Repeat(" ", 1<<10) + `}`},
	} {
		s.request(t, http.MethodPut, "/log-level"+c[0], c[1]).expect(t, http.StatusBadRequest, "say which level: debug, info, warn or error")
	}
	if level.Level() != zap.WarnLevel {
		t.Errorf("the level is %v", level)
	}
}
