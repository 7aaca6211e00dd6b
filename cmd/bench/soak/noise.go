package soak

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"math/rand/v2"
)

// noise are bytes in which no part looks like another; both ends make the same ones from
// a seed, so that what is missing, twice or moved shows.
type noise struct {
	random *rand.PCG
	left   int
	word   uint64
	spare  int // bytes of word not yet given
}

func newNoise(seed uint64, size int) *noise {
	return &noise{random: rand.NewPCG(seed, 0x50a6), left: size}
}

func (n *noise) Read(to []byte) (int, error) {
	if n.left == 0 {
		return 0, io.EOF
	}
	to = to[:min(len(to), n.left)]
	for i := range to {
		if n.spare == 0 {
			n.word, n.spare = n.random.Uint64(), 8
		}
		to[i] = byte(n.word)
		n.word >>= 8
		n.spare--
	}
	n.left -= len(to)
	return len(to), nil
}

// compare reads until the end and says how that differs from noise. An end that came
// too early, and as an end, is told apart: it may be somebody's doing, but it looks whole.
func compare(from io.Reader, seed uint64, size int) (wrong string, clean bool, err error) {
	want := newNoise(seed, size)
	got, due := make([]byte, 32<<10), make([]byte, 32<<10)
	count := 0
	for {
		n, err := from.Read(got)
		if n > want.left {
			return fmt.Sprintf("got %d bytes and more, want %d", count+n, size), false, nil
		}
		if n > 0 {
			_, _ = io.ReadFull(want, due[:n])
			if !bytes.Equal(got[:n], due[:n]) {
				return fmt.Sprintf("got other bytes between %d and %d of %d", count, count+n, size), false, nil
			}
		}
		count += n
		switch {
		case err == io.EOF && want.left > 0:
			return fmt.Sprintf("got %d of %d bytes and a clean end", count, size), true, nil
		case err == io.EOF:
			return "", false, nil
		case err != nil:
			return "", false, fmt.Errorf("after %d of %d bytes: %w", count, size, err)
		}
	}
}

// sumOf is what the application answers to an upload, and what is due.
func sumOf(from io.Reader) (length int64, sum string, err error) {
	hash := sha256.New()
	length, err = io.Copy(hash, from)
	return length, hex.EncodeToString(hash.Sum(nil)), err
}
