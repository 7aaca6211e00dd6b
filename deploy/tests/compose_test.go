package tests

import (
	"testing"

	"github.com/compose-spec/compose-go/v2/schema"
	"sigs.k8s.io/yaml"
)

// isCompose checks a file against the schema of the Compose Specification.
func isCompose(t *testing.T, text []byte) {
	var content map[string]any
	if err := yaml.UnmarshalStrict(text, &content); err != nil {
		t.Fatal(err)
	}
	if err := schema.Validate(content); err != nil {
		t.Error(err)
	}
}
