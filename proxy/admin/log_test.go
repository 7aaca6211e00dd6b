package admin

import (
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"
)

// observed is a log to be looked at.
func observed(level zapcore.LevelEnabler) (*zap.Logger, *observer.ObservedLogs) {
	core, seen := observer.New(level)
	return zap.New(core), seen
}
