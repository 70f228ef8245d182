.PHONY: kubernetes leftovers

# The Kubernetes programs of the local control plane: 11 minutes with a cold Go cache, seconds with a warm one.
kubernetes:
	cargo run --quiet --package e2e --bin local-control-plane -- build

# Fails when ended test runs have left processes or directories behind.
leftovers:
	cargo run --quiet --package e2e --bin local-control-plane -- check

.PHONY: demo up

# The story of three customers, told and checked in well under a minute; the first time it builds for some minutes.
demo:
	cargo build --locked --package e2e --bins
	cargo run --quiet --locked --package e2e --bin playground -- demo

# The same pieces left running until Ctrl-C, with a kubeconfig and hints.
up:
	cargo build --locked --package e2e --bins
	cargo run --quiet --locked --package e2e --bin playground -- up
