//go:build !linux

package upstream

// AckAtOnce leaves other systems' ways as they are.
func (c *Conn) AckAtOnce() {}
