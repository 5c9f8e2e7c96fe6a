module matomo-fleet/local/crds

go 1.26.0

require (
	github.com/cert-manager/cert-manager v1.19.0
	sigs.k8s.io/gateway-api v1.4.1
)
