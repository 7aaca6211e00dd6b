package main

import (
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"mtls-sidecar/proxy"
)

// operatorTexts are the files that tell operators of variables: everything under
// deploy, each README and the Dockerfile, by their path from the top folder.
func operatorTexts(t *testing.T) map[string]string {
	t.Helper()
	texts := map[string]string{}
	top := os.DirFS("../..")
	err := fs.WalkDir(top, ".", func(path string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir() && (entry.Name() == "node_modules" || strings.HasPrefix(entry.Name(), ".") && path != "."):
			return fs.SkipDir
		case !entry.Type().IsRegular() || !strings.HasPrefix(path, "deploy/") && entry.Name() != "README.md" && path != "Dockerfile":
			return nil
		}
		text, err := fs.ReadFile(top, path)
		texts[path] = string(text)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{"Dockerfile", "README.md", "deploy/README.md", "deploy/kustomize/component/sidecar.yaml"} {
		if texts[path] == "" {
			t.Fatalf("%s was not read", path)
		}
	}
	return texts
}

var (
	variableName = regexp.MustCompile(`\bMTLS_[A-Z0-9_]*`)
	// linkName is what Kubernetes makes of a Service called mtls, which the
	// sidecar ignores and texts may name.
	linkName = regexp.MustCompile(`^MTLS_(SERVICE_HOST|SERVICE_PORT|PORT)(_[A-Z0-9_]+)?$`)
)

// placeholder stands for any variable, as in MTLS_NAME=value.
const placeholder = "MTLS_NAME"

// unknownVariables are the names in a text that no variable has. A name that
// ends in an underscore stands for those that begin so.
func unknownVariables(text string) []string {
	unknown := map[string]bool{}
	for _, name := range variableName.FindAllString(text, -1) {
		known := slices.ContainsFunc(proxy.Variables(), func(v proxy.Variable) bool {
			return v.Name == name || strings.HasSuffix(name, "_") && strings.HasPrefix(v.Name, name)
		})
		if !known && name != placeholder && !linkName.MatchString(name) {
			unknown[name] = true
		}
	}
	return slices.Sorted(maps.Keys(unknown))
}

func TestEveryVariableThatManifestsAndReadmesNameExists(t *testing.T) {
	found := 0
	for path, text := range operatorTexts(t) {
		found += len(variableName.FindAllString(text, -1))
		if unknown := unknownVariables(text); len(unknown) > 0 {
			t.Errorf("%s names %q, which are no variables", path, unknown)
		}
	}
	if found < 200 {
		t.Errorf("found %d names only: are the texts there?", found)
	}
}

func TestNamesThatAreNoVariablesAreFound(t *testing.T) {
	const text = "MTLS_CRL MTLS_CLR MTLS_MAX_… MTLS_MIX_… MTLS_* MTLS_PORT MTLS_PORT_8443_TCP_ADDR MTLS_SERVICE_HOST NOT_MTLS_X"
	if got, want := unknownVariables(text), []string{"MTLS_CLR", "MTLS_MIX_"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

// dockerfile gives what the image is: the ports it names, its user and its
// program.
func dockerfile(t *testing.T) (ports []string, user, program string) {
	t.Helper()
	text, err := os.ReadFile("../../Dockerfile")
	if err != nil {
		t.Fatal(err)
	}
	one := func(pattern string) string {
		found := regexp.MustCompile(`(?m)^` + pattern + `$`).FindSubmatch(text)
		if found == nil {
			t.Fatalf("the Dockerfile has no line %s", pattern)
		}
		return string(found[1])
	}
	return strings.Fields(one(`EXPOSE ([\d ]+)`)), one(`USER (\d+):\d+`), one(`ENTRYPOINT \["([^"]+)"\]`)
}

// defaultOf is a variable's default.
func defaultOf(t *testing.T, name string) string {
	t.Helper()
	at := slices.IndexFunc(proxy.Variables(), func(v proxy.Variable) bool { return v.Name == name })
	if at < 0 {
		t.Fatalf("there is no variable %s", name)
	}
	return proxy.Variables()[at].Default
}

// sidecarContainer matches the line of a manifest, or of an expression in a
// policy, with which the sidecar's container begins.
var sidecarContainer = regexp.MustCompile(`^( *)(?:- )?name: "?mtls-sidecar"?,?(?: *#.*)?$`)

// sidecarBlocks are the parts of a manifest that describe the sidecar's
// container: from its name to the next line that is indented less.
func sidecarBlocks(manifest string) []string {
	var blocks []string
	lines := strings.SplitAfter(manifest, "\n")
	for i, line := range lines {
		found := sidecarContainer.FindStringSubmatch(strings.TrimSuffix(line, "\n"))
		if found == nil || len(found[1]) < 4 { // metadata
			continue
		}
		end := i + 1
		for end < len(lines) && (strings.TrimSpace(lines[end]) == "" || strings.HasPrefix(lines[end], found[1]) &&
			!strings.HasPrefix(lines[end], found[1]+"- ")) {
			end++
		}
		blocks = append(blocks, strings.Join(lines[i:end], ""))
	}
	return blocks
}

// manifestBlocks are the sidecar's containers in all manifests for operators.
func manifestBlocks(t *testing.T) map[string]string {
	t.Helper()
	all := map[string]string{}
	for path, text := range operatorTexts(t) {
		if filepath.Ext(path) != ".yaml" && filepath.Base(path) != "README.md" || strings.HasPrefix(path, "deploy/tests/") {
			continue
		}
		for i, block := range sidecarBlocks(text) {
			all[fmt.Sprintf("%s, container %d", path, i+1)] = block
		}
	}
	for _, path := range []string{"deploy/kustomize/component/sidecar.yaml", "deploy/kustomize/component-classic/sidecar.yaml", "deploy/policy/mutating.yaml", "README.md"} {
		if block := all[path+", container 1"]; !strings.Contains(block, "containerPort") || !strings.Contains(block, "runAsUser") {
			t.Errorf("%s: the sidecar's container was not found, or has no port or user:\n%s", path, block)
		}
	}
	return all
}

func TestTheImageNamesThePortsOfTheDefaults(t *testing.T) {
	got, _, _ := dockerfile(t)
	want := []string{strings.TrimPrefix(defaultOf(t, "MTLS_LISTEN_ADDR"), ":"), strings.TrimPrefix(defaultOf(t, "MTLS_ADMIN_ADDR"), ":")}
	if !slices.Equal(got, want) {
		t.Errorf("EXPOSE %s, and the defaults are %s", got, want)
	}
}

func TestManifestsAgreeWithTheImage(t *testing.T) {
	ports, user, program := dockerfile(t)
	port, uid := regexp.MustCompile(`containerPort: (\d+)`), regexp.MustCompile(`runAs(?:User|Group): (\d+)`)
	path := regexp.MustCompile(`(?:command: \[|- )"?(/[\w./-]+)"?, "?drain"?\]`)
	for where, block := range manifestBlocks(t) {
		for _, found := range port.FindAllStringSubmatch(block, -1) {
			if !slices.Contains(ports, found[1]) {
				t.Errorf("%s: port %s is none of the image's %s", where, found[1], ports)
			}
		}
		for _, found := range uid.FindAllStringSubmatch(block, -1) {
			if found[1] != user {
				t.Errorf("%s: runs as %s, the image as %s", where, found[1], user)
			}
		}
		for _, found := range path.FindAllStringSubmatch(block, -1) {
			if found[1] != program {
				t.Errorf("%s: runs %s, the image holds %s", where, found[1], program)
			}
		}
	}
}

func TestManifestsMountWhereTheDefaultsLook(t *testing.T) {
	mount := regexp.MustCompile(`mountPath: "?(/[\w./-]+)`)
	folders := []string{filepath.Dir(defaultOf(t, "MTLS_CERT_FILE")), filepath.Dir(defaultOf(t, "MTLS_CLIENT_CA_FILE"))}
	for where, block := range manifestBlocks(t) {
		var mounted []string
		for _, found := range mount.FindAllStringSubmatch(block, -1) {
			mounted = append(mounted, found[1])
		}
		for _, folder := range folders {
			// A patch that adds to the container need not repeat its mounts.
			if strings.Contains(block, "containerPort") && !slices.Contains(mounted, folder) {
				t.Errorf("%s: nothing is mounted at %s, only at %q", where, folder, mounted)
			}
		}
	}
}
