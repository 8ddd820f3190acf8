// Writes the descriptors of Envoy's API, and of all that it imports, to standard output as a FileDescriptorSet.
// They are compiled into the packages that imports.go names, which ../renew-envoy.ts makes.
package main

import (
	"log"
	"os"
	"regexp"
	"sort"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/descriptorpb"
)

// The v3 API, its annotations, and what stands in an Any without being imported.
var wanted = regexp.MustCompile(
	`^(envoy/(annotations|.*v3)/|xds/.*v3/|udpa/(annotations|type)/|google/(rpc/(code|status|error_details)|api/(annotations|http))\.proto$)`)

func main() {
	var paths []string
	protoregistry.GlobalFiles.RangeFiles(func(file protoreflect.FileDescriptor) bool {
		if wanted.MatchString(file.Path()) {
			paths = append(paths, file.Path())
		}
		return true
	})
	sort.Strings(paths)
	set := &descriptorpb.FileDescriptorSet{}
	added := map[string]bool{}
	for _, path := range paths {
		add(path, set, added)
	}
	bytes, err := proto.MarshalOptions{Deterministic: true}.Marshal(set)
	if err != nil {
		log.Fatal(err)
	}
	if _, err := os.Stdout.Write(bytes); err != nil {
		log.Fatal(err)
	}
}

// Adds the file after all that it imports, as readers of descriptor sets expect it.
func add(path string, set *descriptorpb.FileDescriptorSet, added map[string]bool) {
	if added[path] {
		return
	}
	added[path] = true
	file, err := protoregistry.GlobalFiles.FindFileByPath(path)
	if err != nil {
		log.Fatalf("%s: %v: is the module that has it in go.mod and its package in renew-envoy.ts?", path, err)
	}
	for i := 0; i < file.Imports().Len(); i++ {
		add(file.Imports().Get(i).Path(), set, added)
	}
	set.File = append(set.File, protodesc.ToFileDescriptorProto(file))
}
