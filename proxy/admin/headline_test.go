package admin

import (
	"fmt"
	"reflect"
	"testing"
	"time"
)

func TestTheHeadlineSaysWhatMatters(t *testing.T) {
	t.Parallel()
	certificate := func(from, until time.Duration) Certificate {
		return Certificate{Subject: "CN=here", NotBefore: noon.Add(from), NotAfter: noon.Add(until)}
	}
	fine := certificate(-10*day, 80*day)
	for name, c := range map[string]struct {
		status Status
		want   string
		mood   tone
	}{
		"Fine":              {Status{State: Serving, ServerCertificates: []Certificate{certificate(-10*day, 90*day), fine}}, "Serving. The certificate ends in 80 days.", good},
		"No certificate":    {Status{State: Serving}, "Serving.", good},
		"For ever":          {Status{State: Serving, ServerCertificates: []Certificate{{NotBefore: noon, NotAfter: time.Date(9999, 12, 31, 23, 59, 59, 0, time.UTC)}}}, "Serving. The certificate ends in 7973 years.", good},
		"Fifth of its life": {Status{State: Serving, ServerCertificates: []Certificate{certificate(-80*day, 20*day), fine}}, "Serving, but the server certificate ends in 20 days.", notice},
		"Just above":        {Status{State: Serving, ServerCertificates: []Certificate{certificate(-79*day, 21*day)}}, "Serving. The certificate ends in 21 days.", good},
		"Of a day":          {Status{State: Serving, ServerCertificates: []Certificate{certificate(-23*hour, hour)}}, "Serving, but the server certificate ends in 60 minutes.", bad},
		"Over":              {Status{State: Serving, ServerCertificates: []Certificate{certificate(-23*hour, -time.Second)}}, "Serving, but the server certificate ended 1 second ago.", bad},
		"Not begun":         {Status{State: Serving, ServerCertificates: []Certificate{certificate(hour, 80*day)}}, "Serving, but the server certificate is not valid yet.", bad},
		"CA":                {Status{State: Serving, ClientCAs: []Certificate{certificate(-80*day, -50*hour)}}, "Serving, but a CA of the clients ended 2 days ago.", notice},
		"Exposed":           {Status{State: Serving, Exposed: Exposure{Addresses: []string{"10.0.0.1:8080"}}}, "Serving, but the application can be reached past this sidecar.", bad},
		"Unknown exposure":  {Status{State: Serving, Exposed: Exposure{Fault: "no /proc"}}, "Serving, but whether the application can be reached past this sidecar is not known.", notice},
		"List over":         {Status{State: Serving, RevocationLists: []RevocationList{{State: ListEnded, NextUpdate: noon.Add(-3 * hour)}}}, "Serving, but a revocation list ended 3 hours ago.", bad},
		"List in grace":     {Status{State: Serving, RevocationLists: []RevocationList{{State: ListGrace, NextUpdate: noon.Add(-3 * hour)}}}, "Serving, but a revocation list ended 3 hours ago and counts by MTLS_CRL_GRACE only.", notice},
		"Trouble":           {Status{State: Serving, Troubles: []Trouble{{Name: "x"}}}, "Serving, but news cannot come into force.", notice},
		"Two":               {Status{State: Serving, Troubles: []Trouble{{}}, Exposed: Exposure{Addresses: []string{"x"}}}, "Serving, but 2 things want attention.", bad},
		"Not ready":         {Status{State: Serving, NotReady: []string{"the application is down"}, Troubles: []Trouble{{}}}, "Not ready: the application is down.", bad},
		"Starting":          {Status{State: Starting, NotReady: []string{"starting: no list yet"}}, "Starting: no list yet.", notice},
		"Nothing known":     {Status{}, "Starting.", notice},
		"Draining":          {Status{State: Draining, NotReady: []string{"draining"}}, "Draining. Clients are told to go elsewhere; what is in flight still finishes.", notice},
		"Drained":           {Status{State: Drained}, "Drained. Nothing is in flight, and the listener is closed.", notice},
	} {
		c.status.Now = noon
		mood, got := headline(&c.status, concerns(&c.status))
		if got != c.want || mood != c.mood {
			t.Errorf("%s: got %s %q, want %s %q", name, mood, got, c.mood, c.want)
		}
	}
}

func TestTheWorstConcernComesFirstAndManyCAsAreOne(t *testing.T) {
	t.Parallel()
	status := &Status{State: Serving, Now: noon, Troubles: []Trouble{{Name: "list", Fault: "gone", Since: noon.Add(-5 * time.Minute)}},
		RevocationLists: []RevocationList{{State: ListEnded, NextUpdate: noon.Add(-3 * hour)}}}
	for i := range 4 {
		status.ClientCAs = append(status.ClientCAs, Certificate{Subject: fmt.Sprint(i), NotAfter: noon.Add(-day)})
	}
	var got []string
	for _, c := range concerns(status) {
		got = append(got, string(c.tone)+" "+c.title)
	}
	want := []string{"bad A revocation list ended 3 hours ago", "notice 4 CAs of the clients have ended or will soon", "notice News cannot come into force"}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	if last := concerns(status)[2]; last.text != "list: gone (for 5 minutes)" {
		t.Errorf("got %q, want the trouble with its age", last.text)
	}
}

func TestDaysLeftAreRoundedDown(t *testing.T) {
	t.Parallel()
	for left, want := range map[time.Duration]int{2 * day: 2, 2*day - 1e9: 1, 0: 0, -1e9: -1, -day: -1, -day - 1e9: -2} {
		if got := daysLeft(noon.Add(left), noon); got != want {
			t.Errorf("%v: got %d, want %d", left, got, want)
		}
	}
}
