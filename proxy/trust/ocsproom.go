package trust

const (
	// maxOCSPWaiting is how many callers of Check may wait, and how many
	// questions may be under way or queue for the network. The last quarter of
	// both is kept for responders with fewOCSPWaiting at most.
	maxOCSPWaiting = 1024
	fewOCSPWaiting = maxOCSPWaiting / 16
)

// room reports whether one more caller may wait for what is not known of the links.
// The caller holds mu.
func (o *OCSP) room(taken int, links []ocspLink, outcomes []ocspOutcome) bool {
	for i, link := range links {
		if !outcomes[i].known() && !o.roomFor(taken, o.host(link)) {
			return false
		}
	}
	return true
}

// roomFor reports whether there is place for one more at a responder: what is taken of
// maxOCSPWaiting must leave some to the others. The caller holds mu.
func (o *OCSP) roomFor(taken int, host string) bool {
	if taken >= maxOCSPWaiting*3/4 && host != "" && o.load[host] >= fewOCSPWaiting {
		return false
	}
	return taken < maxOCSPWaiting
}

// lighten undoes one o.load[host]++. The caller holds mu.
func (o *OCSP) lighten(host string) {
	if o.load[host]--; o.load[host] <= 0 {
		delete(o.load, host)
	}
}

func (o *OCSP) leave(flights []*ocspFlight) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.waiting--
	for _, flight := range flights {
		if flight != nil {
			o.lighten(flight.host)
		}
	}
}
