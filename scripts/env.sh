# What every script shares. Source it from the root of the repository: . scripts/env.sh
# shellcheck shell=sh

# The pinned tools come first, so that no script depends on what the machine has installed.
PATH="$PWD/node_modules/.bin:$PWD/.tools/bin:$PATH"
export PATH

# worker-build would otherwise fetch these three from GitHub.
export WASM_BINDGEN_BIN="$PWD/.tools/bin/wasm-bindgen"
export WASM_OPT_BIN="$PWD/node_modules/.bin/wasm-opt"
export ESBUILD_BIN="$PWD/node_modules/.bin/esbuild"
# worker-build sets this for its own cargo call; set for all calls, none of them rebuilds another's work.
export WASM_BINDGEN_USE_JS_SYS=1

# Wrangler neither calls home nor asks questions.
export WRANGLER_SEND_METRICS=false WRANGLER_SEND_ERROR_REPORTS=false WRANGLER_HIDE_BANNER=true
export DO_NOT_TRACK=1 CLOUDFLARE_CF_FETCH_ENABLED=false CI=1
export X_LOCAL_EXPLORER=false X_LOCAL_OBSERVABILITY=false

# shellcheck disable=SC2034 # for the scripts that source this
target_dir=${CARGO_TARGET_DIR:-target}

say() { printf '\033[1m==>\033[0m %s\n' "$*"; }

die() {
  printf '%s: %s\n' "${0##*/}" "$*" >&2
  exit 1
}

# compiled package binary: brings a native binary up to date; the first time one sees that it works.
compiled() {
  if [ -x "$target_dir/debug/$2" ]; then
    cargo build --quiet -p "$1" --bin "$2"
  else
    say "Compiling $2 (once; some minutes)" >&2
    cargo build -p "$1" --bin "$2"
  fi
}

# edgekeep arguments...: the command-line tool.
edgekeep() { compiled edgekeep-native edgekeep && "$target_dir/debug/edgekeep" "$@"; }

# gzip_kb file: its size as Cloudflare counts it.
gzip_kb() { echo $((($(gzip -9 -c "$1" | wc -c) + 1023) / 1024)); }

# need_spin: ends the script where there is no Spin that can run our components (they export wasi:http 0.3).
need_spin() {
  case $(spin --version 2>/dev/null | sed -n 's/^spin \([0-9]*\)\.\([0-9]*\).*/\1 \2/p') in
    '') die "Spin is missing; install 4.1 or newer from https://spinframework.dev and try again" ;;
    [0-3]\ * | 4\ 0) die "this Spin is too old; install 4.1 or newer from https://spinframework.dev and try again" ;;
  esac
}

# usage "$0" "${1-}": for -h or --help, prints the comment at the head of the script and ends it.
usage() {
  case $2 in
    -h | --help) sed -n '2,/^[^#]/s/^# \{0,1\}//p' "$1" | sed '/^shellcheck /d' && exit 0 ;;
  esac
}

# unchanged_since stamp file...: true if the stamp exists and no file is newer.
unchanged_since() {
  [ -e "$1" ] && [ -z "$(find "$@" -newer "$1" 2>/dev/null)" ]
}
