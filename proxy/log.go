package proxy

import (
	"io"
	"os"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
)

// Log rules. One JSON object a line on standard error (or the console's form, for
// readers), in which nothing taken from outside can break a line or steer a terminal.
// Each name of a field means one thing everywhere: logfields.go and the README's
// table have them all, OpenTelemetry's where it has one.
//
// A request has one line at most. One that was refused has it whatever
// MTLS_ACCESS_LOG says (refusals.go), with who asked, why not and what to do; of many for
// one reason some are left out and counted, unless every request is logged. Others
// have theirs as MTLS_ACCESS_LOG says (accesslog.go).
//
// Info is for what an operator asks about (who was refused and why, start, stop),
// warn for what he should mend, debug for what happens all day (probes, clients that
// go away). Never a header's value but those that the README lists, never a query, a
// body or a key. A name that a client has not proved to be its own is not told as its name.

// Logging is a logger, and what can be done with it while it is in use.
type Logging struct {
	Logger *zap.Logger
	Level  zap.AtomicLevel // can be changed at any time
	queue  *logQueue
}

// NewLogger makes the logger that a configuration asks for. It never waits for
// whoever reads standard error: see Dropped.
func NewLogger(config *Config) *Logging { return newLogging(config, os.Stderr) }

func newLogging(config *Config, out io.Writer) *Logging {
	form := zap.NewProductionEncoderConfig()
	form.TimeKey = "time"
	form.EncodeTime = func(t time.Time, enc zapcore.PrimitiveArrayEncoder) {
		zapcore.RFC3339NanoTimeEncoder(t.UTC(), enc)
	}
	encoder := zapcore.NewJSONEncoder(form)
	if config.LogFormat == "console" {
		encoder = zapcore.NewConsoleEncoder(form)
	}
	l := &Logging{Level: zap.NewAtomicLevelAt(config.LogLevel.Level)}
	l.queue = newLogQueue(out, func(lost uint64) []byte { return linesLost(encoder, lost) })
	l.Logger = zap.New(zapcore.NewCore(encoder, l.queue, l.Level), zap.ErrorOutput(l.queue))
	return l
}

// linesLost is the line in place of those that had no room.
func linesLost(encoder zapcore.Encoder, lost uint64) []byte {
	line, err := encoder.EncodeEntry(zapcore.Entry{Level: zapcore.WarnLevel, Time: time.Now(),
		Message: "log lines were lost: standard error was not read in time"}, []zap.Field{zap.Uint64("lines_lost", lost)})
	if err != nil {
		return nil // a text and a number: cannot fail
	}
	defer line.Free()
	return append([]byte(nil), line.Bytes()...)
}

// Close has what was logged written out, and waits for that a while: whoever reads
// standard error may be gone. What is logged later is written as it was.
func (l *Logging) Close() { l.queue.flush(lastLines) }

// Dropped is how many lines have been lost since the start, because those before
// them were not read in time. They are told of in the log as soon as there is room.
func (l *Logging) Dropped() uint64 { return l.queue.dropped.Load() }
