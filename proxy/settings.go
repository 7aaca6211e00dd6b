package proxy

import (
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
)

// Setting is one variable as it is in force. No value is a secret: those are in
// files. What stands for user and password in a URL is left out.
type Setting struct {
	Variable string
	Value    string // as it was written
	Source   string // SourceEnv or SourceDefault
	Default  string // empty: not set
}

// Sources of a setting.
const (
	SourceEnv     = "env"
	SourceDefault = "default"
)

// Settings lists every variable in the order of Config.
func (c *Config) Settings() []Setting {
	var list []Setting
	for _, v := range Variables() {
		one := Setting{v.Name, v.Default, SourceDefault, v.Default}
		if value, set := c.set[v.Name]; set {
			one.Value, one.Source = redactURLs(value), SourceEnv
		}
		list = append(list, one)
	}
	return list
}

// LogSettings writes the configuration in force into one line: what differs from the
// defaults, and the rest.
func (c *Config) LogSettings(log *zap.Logger) {
	var chosen, defaults settingList
	for _, one := range c.Settings() {
		if one.Value == one.Default {
			defaults = append(defaults, one)
		} else {
			chosen = append(chosen, one)
		}
	}
	log.Info("configuration", zap.Object("settings", chosen), zap.Object("defaults", defaults))
}

// settingList is an object of variables in the log.
type settingList []Setting

// MarshalLogObject writes each variable with its value.
func (s settingList) MarshalLogObject(enc zapcore.ObjectEncoder) error {
	for _, one := range s {
		enc.AddString(one.Variable, one.Value)
	}
	return nil
}
