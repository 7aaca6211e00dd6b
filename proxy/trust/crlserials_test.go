package trust

import (
	"bytes"
	"encoding/asn1"
	"math/big"
	"math/rand/v2"
	"testing"
)

// hardNumbers are those around which the length or the sign changes, and others.
func hardNumbers() []*big.Int {
	var list []*big.Int
	for n := int64(-70000); n <= 70000; n += 7 {
		list = append(list, big.NewInt(n))
	}
	for bits := uint(0); bits < 530; bits++ {
		for near := int64(-2); near <= 2; near++ {
			n := new(big.Int).Add(new(big.Int).Lsh(big.NewInt(1), bits), big.NewInt(near))
			list = append(list, n, new(big.Int).Neg(n))
		}
	}
	return list
}

// encoding/asn1 is the authority.
func TestANumberHasTheContentsOfItsDER(t *testing.T) {
	var buffer [maxIntegerBytes + 1]byte
	for _, n := range hardNumbers() {
		der, err := asn1.Marshal(n)
		must(t, der, err)
		e, _, _ := nextElement(der)
		got, ok := integerContents(buffer[:], n)
		if fits := len(e.body) <= maxIntegerBytes; ok != fits {
			t.Errorf("%v of %d bytes fits: %v", n, len(e.body), ok)
		} else if ok && !bytes.Equal(got, e.body) {
			t.Errorf("%v is %x, want %x", n, got, e.body)
		}
		if !goodInteger(e.body) {
			t.Errorf("%x is not taken for an INTEGER", e.body)
		}
	}
}

func TestIntegersWithAShorterFormAreNotGood(t *testing.T) {
	for i := range 1 << 16 {
		for _, body := range [][]byte{{byte(i)}, {byte(i >> 8), byte(i)}, {byte(i >> 8), byte(i), 1}} {
			var n *big.Int
			_, err := asn1.Unmarshal(asDER(tagInteger, body), &n)
			if got := goodInteger(body); got != (err == nil) {
				t.Fatalf("%x is good: %v, encoding/asn1: %v", body, got, err)
			}
		}
	}
	if goodInteger(nil) {
		t.Errorf("nothing is taken for an INTEGER")
	}
}

func TestASetHasWhatWasPutInAndNothingElse(t *testing.T) {
	random := rand.New(rand.NewPCG(4, 2))
	var buffer [maxIntegerBytes + 1]byte
	for _, size := range []int{0, 1, 2, 3, 17, 5000} {
		all := hardNumbers()
		random.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
		in := map[string]bool{}
		var bodies [][]byte
		var counts [maxIntegerBytes + 1]int
		for _, n := range all {
			contents, ok := integerContents(buffer[:], n)
			if !ok || len(bodies) == size {
				continue
			}
			bodies = append(bodies, bytes.Clone(contents))
			counts[len(contents)]++
			in[n.String()] = true
		}
		set := newSerialSet(&counts)
		for _, body := range bodies {
			set.add(body)
		}
		set.sort()
		for _, n := range all {
			contents, ok := integerContents(buffer[:], n)
			if got := ok && set.has(contents); got != in[n.String()] {
				t.Errorf("of %d: %v is in: %v, want %v", size, n, got, !got)
			}
		}
		if set.size != size || set.has(nil) || set.has(make([]byte, maxIntegerBytes+1)) {
			t.Errorf("of %d: size %d, or it has what is no number", size, set.size)
		}
	}
	var zero serialSet
	if zero.has([]byte{1}) {
		t.Errorf("the zero set has 1")
	}
}
