package soak

import (
	"os"
	"path/filepath"
	"reflect"
	"testing"
)

func TestOfTheCorpusWhatIsRefusedAtOnceIsSent(t *testing.T) {
	folder := t.TempDir()
	text := `# A family.

== passes
rule none
get X-A: b\r\n
pass

== is refused
rule RFC 9112
get X-A: \x00<3 ab>\r\n
refuse 400

== as sent, "quoted"
send BREW "/" HTTP/9.9\r\n\r\n
refuse 505

== with a body
chunked x\r\n
refuse 400

== two of them
send A\r\n
refuse 400
send B\r\n
refuse 400
`
	if err := os.WriteFile(filepath.Join(folder, "family.txt"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	got, err := readCorpus(folder)
	if err != nil {
		t.Fatal(err)
	}
	want := []hostileShape{
		{"family.txt: is refused", "GET / HTTP/1.1\r\nHost: h\r\nX-A: \x00ababab\r\n\r\n", []int{400}},
		{`family.txt: as sent, "quoted"`, "BREW \"/\" HTTP/9.9\r\n\r\n", []int{505}},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
	if _, err := readCorpus(t.TempDir()); err == nil {
		t.Error("got no error where there is no corpus")
	}
}
