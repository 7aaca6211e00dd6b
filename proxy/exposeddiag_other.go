//go:build !linux

package proxy

import (
	"errors"
	"net/netip"
)

// askKernel is Linux's.
func askKernel(uint16) ([]netip.AddrPort, error) { return nil, errors.ErrUnsupported }
