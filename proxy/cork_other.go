//go:build !linux

package proxy

// cork leaves other systems' ways as they are.
func (w *wire) cork() {}

func (w *wire) uncork() {}
