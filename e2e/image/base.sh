#!/usr/bin/env bash
# Makes the builder's base image from this machine's packages: what a C compiler needs, a shell, and the Rust toolchain
# of rust-toolchain.toml. It takes the place of the Dockerfile's default, so that nothing is pulled from anywhere.
set -euo pipefail
# shellcheck source=common.sh
source "$(dirname "$0")/common.sh"

packages=(gcc libc6-dev ca-certificates dash coreutils sed findutils)

# The packages and all that they depend on, as far as they are installed.
closure() {
  apt-cache depends --recurse --installed --no-recommends --no-suggests --no-conflicts --no-breaks --no-replaces \
    --no-enhances "${packages[@]}" | grep -E '^[a-z0-9]' | cut -d: -f1 | sort -u
}

# Their files without documentation, as paths below /, and the few that belong to none of them.
# What packages have in /bin and /lib is in /usr by now.
files() {
  local path
  closure | xargs dpkg-query --listfiles | sed -E 's,^/(bin|sbin|lib|lib64)/,/usr/\1/,' |
    grep -E '^/(usr|etc)/' | grep -vE '^/usr/share/(doc|man|info|locale|lintian|bug)/' | sort -u |
    while read -r path; do
      if [[ -L $path || -f $path ]]; then printf '%s\n' "${path#/}"; fi
    done
  printf '%s\n' bin lib lib64 sbin usr/bin/cc etc/alternatives/cc etc/ssl/certs/ca-certificates.crt
}

main() {
  local root=$work/base toolchain stamp
  toolchain=$(cd "$workspace" && rustc --print sysroot)
  stamp=$(cat "$0" <(rustc --version) <(closure | xargs dpkg-query --show) | sha256sum | cut -d' ' -f1)
  if buildah inspect --type image "$builder" 2> /dev/null | grep -q "$stamp"; then
    return
  fi
  say "making $builder from the packages and the Rust toolchain of this machine"
  rm -rf "$root"
  mkdir -p "$root/usr/local/rust" "$root/tmp"
  files | tar --create --directory / --files-from - | tar --extract --directory "$root"
  cp -a "$toolchain/bin" "$toolchain/lib" "$toolchain/libexec" "$root/usr/local/rust/"
  local container
  container=$(buildah from scratch)
  buildah add --quiet "$container" "$root" / > /dev/null
  buildah config --env PATH=/usr/local/rust/bin:/usr/bin:/bin --env CARGO_HOME=/usr/local/cargo \
    --label "made-from=$stamp" "$container"
  buildah commit --quiet --rm "$container" "$builder" > /dev/null
  # What had this name before.
  buildah rmi --prune > /dev/null
  rm -rf "$root"
}

main
