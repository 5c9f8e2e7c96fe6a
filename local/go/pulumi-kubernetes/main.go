// The Kubernetes resource provider of Pulumi, built from its Go module.
// schema.json and terraform-mapping.json are put beside this file by the build (toolchain.ts): the
// module ships them under other names than the ones that its own main.go embeds.
package main

import (
	_ "embed"

	"github.com/pulumi/pulumi-kubernetes/provider/v4/pkg/provider"
	"github.com/pulumi/pulumi-kubernetes/provider/v4/pkg/version"
)

//go:embed schema.json
var schema []byte

//go:embed terraform-mapping.json
var terraformMapping []byte

func main() {
	provider.Serve("kubernetes", version.Version, schema, terraformMapping)
}
