# The targets are what CI runs; `.ci/run` calls `make test` and `make endurance`.
.PHONY: fmt lint doc test endurance nightly bench crds manifests docs-metrics deny helm kubernetes scan leftovers

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

# What decides about a change while it is made, cheap things first (fmt, lint, doc), with the number of tests of each tier and
# the time of each step at the end.
test:
	.ci/tiers test

# What means something only by many repetitions or long waits, and would make `make test` twice as long.
endurance:
	.ci/tiers endurance

# Both uncut: a kill after each request, each fault, each wrong manifest through kubectl; then what needs programs that not
# every machine has. Hours.
nightly:
	.ci/tiers nightly

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
	$(CHART) helm
	target/local-kubernetes/kubectl kustomize config/default > target/scan/default.yaml
	target/local-kubernetes/kubectl kustomize config/namespaced > target/scan/namespaced.yaml
	target/local-helm/helm template qlik-operator charts/qlik-operator --namespace qlik-operator \
	  --values e2e/tests/fast/chart/everything.yaml > target/scan/everything.yaml
	$(SCANNER) --config-file .checkov.yaml --directory target/scan

$(SCANNER):
	python3 -m venv target/tools/checkov
	target/tools/checkov/bin/pip install --quiet checkov==3.3.30

# Fails when ended test runs have left processes or directories behind.
leftovers:
	$(CONTROL_PLANE) check

.PHONY: demo up lab

# The story of three customers, told and checked in well under a minute; the first time it builds for some minutes.
demo:
	cargo build --locked --package e2e --bins
	cargo run --quiet --locked --package e2e --bin playground -- demo

# The same pieces left running until Ctrl-C, with a kubeconfig and hints.
up:
	cargo build --locked --package e2e --bins
	cargo run --quiet --locked --package e2e --bin playground -- up

# A cluster without an operator, to install it into with Helm; left running until Ctrl-C.
lab:
	cargo build --locked --package e2e --bins
	$(CHART) helm
	cargo run --quiet --locked --package e2e --bin playground -- lab

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

.PHONY: dashboard

# Whether the dashboard is as Grafana's own schema has it, panels and queries included. Builds the check first, which takes a
# minute. That each metric in it exists is part of `make test`.
dashboard:
	go run -C e2e/dashboard . $(CURDIR)/charts/qlik-operator/files/dashboard.json

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
