package admin

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"reflect"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"go.uber.org/zap"
	"golang.org/x/net/html"
)

// parsed is a page as a browser would read it.
func parsed(t *testing.T, s *running) (*html.Node, got) {
	t.Helper()
	answer := s.get(t, "/")
	answer.expect(t, 200, "<!DOCTYPE html>")
	root, err := html.Parse(strings.NewReader(answer.body))
	if err != nil {
		t.Fatal(err)
	}
	return root, answer
}

// words are the page's texts, and elements how many there are of each kind, with
// the names of their attributes.
func words(root *html.Node) (texts []string, elements map[string]int) {
	elements = map[string]int{}
	for n := range root.Descendants() {
		switch n.Type {
		case html.TextNode:
			if n.Parent.Data != "style" {
				texts = append(texts, n.Data)
			}
		case html.CommentNode:
			elements["comment"]++
		case html.ElementNode:
			kind := n.Data
			for _, a := range n.Attr {
				kind += " " + a.Key
			}
			elements[kind]++
		}
	}
	return texts, elements
}

// permitted are the elements of the page with their attributes.
var permitted = strings.Split("html lang,head,meta charset,meta name content,title,link rel href,style,body,header class,div,div class,strong,span class,time datetime,a href,"+
	"h1,h2,h3,dl class,dt,dd,code,code class,nav aria-label,ul,ul class,ol class,li,li class,main,section id,article class,p,p class,svg class aria-hidden,"+
	"rect class width height rx,details,summary,table,thead,tbody,tr,th scope,th scope title,td,td class,footer,span", ",")

func TestNoValueBecomesMarkup(t *testing.T) {
	t.Parallel()
	s := start(t, Options{Status: hostile, Level: zap.NewAtomicLevel()})
	root, answer := parsed(t, s)
	texts, elements := words(root)
	for kind := range elements {
		found := false
		for _, p := range permitted {
			found = found || kind == p
		}
		if !found {
			t.Errorf("the page has an element %q", kind)
		}
	}
	if elements["style"] != 1 || elements["link rel href"] != 1 || elements["a href"] != 10 {
		t.Errorf("%v: want one style, one icon and our own ten links", elements)
	}
	// That they are there, and as they are.
	all := strings.Join(texts, "\n")
	for _, want := range []string{nasty[0], nasty[1], nasty[2], nasty[3], nasty[4], nasty[5], nasty[8], nasty[10],
		`\u202egnp.exe\u2066\u200b\x00\x1b[31mred\r; Set-Cookie: pwned=1`, `half \xff\xc3 \xed\xa0\x80 of a character`, strings.Repeat("W", 1024) + "…"} {
		if !strings.Contains(all, want) {
			t.Errorf("the page does not show %.80q", want)
		}
	}
	for _, r := range answer.body {
		if r != '\n' && (!unicode.IsPrint(r) || unicode.Is(unicode.Bidi_Control, r)) {
			t.Fatalf("the page has a %U in it", r)
		}
	}
	if !utf8.ValidString(answer.body) || len(answer.body) > 4<<20 {
		t.Errorf("the page has %d bytes, valid UTF-8: %v", len(answer.body), utf8.ValidString(answer.body))
	}
	if strings.Contains(all, strings.Repeat("W", 1025)) {
		t.Error("a text of 200 KiB was not cut")
	}
	if answer.header["Set-Cookie"] != nil {
		t.Error("a value became a header")
	}
}

// Every text of Status is on the page, so that the test above means something.
func TestEveryTextIsShown(t *testing.T) {
	t.Parallel()
	status, want := &Status{}, []string(nil)
	var mark func(v reflect.Value, name string)
	mark = func(v reflect.Value, name string) {
		switch v.Kind() {
		case reflect.String:
			v.SetString("<" + name + ">")
			want = append(want, v.String())
		case reflect.Slice:
			v.Set(reflect.MakeSlice(v.Type(), 1, 1))
			mark(v.Index(0), name)
		case reflect.Struct:
			for i := range v.NumField() {
				if v.Type() != reflect.TypeFor[time.Time]() {
					mark(v.Field(i), name+"."+v.Type().Field(i).Name)
				}
			}
		}
	}
	mark(reflect.ValueOf(status).Elem(), "Status")
	status.Now, status.State = noon, Serving
	root, _ := parsed(t, start(t, Options{Status: func() *Status { return status }}))
	texts, _ := words(root)
	titles := ""
	for n := range root.Descendants() {
		for _, a := range n.Attr {
			titles += a.Val + "\n"
		}
	}
	all := strings.Join(texts, "\n") + titles
	for _, text := range want {
		switch text {
		case "<Status.State>", "<Status.RevocationLists.State>", "<Status.Settings.Source>": // words of ours
		case "<Status.Exposed.Fault>": // which counts only where there are no addresses
		default:
			if !strings.Contains(all, text) {
				t.Errorf("%s is not shown", text)
			}
		}
	}
}

func TestThePageMayDoNothing(t *testing.T) {
	t.Parallel()
	root, answer := parsed(t, start(t, Options{Status: busy}))
	var style string
	for n := range root.Descendants() {
		if n.Data == "style" {
			style = n.FirstChild.Data
		}
	}
	sum := sha256.Sum256([]byte(style))
	want := "default-src 'none'; style-src 'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
	for name, want := range map[string]string{
		"Content-Security-Policy": want, "Referrer-Policy": "no-referrer", "X-Frame-Options": "DENY", "X-Content-Type-Options": "nosniff",
		"Cache-Control": "no-store", "Content-Type": "text/html; charset=utf-8", "Cross-Origin-Resource-Policy": "same-origin", "Cross-Origin-Opener-Policy": "same-origin",
	} {
		if got := answer.header.Get(name); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
}

func TestTheJSONSaysTheSame(t *testing.T) {
	t.Parallel()
	for name, status := range map[string]func() *Status{"calm": calm, "busy": busy, "hostile": hostile} {
		s := start(t, Options{Status: status, Level: zap.NewAtomicLevelAt(zap.WarnLevel)})
		answer := s.get(t, "/status.json")
		answer.expect(t, 200, `"logLevel": "warn"`)
		if kind := answer.header.Get("Content-Type"); kind != "application/json" {
			t.Errorf("Content-Type %q", kind)
		}
		var back Status
		decoder := json.NewDecoder(strings.NewReader(answer.body))
		decoder.DisallowUnknownFields()
		if err := decoder.Decode(&back); err != nil {
			t.Fatal(err)
		}
		want := s.status()
		if !reflect.DeepEqual(&back, want) {
			t.Errorf("%s: got %+v\nwant %+v", name, back, *want)
		}
		if strings.Contains(answer.body, "null") && name != "hostile" {
			t.Errorf("%s: an empty list is null", name)
		}
	}
}

func TestWhatTheSidecarGaveIsNotAltered(t *testing.T) {
	t.Parallel()
	status, same := hostile(), hostile()
	s := start(t, Options{Status: func() *Status { return status }})
	s.get(t, "/")
	s.get(t, "/status.json")
	if !reflect.DeepEqual(status, same) {
		t.Error("showing the status has altered it")
	}
}

func TestNumbersHaveTheirThousandsApart(t *testing.T) {
	t.Parallel()
	for n, want := range map[int64]string{0: "0", 999: "999", 1000: "1,000", -1000: "-1,000", 1234567: "1,234,567", -9223372036854775808: "-9,223,372,036,854,775,808"} {
		if got := grouped(n); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}

func TestWhatIsSetComesBeforeWhatIsNot(t *testing.T) {
	t.Parallel()
	_, answer := parsed(t, start(t, Options{Status: busy}))
	set, unset := strings.Index(answer.body, "<code>MTLS_ROUTES</code>"), strings.Index(answer.body, "<code>MTLS_LISTEN_ADDR</code>")
	if set < 0 || unset < set || !strings.Contains(answer.body, "<summary>2 at their defaults</summary>") {
		t.Errorf("MTLS_ROUTES at %d, MTLS_LISTEN_ADDR at %d: want the one that is set first", set, unset)
	}
}
