.PHONY: kubernetes leftovers

# The Kubernetes programs of the local control plane: 11 minutes with a cold Go cache, seconds with a warm one.
kubernetes:
	cargo run --quiet --package e2e --bin local-control-plane -- build

# Fails when ended test runs have left processes or directories behind.
leftovers:
	cargo run --quiet --package e2e --bin local-control-plane -- check
