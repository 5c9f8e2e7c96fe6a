module matomo-fleet/local/pulumi

go 1.26.8
