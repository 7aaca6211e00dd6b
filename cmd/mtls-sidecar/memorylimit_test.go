package main

import (
	"testing"
	"testing/fstest"
)

// The layouts are those of cgroups(7), of the kernel's cgroup-v2.rst and
// cgroup-v1/memory.rst, and of container runtimes with and without a cgroup
// namespace (cgroup_namespaces(7)).
func TestTheMemoryLimitIsTheSmallestOfTheControlGroups(t *testing.T) {
	const mebi = 1 << 20
	for name, test := range map[string]struct {
		files  map[string]string
		limit  int64
		source string // empty: no limit
	}{
		"version 2 in a container": {map[string]string{
			"proc/self/cgroup":         "0::/\n",
			"sys/fs/cgroup/memory.max": "67108864\n",
		}, 64 * mebi, "/sys/fs/cgroup/memory.max"},
		"version 2 without a limit": {map[string]string{
			"proc/self/cgroup":         "0::/\n",
			"sys/fs/cgroup/memory.max": "max\n",
		}, 0, ""},
		"a service, limited itself": {map[string]string{
			"proc/self/cgroup": "0::/system.slice/mtls-sidecar.service\n",
			"sys/fs/cgroup/system.slice/mtls-sidecar.service/memory.max": "134217728\n",
			"sys/fs/cgroup/system.slice/memory.max":                      "max\n",
		}, 128 * mebi, "/sys/fs/cgroup/system.slice/mtls-sidecar.service/memory.max"},
		"a container whose pod is limited more narrowly": {map[string]string{
			"proc/self/cgroup":                                               "0::/kubepods.slice/pod1.slice/cri-2.scope\n",
			"sys/fs/cgroup/kubepods.slice/memory.max":                        "8589934592\n",
			"sys/fs/cgroup/kubepods.slice/pod1.slice/memory.max":             "33554432\n",
			"sys/fs/cgroup/kubepods.slice/pod1.slice/cri-2.scope/memory.max": "67108864\n",
		}, 32 * mebi, "/sys/fs/cgroup/kubepods.slice/pod1.slice/memory.max"},
		"the machine's path, and the container's own group mounted": {map[string]string{
			"proc/self/cgroup":         "0::/kubepods.slice/pod1.slice/cri-2.scope\n",
			"sys/fs/cgroup/memory.max": "67108864\n",
		}, 64 * mebi, "/sys/fs/cgroup/memory.max"},
		"a group outside of the namespace": {map[string]string{
			"proc/self/cgroup":         "0::/../../other\n",
			"sys/fs/cgroup/memory.max": "67108864\n",
		}, 64 * mebi, "/sys/fs/cgroup/memory.max"},
		"version 1": {map[string]string{
			"proc/self/cgroup": "12:pids:/docker/ab\n5:memory:/docker/ab\n1:name=systemd:/docker/ab\n",
			"sys/fs/cgroup/memory/docker/ab/memory.limit_in_bytes": "268435456\n",
			"sys/fs/cgroup/memory/memory.limit_in_bytes":           "9223372036854771712\n",
			"sys/fs/cgroup/pids/docker/ab/memory.limit_in_bytes":   "1\n",
		}, 256 * mebi, "/sys/fs/cgroup/memory/docker/ab/memory.limit_in_bytes"},
		"version 1 in a container that sees its own group as the root": {map[string]string{
			"proc/self/cgroup":                           "5:memory:/docker/ab\n",
			"sys/fs/cgroup/memory/memory.limit_in_bytes": "268435456\n",
		}, 256 * mebi, "/sys/fs/cgroup/memory/memory.limit_in_bytes"},
		"version 1 with several controllers in one tree": {map[string]string{
			"proc/self/cgroup": "5:cpuset,memory:/a\n",
			"sys/fs/cgroup/memory/a/memory.limit_in_bytes": "268435456\n",
		}, 256 * mebi, "/sys/fs/cgroup/memory/a/memory.limit_in_bytes"},
		"version 1 without a limit: PAGE_COUNTER_MAX with pages of 4 KiB": {map[string]string{
			"proc/self/cgroup":                           "5:memory:/\n",
			"sys/fs/cgroup/memory/memory.limit_in_bytes": "9223372036854771712\n",
		}, 0, ""},
		"and with pages of 64 KiB": {map[string]string{
			"proc/self/cgroup":                           "5:memory:/\n",
			"sys/fs/cgroup/memory/memory.limit_in_bytes": "9223372036854710272\n",
		}, 0, ""},
		"hybrid: version 2 is there, and has no memory controller": {map[string]string{
			"proc/self/cgroup":                             "5:memory:/a\n0::/a\n",
			"sys/fs/cgroup/unified/a/cgroup.procs":         "1\n",
			"sys/fs/cgroup/memory/a/memory.limit_in_bytes": "268435456\n",
		}, 256 * mebi, "/sys/fs/cgroup/memory/a/memory.limit_in_bytes"},
		"hybrid: version 2 has it": {map[string]string{
			"proc/self/cgroup":                   "1:name=systemd:/a\n0::/a\n",
			"sys/fs/cgroup/unified/a/memory.max": "67108864\n",
		}, 64 * mebi, "/sys/fs/cgroup/unified/a/memory.max"},
		"a controller whose name has memory in it": {map[string]string{
			"proc/self/cgroup": "5:memoryish:/a\n",
			"sys/fs/cgroup/memory/a/memory.limit_in_bytes": "268435456\n",
		}, 0, ""},
		"a path with colons": {map[string]string{
			"proc/self/cgroup":             "0::/a:b\n",
			"sys/fs/cgroup/a:b/memory.max": "67108864\n",
		}, 64 * mebi, "/sys/fs/cgroup/a:b/memory.max"},
		"garbage in the limit": {map[string]string{
			"proc/self/cgroup":         "0::/\n",
			"sys/fs/cgroup/memory.max": "plenty\n",
		}, 0, ""},
		"a limit of nothing, and one below": {map[string]string{
			"proc/self/cgroup":           "0::/a\n",
			"sys/fs/cgroup/memory.max":   "-1\n",
			"sys/fs/cgroup/a/memory.max": "0\n",
		}, 0, ""},
		"garbage in the list of groups": {map[string]string{
			"proc/self/cgroup":         "\n:\nmemory\n0::\n",
			"sys/fs/cgroup/memory.max": "67108864",
		}, 64 * mebi, "/sys/fs/cgroup/memory.max"},
		"no control groups": {map[string]string{"proc/self/cgroup": ""}, 0, ""},
		"no /proc":          {map[string]string{"sys/fs/cgroup/memory.max": "67108864\n"}, 0, ""},
		"no limit's file":   {map[string]string{"proc/self/cgroup": "0::/\n"}, 0, ""},
	} {
		root := fstest.MapFS{}
		for path, text := range test.files {
			root[path] = &fstest.MapFile{Data: []byte(text)}
		}
		limit, source := memoryLimit(root)
		if source != test.source || source != "" && limit != test.limit {
			t.Errorf("%s: got %d of %q, want %d of %q", name, limit, source, test.limit, test.source)
		}
	}
}
