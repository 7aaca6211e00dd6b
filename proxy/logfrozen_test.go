package proxy

import (
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
)

// frozen is a core that has lines say at once what they say. An observer asks when
// a test does, and by then a request's record is about another request.
type frozen struct{ zapcore.Core }

func (f frozen) Check(entry zapcore.Entry, checked *zapcore.CheckedEntry) *zapcore.CheckedEntry {
	if f.Enabled(entry.Level) {
		return checked.AddCore(entry, f)
	}
	return checked
}

func (f frozen) Write(entry zapcore.Entry, fields []zap.Field) error {
	var said []zap.Field
	for _, field := range fields {
		if field.Type != zapcore.InlineMarshalerType {
			said = append(said, field)
			continue
		}
		record := zapcore.NewMapObjectEncoder()
		field.AddTo(record)
		for key, value := range record.Fields {
			said = append(said, zap.Any(key, value))
		}
	}
	return f.Core.Write(entry, said)
}
