package soak

import (
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

func TestAVolumeChangesItsFilesEitherWay(t *testing.T) {
	for name, swaps := range map[string]bool{"renamed": false, "swapped": true} {
		v, err := newVolume(filepath.Join(t.TempDir(), "volume"), swaps)
		if err != nil {
			t.Fatal(err)
		}
		for _, text := range []string{"first", "second", "third"} {
			if err := v.put(files{"a": []byte(text), "b": []byte(text + " too")}); err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			a, errA := os.ReadFile(v.at("a"))
			b, errB := os.ReadFile(v.at("b"))
			if string(a) != text || string(b) != text+" too" {
				t.Errorf("%s: got %q and %q (%v, %v), want %q", name, a, b, errA, errB, text)
			}
		}
		_, err = os.Lstat(v.at("..data"))
		if linked := err == nil; linked != swaps {
			t.Errorf("%s: that there is a link ..data is %t", name, linked)
		}
	}
}

// aRotator has its files written, and the status that a sidecar that goes by them would tell.
func aRotator(t *testing.T) (*rotator, *state, *status) {
	t.Helper()
	people, err := newPeople()
	if err != nil {
		t.Fatal(err)
	}
	first := &state{trusted: [caCount]bool{true, true, false}, revoked: map[*person]bool{people.suspended: true}}
	r := &rotator{day: &day{people: people, servers: &servers{}}, random: rand.New(rand.NewPCG(1, 1))}
	if _, err := r.prepare(t.TempDir(), first); err != nil {
		t.Fatal(err)
	}
	s := &status{}
	s.ServerCertificates = append(s.ServerCertificates, struct{ SHA256 string }{hashOf(r.servers.leaves[0])})
	for i := range 2 {
		s.ClientCAs = append(s.ClientCAs, struct{ SHA256 string }{hashOf(people.cas[i].Cert.Raw)})
	}
	for list := range listCount {
		s.RevocationLists = append(s.RevocationLists, struct{ Issuer, Number, State string }{
			"CN=" + r.authority(list).Cert.Subject.CommonName, strconv.FormatInt(r.numbers[list], 10), "current"})
	}
	return r, first, s
}

func TestAChangeIsInForceOnlyWhenAllOfItIs(t *testing.T) {
	for name, c := range map[string]struct {
		spoil func(*rotator, *status)
		want  string
	}{
		"all of it":               {func(*rotator, *status) {}, ""},
		"another server":          {func(_ *rotator, s *status) { s.ServerCertificates[0].SHA256 = "00" }, "the server has"},
		"a CA too many":           {func(_ *rotator, s *status) { s.ClientCAs = append(s.ClientCAs, s.ServerCertificates[0]) }, "trusted still"},
		"a CA too few":            {func(_ *rotator, s *status) { s.ClientCAs = s.ClientCAs[1:] }, "not trusted yet"},
		"the list before":         {func(r *rotator, _ *status) { r.numbers[steadyCA]++ }, "no list of CN=Soak Steady CA"},
		"a list that waits":       {func(_ *rotator, s *status) { s.RevocationLists[steadyCA].State = "waiting" }, "no list of CN=Soak Steady CA"},
		"an intermediate's waits": {func(_ *rotator, s *status) { s.RevocationLists[intermediateList].State = "waiting" }, ""},
	} {
		r, want, got := aRotator(t)
		c.spoil(r, got)
		err := r.differs(got, want)
		if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, want %q", name, err, c.want)
		}
	}
}

func TestTheApplicationIsAwayExactlyWhileItIs(t *testing.T) {
	a := newApplication(newFaults(), "")
	a.absent = []absence{{at(10), at(11)}, {at(30), time.Time{}}}
	for name, c := range map[string]struct {
		from, to float64
		want     bool
	}{
		"before": {8, 9.9, false}, "over its going": {9, 10.5, true}, "within": {10.2, 10.8, true}, "over its coming": {10.9, 12, true},
		"over all of it": {9, 12, true}, "between": {11.1, 29, false}, "gone for good": {40, 41, true},
	} {
		if got := a.wasAway(at(c.from), at(c.to)); got != c.want {
			t.Errorf("%s: got %t", name, got)
		}
	}
}

func TestRolesHaveNamesOfTheirOwn(t *testing.T) {
	seen := map[string]bool{}
	for _, one := range roles() {
		if seen[one.kind] || one.count < 1 || one.think < 10*time.Millisecond {
			t.Errorf("%s: twice, nobody, or without a pause", one.kind)
		}
		seen[one.kind] = true
	}
}
