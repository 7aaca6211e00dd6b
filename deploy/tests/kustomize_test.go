package tests

import (
	"bytes"
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"

	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/kyaml/filesys"
	"sigs.k8s.io/yaml"
)

var update = flag.Bool("update", false, "write testdata/golden anew")

// overlays are the folders that are built: those for operators, and those of
// testdata/overlays, which ask for more.
func overlays(t *testing.T) []string {
	t.Helper()
	var all []string
	for _, pattern := range []string{root + "/kustomize/overlays/*", "testdata/overlays/*"} {
		found, err := filepath.Glob(pattern)
		if err != nil || len(found) == 0 {
			t.Fatalf("%s: found %d folders, %v", pattern, len(found), err)
		}
		all = append(all, found...)
	}
	return all
}

// build is what kubectl apply -k would send.
func build(t *testing.T, folder string) []byte {
	t.Helper()
	resources, err := krusty.MakeKustomizer(krusty.MakeDefaultOptions()).Run(filesys.MakeFsOnDisk(), folder)
	if err != nil {
		t.Fatal(err)
	}
	text, err := resources.AsYaml()
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func TestOverlaysBuildWhatTheGoldensSay(t *testing.T) {
	for _, folder := range overlays(t) {
		t.Run(filepath.Base(folder), func(t *testing.T) {
			golden := filepath.Join("testdata", "golden", filepath.Base(folder)+".yaml")
			got := build(t, folder)
			if *update {
				if err := os.WriteFile(golden, got, 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(got, want) {
				t.Errorf("%s builds something else than %s; go test -update, then read the difference. It builds\n%s", folder, golden, got)
			}
		})
	}
}

func TestEveryGoldenHasItsOverlay(t *testing.T) {
	files, err := filepath.Glob("testdata/golden/*.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var want []string
	for _, folder := range overlays(t) {
		want = append(want, filepath.Join("testdata", "golden", filepath.Base(folder)+".yaml"))
	}
	slices.Sort(want)
	if !slices.Equal(files, want) {
		t.Errorf("got %q, want %q", files, want)
	}
}

func TestBuiltObjectsDecodeIntoTheirOwnTypes(t *testing.T) {
	for _, folder := range overlays(t) {
		for _, text := range split(t, build(t, folder)) {
			if _, err := decode(t, text); err != nil {
				t.Errorf("%s: %v\n%s", folder, err, text)
			}
		}
	}
}

// kubectl has a kustomize of its own, often an older one. It is no package of
// Debian's in a version of use, so that its absence never fails.
func TestKubectlBuildsTheSame(t *testing.T) {
	kubectl, err := exec.LookPath("kubectl")
	if err != nil {
		t.Skip("kubectl is not there")
	}
	for _, folder := range overlays(t) {
		command := exec.CommandContext(t.Context(), kubectl, "kustomize", folder)
		var complaint bytes.Buffer
		command.Stderr = &complaint
		text, err := command.Output()
		if err != nil {
			t.Errorf("%s: %v\n%s", folder, err, &complaint)
			continue
		}
		if got, want := values(t, text), values(t, build(t, folder)); !slices.Equal(got, want) { // kubectl sorts by kind
			t.Errorf("%s: kubectl builds\n%s", folder, text)
		}
	}
}

// values are the objects of a stream, each in one spelling, sorted.
func values(t *testing.T, stream []byte) []string {
	t.Helper()
	var all []string
	for _, text := range split(t, stream) {
		value, err := yaml.YAMLToJSON(text)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, string(value))
	}
	slices.Sort(all)
	return all
}
