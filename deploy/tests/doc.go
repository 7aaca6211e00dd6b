// Package tests checks what lies in the folder deploy against the programs that
// will read it, without a cluster: each document is strictly decoded into its
// own Go type (types_test.go), kustomize builds each overlay (kustomize_test.go),
// each pod that comes out of a manifest, an overlay or a policy passes Pod
// Security "restricted" (pods_test.go) and agrees with the sidecar about ports,
// probes, hooks and times (sidecar_test.go), the API server's own evaluator runs
// the admission policies (admission_test.go), and a shell runs the CronJob's
// script (crl_test.go).
//
// The folder deploy is a module of its own, so that the product does not depend
// on Kubernetes. go test ./tests -update writes the goldens anew; -count=1 asks
// for a fresh result after a change outside the folder, of which Go's cache of
// results knows nothing.
package tests
