package proxy

import (
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

func TestAFingerprintShowsWhatMatters(t *testing.T) {
	for _, test := range []struct {
		name   string
		change func(folder string) error
		shows  bool
	}{
		{"nothing", func(string) error { return nil }, false},
		{"the time", func(folder string) error {
			return os.Chtimes(folder+"/a", time.Unix(1, 0), time.Unix(1, 0))
		}, false},
		{"the inode", func(folder string) error {
			return replaced(folder+"/a", "content")
		}, false},
		{"one byte", func(folder string) error { return replaced(folder+"/a", "Content") }, true},
		{"one byte more", func(folder string) error { return replaced(folder+"/a", "content\n") }, true},
		{"all bytes", func(folder string) error { return os.Truncate(folder+"/a", 0) }, true},
		{"the permissions", func(folder string) error { return os.Chmod(folder+"/a", 0o604) }, true},
		{"the file is gone", func(folder string) error { return os.Remove(folder + "/a") }, true},
		{"the file is a folder", func(folder string) error {
			return firstError(os.Remove(folder+"/a"), os.Mkdir(folder+"/a", 0o700))
		}, true},
		{"two change places", func(folder string) error {
			return firstError(replaced(folder+"/a", "more"), replaced(folder+"/b", "content"))
		}, true},
		{"a byte moves to the next", func(folder string) error {
			return firstError(replaced(folder+"/a", "conten"), replaced(folder+"/b", "tmore"))
		}, true},
		{"a file comes into the folder", func(folder string) error { return os.WriteFile(folder+"/in/z", nil, 0o600) }, true},
		{"a file leaves the folder", func(folder string) error { return os.Remove(folder + "/in/c") }, true},
		{"a file of the folder has another name", func(folder string) error { return os.Rename(folder+"/in/c", folder+"/in/d") }, true},
		{"a file of the folder changes", func(folder string) error { return replaced(folder+"/in/c", "List") }, true},
		{"a link of the folder leads elsewhere", func(folder string) error {
			return firstError(os.Remove(folder+"/in/link"), os.Symlink("../b", folder+"/in/link"))
		}, true},
		{"a link leads to the same content", func(folder string) error {
			return firstError(os.WriteFile(folder+"/same", []byte("content"), 0o600), os.Remove(folder+"/in/link"), os.Symlink("../same", folder+"/in/link"))
		}, false},
		{"what Kubernetes keeps in the folder", func(folder string) error {
			return firstError(os.Mkdir(folder+"/in/..2026", 0o700), os.Symlink("..2026", folder+"/in/..data"))
		}, false},
		{"a folder in the folder has a file", func(folder string) error { return os.WriteFile(folder+"/in/sub/x", nil, 0o600) }, false},
		{"the folder is gone", func(folder string) error { return os.RemoveAll(folder + "/in") }, true},
		{"the folder is a file", func(folder string) error {
			return firstError(os.RemoveAll(folder+"/in"), os.WriteFile(folder+"/in", nil, 0o600))
		}, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			folder := t.TempDir()
			works(t, firstError(os.MkdirAll(folder+"/in/sub", 0o700), os.Symlink("../a", folder+"/in/link"),
				os.WriteFile(folder+"/a", []byte("content"), 0o600), os.WriteFile(folder+"/b", []byte("more"), 0o600),
				os.WriteFile(folder+"/in/c", []byte("list"), 0o600)))
			paths := []string{folder + "/a", folder + "/b", folder + "/in", folder + "/never"}
			before := fingerprintOf(paths, 1<<20)
			works(t, test.change(folder))
			if got := fingerprintOf(paths, 1<<20) != before; got != test.shows {
				t.Errorf("shows: got %t, want %t", got, test.shows)
			}
		})
	}
}

// replaced writes a new file and renames it over the old.
func replaced(path, text string) error {
	return firstError(os.WriteFile(path+".new", []byte(text), 0o600), os.Rename(path+".new", path))
}

func firstError(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// Opening a pipe waits for its writer, who may never come, and with it everything
// that waits for the look at the files: SIGHUP, the shutdown.
func TestAPipeAmongTheFilesHoldsNothingUp(t *testing.T) {
	folder := t.TempDir()
	pipe := filepath.Join(folder, "pipe")
	works(t, syscall.Mkfifo(pipe, 0o600))
	done := make(chan fingerprint, 2)
	go func() {
		done <- fingerprintOf([]string{folder}, 1<<20)
		done <- fingerprintOf([]string{pipe}, 1<<20)
	}()
	defer func() {
		if t.Failed() { // let the readers go
			for range 2 {
				if writer, err := os.OpenFile(pipe, os.O_RDWR|syscall.O_NONBLOCK, 0); err == nil {
					defer writer.Close()
				}
			}
		}
	}()
	await(t, "the folder's fingerprint", done)
	await(t, "the pipe's fingerprint", done)
}

// A variable that names files is in a set, or its files would never be looked at.
func TestEveryFileOfTheConfigurationIsInASet(t *testing.T) {
	config := environment(t)
	var want []string
	value, kind := reflect.ValueOf(config).Elem(), reflect.TypeFor[Config]()
	for i := range kind.NumField() {
		name := kind.Field(i).Tag.Get("env")
		if !strings.Contains(name, "_FILE") && name != "MTLS_CA_HINTS" && name != "MTLS_CRL" {
			continue
		}
		want = append(want, "/"+name)
		switch field := value.Field(i).Addr().Interface().(type) {
		case *List:
			*field = List{"/" + name}
		case *string:
			*field = "/" + name
		default:
			t.Errorf("%s is a %T", name, field)
		}
	}
	var got []string
	for _, set := range fileSets {
		got = append(got, set.files(config)...)
	}
	slices.Sort(want)
	slices.Sort(got)
	if !slices.Equal(got, want) {
		t.Errorf("the sets have %q, want %q", got, want)
	}
	if len(want) != 7 {
		t.Errorf("found %d variables that name files, want the 7 of the documentation", len(want))
	}
}

func TestWhereNoCertificateIsAskedForNoCAIsLookedAt(t *testing.T) {
	if got := fileSets[authorityFiles].files(environment(t, "MTLS_VERIFY_CLIENT=off", "MTLS_CA_HINTS=/hints")); len(got) != 0 {
		t.Errorf("got %q", got)
	}
}

// What is no file is not looked at as one.
func TestURLsAndWordsAreNoFiles(t *testing.T) {
	config := environment(t, "MTLS_CA_HINTS=off", "MTLS_CRL=/a.crl,http://ca.example/a.crl,https://ca.example/b.crl,b")
	if got := fileSets[crlFiles].files(config); !slices.Equal(got, []string{"/a.crl", "b"}) {
		t.Errorf("lists: got %q", got)
	}
	if got := fileSets[authorityFiles].files(config); !slices.Equal(got, []string{"/etc/mtls/ca/ca.crt"}) {
		t.Errorf("CAs: got %q", got)
	}
}

// What lies among the files by mistake, a core dump for instance, must not be read
// at each look.
func TestAFileThatIsTooLargeToBeOfUseIsNotRead(t *testing.T) {
	folder := t.TempDir()
	large := filepath.Join(folder, "core")
	works(t, firstError(os.WriteFile(large, nil, 0o600), os.Truncate(large, 1<<40))) // reading it would take minutes
	paths := []string{folder}
	before := fingerprintOf(paths, 1<<20)
	if fingerprintOf(paths, 1<<20) != before {
		t.Errorf("the fingerprint is another though nothing changed")
	}
	works(t, os.Truncate(large, 1<<40-1))
	if fingerprintOf(paths, 1<<20) == before {
		t.Errorf("the fingerprint is the same though the size changed")
	}
}
