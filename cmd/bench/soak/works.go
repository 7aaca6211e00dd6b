package soak

import (
	"fmt"
	"net/http"
)

// small is a request as most are.
func (w *worker) small() message {
	m := message{method: http.MethodGet, work: sayPath, status: http.StatusOK, answer: w.random.IntN(2000), noise: w.random.Uint64()}
	switch w.random.IntN(12) {
	case 0:
		m.method = http.MethodHead
	case 1:
		m.method = http.MethodOptions
	case 2:
		m.status = pick(w.random, []int{401, 404, 500, 503, 418})
		m.query = fmt.Sprintf("status=%d", m.status)
	case 3:
		m.status, m.answer, m.query = http.StatusNoContent, 0, "status=204"
	case 4:
		m.query = "how=hints"
	case 5, 6:
		m.query = "how=chunked"
	case 7, 8:
		return w.upload(4 << 10)
	}
	if w.random.IntN(4) == 0 {
		m.fields = w.forge()
	}
	return m
}

// upload has up to so many bytes.
func (w *worker) upload(most int) message {
	m := message{method: pick(w.random, []string{http.MethodPost, http.MethodPut, http.MethodPatch}), work: takePath, status: http.StatusOK,
		size: w.random.IntN(most), seed: w.random.Uint64(), chunked: w.random.IntN(2) == 0}
	m.trailer = m.chunked && w.random.IntN(2) == 0
	m.expect = w.random.IntN(5) == 0
	if m.size == 0 {
		m.method, m.expect = http.MethodPost, false
	}
	length, sum, _ := sumOf(newNoise(m.seed, m.size)) // noise does not fail
	m.sum = fmt.Sprintf("%d %s ", length, sum)
	return m
}

// refusedUpload is answered before its body is read.
func (w *worker) refusedUpload() message {
	m := w.upload(1 << 20)
	m.work, m.sum, m.trailer, m.refused = earlyPath, "", false, true
	m.status = pick(w.random, []int{401, 413, 417})
	m.query = fmt.Sprintf("status=%d", m.status)
	return m
}

// download has up to so many bytes.
func (w *worker) download(most int) message {
	how := pick(w.random, []string{"length", "chunked", "trailer", "close"})
	return message{method: http.MethodGet, work: sayPath, status: http.StatusOK, answer: w.random.IntN(most), noise: w.random.Uint64(),
		query: "how=" + how, ends: how == "trailer"}
}

// asks makes one request on a link and settles it; it reports whether it was served.
func (w *worker) asks(l *link, m message) bool {
	r := w.ledger.begin(w.kind, l.who)
	r.unsafe = m.hasBody()
	r.must = m.must
	r.barred = m.must && l.who.certificate == nil
	return w.judge.settle(r, w.exchange(l, r, m))
}
