# The targets are what CI runs; `.ci/run` calls `make test`.
.PHONY: fmt lint doc test bench crds manifests docs-metrics deny helm kubernetes scan leftovers

# One set of dependencies for everything: a `cargo run` of the root package alone would compile them once more.
OPERATOR := cargo run --quiet --locked --package e2e --bin operator-under-test --
CHART := cargo run --quiet --locked --package e2e --bin chart --
CONTROL_PLANE := cargo run --quiet --locked --package e2e --bin local-control-plane --
SCANNER := target/tools/checkov/bin/checkov
DENY := target/tools/bin/cargo-deny
CYCLONEDX := target/tools/bin/cargo-cyclonedx

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
	$(CHART) crds

# What is made from the chart: the kustomize bases, and the table of values in its README.
manifests:
	$(CHART) manifests

# The reference of the metrics, from the table that they are served from.
docs-metrics:
	$(OPERATOR) metrics > docs/.next
	mv docs/.next docs/METRICS.md

# Licences, banned crates, duplicate versions, sources. Builds its tool first, which takes minutes.
deny: $(DENY)
	$(DENY) --workspace --locked check licenses bans sources

$(DENY):
	cargo install cargo-deny --locked --root target/tools --version 0.20.2

# The Kubernetes programs of the local control plane: 11 minutes with a cold Go cache, seconds with a warm one.
kubernetes:
	$(CONTROL_PLANE) build

# Helm 4 and Helm 3: 4 minutes each with a cold Go cache, seconds with a warm one.
helm:
	$(CHART) helm

# What a scanner says about the rendered manifests; what it is wrong about is in .checkov.yaml, with the reasons. Installs its tool first.
scan: $(SCANNER)
	mkdir -p target/scan
	$(CONTROL_PLANE) build
	for base in default namespaced; do \
	  target/local-kubernetes/kubectl kustomize config/$$base > target/scan/$$base.yaml && \
	  $(SCANNER) --config-file .checkov.yaml --file target/scan/$$base.yaml || exit 1; \
	done

$(SCANNER):
	python3 -m venv target/tools/checkov
	target/tools/checkov/bin/pip install --quiet checkov==3.3.30

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

.PHONY: image e2e-node e2e-node-setup release

# The image of the Dockerfile, built with no network and checked. Linux, as root, with Debian's buildah.
image:
	e2e/image/build.sh
	e2e/image/check.sh

# The operator on a real node of its own, from helm install to helm uninstall. Linux, as root; says what is missing.
e2e-node: image
	e2e/image/pause.sh
	e2e/image/next.sh
	cargo build --locked --package e2e --bins
	cargo run --quiet --locked --package e2e --bin e2e-node

# The packages that it needs, on Debian.
e2e-node-setup:
	apt-get install --yes --no-install-recommends buildah conntrack containerd containernetworking-plugins iptables runc

# Everything that a release consists of, in target/release-artifacts.
release: image helm $(DENY) $(CYCLONEDX)
	.ci/release

$(CYCLONEDX):
	cargo install cargo-cyclonedx --locked --root target/tools --version 0.5.9

.PHONY: alerts

# Promtool of Prometheus 2.42 or later; not part of `make test`, which needs no packages of the system.
PROMTOOL ?= promtool

# Whether each alert fires when it has to, and only then.
alerts:
	@command -v $(PROMTOOL) > /dev/null || { echo "no promtool: 'apt-get install prometheus', or set PROMTOOL to its path" >&2; exit 1; }
	$(PROMTOOL) check rules charts/qlik-operator/files/alerts.yaml
	$(PROMTOOL) test rules e2e/alerts/tests.yaml
