package headers

import (
	"crypto/x509"
	"testing"
	"time"
)

func TestTimesAreWrittenAsASN1TimePrintWritesThem(t *testing.T) {
	cases := []struct{ der, want string }{
		{utcTime("261121060412Z"), "Nov 21 06:04:12 2026 GMT"},
		{utcTime("150203005552Z"), "Feb  3 00:55:52 2015 GMT"},
		{utcTime("000101000000Z"), "Jan  1 00:00:00 2000 GMT"},
		{utcTime("491231235959Z"), "Dec 31 23:59:59 2049 GMT"},
		{utcTime("500101000000Z"), "Jan  1 00:00:00 1950 GMT"},
		{utcTime("240229120000Z"), "Feb 29 12:00:00 2024 GMT"},
		{generalizedTime("20500609010203Z"), "Jun  9 01:02:03 2050 GMT"},
		{generalizedTime("99991231235959Z"), "Dec 31 23:59:59 9999 GMT"},
		{generalizedTime("09990510000000Z"), "May 10 00:00:00 999 GMT"},
		// Printed by OpenSSL 3.0.19:
		{utcTime("2602030055Z"), "Feb  3 00:55:00 2026 GMT"},
		{utcTime("260203005552+0130"), "Feb  2 23:25:52 2026 GMT"},
		{utcTime("260203005552-1259"), "Feb  3 13:54:52 2026 GMT"},
		{utcTime("500101000000+0100"), "Dec 31 23:00:00 1949 GMT"},
		{utcTime("260203005552+1300"), "Bad time value"},
		{utcTime("260203005552-1300"), "Bad time value"},
		{generalizedTime("00010101000000+0100"), "Bad time value"},
		{generalizedTime("99991231235959-0100"), "Bad time value"},
	}
	for _, c := range cases {
		leaf := crafted{notBefore: c.der, notAfter: c.der}.parse(t)
		for _, variable := range []string{"ssl_client_v_start", "ssl_client_v_end"} {
			if got := valueOf(t, variable, client(leaf)); got != c.want {
				t.Errorf("%s of %q: got %q, want %q", variable, c.der, got, c.want)
			}
		}
	}
	leaf := crafted{notBefore: utcTime("200102030405Z"), notAfter: utcTime("300203040506Z")}.parse(t)
	if got := valueOf(t, "ssl_client_v_start", client(leaf)); got != "Jan  2 03:04:05 2020 GMT" {
		t.Errorf("start: got %q", got)
	}
	if got := valueOf(t, "ssl_client_v_end", client(leaf)); got != "Feb  3 04:05:06 2030 GMT" {
		t.Errorf("end: got %q", got)
	}
}

// ends is a certificate that ends then.
func ends(at time.Time) *x509.Certificate { return &x509.Certificate{NotAfter: at} }

// nginx: 0 when end < now + 86400, else (end - now) / 86400, in whole seconds.
func TestRemainingDaysAreCountedAsNginxCountsThem(t *testing.T) {
	now := time.Unix(1_790_000_000, 0)
	cases := []struct {
		seconds int64
		want    string
	}{
		{-100 * 86400, "0"}, {-86400, "0"}, {-1, "0"}, {0, "0"}, {1, "0"}, {86399, "0"},
		{86400, "1"}, {86401, "1"}, {2*86400 - 1, "1"}, {2 * 86400, "2"}, {365 * 86400, "365"}, {3650*86400 + 86399, "3650"},
	}
	for _, c := range cases {
		f := client(ends(now.Add(time.Duration(c.seconds) * time.Second)))
		for _, part := range []time.Duration{0, 1, 999_999_999} { // nginx's clock has whole seconds
			f.Now = now.Add(part)
			if got := valueOf(t, "ssl_client_v_remain", f); got != c.want {
				t.Errorf("%d s and %d ns before the end: got %q, want %q", c.seconds, -part, got, c.want)
			}
		}
	}
}

func TestRemainingDaysAreEmptyWhereNginxDoesNotReadTheTime(t *testing.T) {
	now := time.Date(900, 1, 1, 0, 0, 0, 0, time.UTC)
	for at, want := range map[time.Time]string{
		time.Date(999, 12, 31, 23, 59, 59, 0, time.UTC): "",      // three digits
		time.Date(1000, 1, 1, 0, 0, 0, 0, time.UTC):     "36524", // 100 years with 24 leap days
		time.Unix(-1, 0): "", // NGX_ERROR
		time.Date(2026, 2, 3, 0, 0, 0, 0, time.FixedZone("", 13*3600)): "", // Bad time value
		time.Unix(-1-86400, 0): "390807",
	} {
		f := client(ends(at))
		f.Now = now
		if got := valueOf(t, "ssl_client_v_remain", f); got != want {
			t.Errorf("%v: got %q, want %q", at.UTC(), got, want)
		}
		if want == "" && !remainChanges(f.leaf(), now).IsZero() {
			t.Errorf("%v: an empty value changes", at.UTC())
		}
	}
}

func TestRemainingDaysChangeWhenToldAndNotBefore(t *testing.T) {
	end := time.Unix(1_790_000_000, 0)
	leaf := ends(end)
	for _, before := range []int64{86400, 86401, 2*86400 - 1, 2 * 86400, 2*86400 + 1, 5*86400 + 12345, 9000 * 86400} {
		now := end.Add(-time.Duration(before)*time.Second + 300*time.Millisecond)
		value := func(at time.Time) string {
			f := client(leaf)
			f.Now = at
			return valueOf(t, "ssl_client_v_remain", f)
		}
		changes := remainChanges(leaf, now)
		if !changes.After(now) {
			t.Errorf("%d s before the end: changes at %v, which is not after %v", before, changes, now)
		}
		if got := value(changes.Add(-1)); got != value(now) {
			t.Errorf("%d s before the end: %q becomes %q before it is told to", before, value(now), got)
		}
		if got := value(changes); got == value(now) {
			t.Errorf("%d s before the end: %q does not change when it is told to", before, got)
		}
	}
	for _, before := range []int64{86399, 1, 0, -1, -86400 * 3} {
		if got := remainChanges(leaf, end.Add(-time.Duration(before)*time.Second)); !got.IsZero() {
			t.Errorf("%d s before the end: 0 changes at %v", before, got)
		}
	}
}
