#!/usr/bin/env bash
# Builds the image of the Dockerfile without any network, into an archive that a container runtime can import.
set -euo pipefail
# shellcheck source=common.sh
source "$(dirname "$0")/common.sh"

context=$work/context

# The tracked files as they are now, and every crate: what a build with no network gets as its context.
gather() {
  local next=$work/context.next
  rm -rf "$next"
  mkdir -p "$next"
  git ls-files -z -- Dockerfile .dockerignore Cargo.toml Cargo.lock LICENSE src e2e/Cargo.toml e2e/src/lib.rs \
    e2e/benches/load.rs | xargs -0 cp --parents -t "$next"
  if ! cmp --quiet Cargo.lock "$work/vendored.lock"; then
    say "copying the crates of Cargo.lock, fetching those that this machine has not got yet"
    rm -rf "$work/vendor" "$work/vendored.lock"
    cargo vendor --locked --versioned-dirs "$work/vendor" > /dev/null 2> "$work/vendor.log" ||
      fail "cargo vendor failed: $(tail -n 5 "$work/vendor.log")"
    cp Cargo.lock "$work/vendored.lock"
  fi
  rm -rf "$context"
  mv "$next" "$context"
  # Hard links: four hundred megabytes need not be there twice.
  cp -al "$work/vendor" "$context/vendor"
}

# Everything that decides what comes out.
stamp() {
  {
    (cd "$context" && find . -path ./vendor -prune -o -type f -print0 | sort -z | xargs -0 sha256sum)
    buildah inspect --type image --format '{{.FromImageID}}' "$builder"
    cat "$0"
  } | sha256sum | cut -d' ' -f1
}

main() {
  require buildah=buildah gcc=gcc unshare=util-linux
  cd "$workspace"
  mkdir -p "$work/cache"
  exec 9> "$work/lock"
  flock 9
  "$(dirname "$0")/base.sh"
  gather
  local now since=$SECONDS epoch revision
  now=$(stamp)
  if [[ -f $work/image.tar && $now == "$(cat "$work/built-from.sha256" 2> /dev/null)" ]]; then
    say "$image is up to date"
    return
  fi
  epoch=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct)}
  revision=$(git rev-parse HEAD)
  say "building $image with no network: some minutes"
  # No network namespace but an empty one: had anything to be fetched, this would fail.
  TMPDIR=$work/cache unshare --net "$(command -v buildah)" --root "$work/storage" --runroot "$work/run" --storage-driver vfs \
    bud --isolation chroot --pull-never --quiet --timestamp "$epoch" --build-arg "BUILDER_IMAGE=$builder" \
    --build-arg "SOURCE_DATE_EPOCH=$epoch" --build-arg "VERSION=$version" --build-arg "REVISION=$revision" \
    --tag "$image" "$context" > "$work/build.log" 2>&1 || fail "the build failed: $(tail -n 30 "$work/build.log")"
  rm -f "$work/image.tar"
  buildah push --quiet "$image" "oci-archive:$work/image.tar:$image"
  echo "$now" > "$work/built-from.sha256"
  say "built $image in $((SECONDS - since)) s: $work/image.tar"
}

main
