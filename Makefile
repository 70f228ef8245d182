# The targets are what CI runs; `.ci/run` calls `make test`.
.PHONY: fmt lint doc test bench crds deny kubernetes leftovers

# One set of dependencies for everything: a `cargo run` of the root package alone would compile them once more.
OPERATOR := cargo run --quiet --locked --package e2e --bin operator-under-test --
CONTROL_PLANE := cargo run --quiet --locked --package e2e --bin local-control-plane --
DENY := target/tools/bin/cargo-deny

# Fails when something is not formatted; `cargo fmt --all` formats it.
fmt:
	cargo fmt --all --check

lint:
	cargo clippy --locked --workspace --all-targets -- --deny warnings

doc:
	RUSTDOCFLAGS="--deny warnings" cargo doc --locked --workspace --no-deps

# Everything that decides whether a change is good, cheap things first, with the number of tests of each tier at the end.
test: fmt lint doc
	.ci/tiers

bench:
	cargo bench --locked --package e2e --benches

# The custom resource definitions, from the types. Written beside and moved, so that a failure leaves the old file.
crds:
	mkdir -p crds
	$(OPERATOR) crds > crds/.next
	mv crds/.next crds/qlik-operator.yaml

# Licences, banned crates, duplicate versions, sources. Builds its tool first, which takes minutes.
deny: $(DENY)
	$(DENY) --workspace --locked check licenses bans sources

$(DENY):
	cargo install cargo-deny --locked --root target/tools --version 0.20.2

# The Kubernetes programs of the local control plane: 11 minutes with a cold Go cache, seconds with a warm one.
kubernetes:
	$(CONTROL_PLANE) build

# Fails when ended test runs have left processes or directories behind.
leftovers:
	$(CONTROL_PLANE) check

.PHONY: demo up

# The story of three customers, told and checked in well under a minute; the first time it builds for some minutes.
demo:
	cargo build --locked --package e2e --bins
	cargo run --quiet --locked --package e2e --bin playground -- demo

# The same pieces left running until Ctrl-C, with a kubeconfig and hints.
up:
	cargo build --locked --package e2e --bins
	cargo run --quiet --locked --package e2e --bin playground -- up

.PHONY: argocd-config argocd-scripts e2e-argocd

ARGOCD := cargo run --quiet --locked --package e2e --bin e2e-argocd --

# Health checks and actions for Argo CD, from the files in config/argocd/lua. Written beside and moved, as above.
argocd-config:
	$(ARGOCD) config > config/argocd/.next
	mv config/argocd/.next config/argocd/argocd-cm.yaml

# The same checks and actions run by Argo CD itself on a table of objects: 6 minutes with a cold Go cache. `make test`
# runs that table, too, in a Lua of the same version.
argocd-scripts:
	$(ARGOCD) scripts

# Argo CD itself, as local processes beside the control plane, the operator and the simulated Qlik Cloud, syncing from a
# local Git repository. Needs git and Debian's redis-server.
e2e-argocd: argocd-scripts
	cargo build --locked --package e2e --bins
	$(ARGOCD) story
