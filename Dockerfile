# The operator alone: one static program and the certificate authorities it trusts. No shell, no package manager.
#
#   docker build -t qlik-operator .
#
# Nothing is fetched from the network if the build context holds a directory `vendor` (`cargo vendor --locked`); crates
# come from a mirror with --build-arg CRATES_MIRROR=sparse+https://mirror.example/index/. Both base images can be others:
# a builder needs cargo and rustc of the version below, a C compiler and /etc/ssl/certs/ca-certificates.crt.
ARG BUILDER_IMAGE=docker.io/library/rust:1.95.0-bookworm
ARG RUNTIME_IMAGE=scratch

FROM ${BUILDER_IMAGE} AS builder
ARG CRATES_MIRROR=""
# Seconds since 1970: the time of every file in the image. The same sources and builder give the same bytes.
ARG SOURCE_DATE_EPOCH=0
WORKDIR /src
COPY . .
# Paths of the builder are of no use to whoever reads a backtrace; without them a build elsewhere gives the same bytes.
# What was compiled before is kept beside the image, for the next build.
# The static C library resolves names by itself, but looks into /etc/hosts only if /etc/nsswitch.conf says so.
RUN --mount=type=cache,target=/src/target set -eu; \
    target="$(rustc --version --verbose | sed -n 's/^host: //p')"; \
    cargo_home="${CARGO_HOME:-$HOME/.cargo}"; \
    flags="-C target-feature=+crt-static --remap-path-prefix=/src=. --remap-path-prefix=${cargo_home}=/cargo"; \
    variable="CARGO_TARGET_$(echo "$target" | tr 'a-z-' 'A-Z_')_RUSTFLAGS"; \
    export "$variable=$flags" SOURCE_DATE_EPOCH; \
    export CFLAGS="-ffile-prefix-map=/src=. -ffile-prefix-map=${cargo_home}=/cargo"; \
    set --; \
    if [ -d vendor ]; then \
      set -- --offline --config 'source.crates-io.replace-with="vendored"' --config 'source.vendored.directory="vendor"'; \
    elif [ -n "$CRATES_MIRROR" ]; then \
      set -- --config 'source.crates-io.replace-with="mirror"' --config "source.mirror.registry=\"$CRATES_MIRROR\""; \
    fi; \
    cargo build --release --locked --package qlik-operator --target "$target" "$@"; \
    mkdir -p /image/etc/ssl/certs /image/licenses; \
    cp "target/$target/release/qlik-operator" /image/qlik-operator; \
    cp -L /etc/ssl/certs/ca-certificates.crt /image/etc/ssl/certs/ca-certificates.crt; \
    cp LICENSE /image/licenses/LICENSE; \
    echo 'hosts: files dns' > /image/etc/nsswitch.conf; \
    find /image -exec touch --no-dereference --date="@$SOURCE_DATE_EPOCH" {} +

FROM ${RUNTIME_IMAGE}
ARG VERSION=0.1.0
ARG REVISION=""
LABEL org.opencontainers.image.title="qlik-operator" \
      org.opencontainers.image.description="Kubernetes operator for the life cycle of Qlik Cloud tenants" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
COPY --from=builder /image/ /
# A number, so that Kubernetes can see that it is not root; 65532 is what distroless images call nonroot.
USER 65532:65532
ENTRYPOINT ["/qlik-operator"]
CMD ["run"]
