# shellcheck shell=bash
# What scripts/* share: where things are, what must be installed, the private
# PostgreSQL trees, the build and the private servers. Sourced, never run.
#
# Folders (all ignored by git):
#   .local/tools    cargo-pgrx, where the pinned version is not on PATH
#   .local/pgrx     PGRX_HOME
#   .local/venv     pgspot
#   .local/log      what builds said
#   $CDP_RUN        what the servers' operating system user must reach: trees, data, sockets. It is
#                   .local, or /tmp/pg_cdp.<hash of the checkout's path> where root's checkout lies in
#                   a folder that the user `postgres` cannot enter (/root, say)
#
# Settings from the environment:
#   CDP_PG            major version of PostgreSQL, 15 to 18; without it 15, or the newest to be had
#   CARGO_TARGET_DIR  respected
#   CDP_VERBOSE=1     show builds instead of only writing them to .local/log
#   CDP_SERVER_FROM_PACKAGE=1  unpack the server's package even where the server is installed

set -euo pipefail
umask 022

CDP_ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)
CDP_LOCAL=$CDP_ROOT/.local
CDP_HASH=$(printf %s "$CDP_ROOT" | sha256sum | cut -c1-10)
CDP_RUN=
CDP_MAJOR=

# PostgreSQL's own programs call each other through a shell, and quote only so much.
case $CDP_ROOT in *[\"\$\`]* | *$'\n'*)
	printf '%s: the path of this checkout has a ", $ or ` in it, which PostgreSQL cannot cope with: move it\n' "${0##*/}" >&2
	exit 1
	;;
esac

PGRX_VERSION=0.18.1
SOCKET_LIMIT=107 # bytes of a Unix socket's path: sun_path, less its final zero

# Nothing of the caller's PostgreSQL may leak in.
unset PGHOST PGHOSTADDR PGPORT PGUSER PGDATABASE PGPASSWORD PGPASSFILE PGSERVICE PGOPTIONS PGDATA \
	PGSSLMODE PGTZ PGCLIENTENCODING

export PGRX_HOME=$CDP_LOCAL/pgrx
export PATH=$CDP_LOCAL/tools/bin:$PATH:${CARGO_HOME:-${HOME:-/root}/.cargo}/bin
export USER=${USER:-$(id -un)}

if [ "$(id -u)" = 0 ]; then CDP_OS_USER=postgres; else CDP_OS_USER=$(id -un); fi
export CDP_OS_USER

say() { printf '==> %s\n' "$*"; }
die() {
	printf '%s: %s\n' "$(basename "$0")" "$*" >&2
	exit 1
}
is_root() { [ "$(id -u)" = 0 ]; }

# After `sudo scripts/demo` the user cannot write what root made, and the other way round root would leave such.
if [ -e "$CDP_LOCAL" ] && [ ! -O "$CDP_LOCAL" ]; then
	die "$CDP_LOCAL belongs to $(stat -Lc %U "$CDP_LOCAL"), who ran this before: run it as $(stat -Lc %U "$CDP_LOCAL"), or remove it first"
fi

as_root() { if is_root; then "$@"; else sudo "$@"; fi; }

# Runs a command as the user that servers run as. From /: it may not be allowed to read where we stand.
as_server_user() (
	cd /
	if is_root; then exec runuser -u "$CDP_OS_USER" -- "$@"; else exec "$@"; fi
)

# with_lock NAME COMMAND…: one at a time in a checkout. The lock is never passed on to a server: those outlive us.
with_lock() (
	mkdir -p "$CDP_LOCAL/log"
	exec 9>"$CDP_LOCAL/log/$1.lock"
	shift
	flock -n 9 || {
		say "waiting for another script in this checkout"
		flock 9
	}
	"$@"
)

# logged NAME COMMAND…: the output goes to .local/log/NAME.log, and is shown when the command fails.
logged() {
	local log=$CDP_LOCAL/log/$1.log
	shift
	mkdir -p "$CDP_LOCAL/log"
	if [ "${CDP_VERBOSE:-}" = 1 ]; then
		"$@" 2>&1 | tee "$log"
	elif ! "$@" >"$log" 2>&1; then
		tail -n 60 "$log" >&2
		die "failed: $* (all of it: $log)"
	fi
}

# ---------------------------------------------------------------------------------------- packages

# Which of these Debian packages are missing?
missing_packages() {
	local name status
	for name in "$@"; do
		status=$(dpkg-query -W -f='${db:Status-Status}' "$name" 2>/dev/null || true)
		[ "$status" = installed ] || printf '%s\n' "$name"
	done
}

apt_updated=
apt_install() {
	[ $# -gt 0 ] || return 0
	say "installing with apt: $*"
	apt_update
	as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends "$@" \
		>>"$CDP_LOCAL/log/apt.log" 2>&1 || {
		tail -n 30 "$CDP_LOCAL/log/apt.log" >&2
		die "apt-get install failed"
	}
}
apt_update() {
	[ -z "$apt_updated" ] || return 0
	mkdir -p "$CDP_LOCAL/log"
	as_root apt-get update -q >"$CDP_LOCAL/log/apt.log" 2>&1 || say "apt-get update failed; going on with the lists at hand"
	apt_updated=1
}
apt_has() { apt-cache show "$1" >/dev/null 2>&1; }

PGDG="add the PostgreSQL project's (https://wiki.postgresql.org/wiki/Apt)"

# CDP_MAJOR: what was asked for; else 15; else what is installed; else the newest in the package lists.
choose_major() {
	[ -z "$CDP_MAJOR" ] || return 0
	local major
	if [ -n "${CDP_PG:-}" ]; then
		case $CDP_PG in
		15 | 16 | 17 | 18) CDP_MAJOR=$CDP_PG ;;
		*) die "CDP_PG=$CDP_PG: PostgreSQL 15, 16, 17 or 18 is wanted" ;;
		esac
		[ ! -f "/usr/include/postgresql/$CDP_MAJOR/server/postgres.h" ] || return 0
		apt_has "postgresql-server-dev-$CDP_MAJOR" || apt_update
		apt_has "postgresql-server-dev-$CDP_MAJOR" || die "CDP_PG=$CDP_PG: no PostgreSQL $CDP_MAJOR in the package lists; $PGDG"
		return 0
	fi
	for major in 15 18 17 16; do
		if [ -f "/usr/include/postgresql/$major/server/postgres.h" ]; then
			CDP_MAJOR=$major
			return 0
		fi
	done
	command -v apt-get >/dev/null ||
		die "only Debian and Ubuntu are supported: apt-get is not here"
	apt_update
	for major in 15 18 17 16; do
		if apt_has "postgresql-server-dev-$major"; then
			CDP_MAJOR=$major
			[ "$major" = 15 ] || say "PostgreSQL 15 is not in the package lists; taking $major"
			return 0
		fi
	done
	die "no PostgreSQL 15 to 18 in the package lists; $PGDG"
}

server_is_installed() {
	[ "${CDP_SERVER_FROM_PACKAGE:-}" != 1 ] && [ -x "/usr/lib/postgresql/$CDP_MAJOR/bin/postgres" ]
}

install_packages() {
	command -v apt-get >/dev/null || die "only Debian and Ubuntu are supported: apt-get is not here"
	local wanted=(build-essential clang libclang-dev pkg-config libssl-dev curl ca-certificates git python3
		python3-venv "postgresql-server-dev-$CDP_MAJOR" "postgresql-client-$CDP_MAJOR")
	# cargo pgrx test changes to the server's user with sudo, even from root
	if is_root; then wanted+=(sudo); fi
	local missing
	mapfile -t missing < <(missing_packages "${wanted[@]}")
	if [ ${#missing[@]} -gt 0 ]; then
		if ! is_root && ! command -v sudo >/dev/null; then
			die "these packages are missing, and there is no sudo to install them with: ${missing[*]}"
		fi
		mkdir -p "$CDP_LOCAL/log"
		apt_install "${missing[@]}"
	fi
	# Only where root has to give the servers to somebody. Debian's postgresql-common makes this user too
	# and takes an existing one as it is.
	if is_root && ! id -u postgres >/dev/null 2>&1; then
		say "adding the system user postgres, for servers to run as"
		useradd --system --user-group --home-dir /var/lib/postgresql --shell /bin/bash \
			--comment 'PostgreSQL administrator' postgres
	fi
}

# The server itself is never *installed* by us: installing postgresql-15 would make and start a cluster
# "main", and start every other cluster that is down. Where it is not installed already, its package is
# only downloaded and unpacked into the private tree: no maintainer script runs, so no cluster, no service
# and no setting of the machine is touched. Its libraries (not the server) come from apt.
unpack_server() {
	local into=$1 work libraries missing
	mapfile -t libraries < <(apt-cache depends --no-recommends --no-suggests --no-conflicts --no-breaks \
		--no-replaces --no-enhances "postgresql-$CDP_MAJOR" | awk '$1 == "Depends:" && $2 ~ /^(lib|zlib|tzdata)/ { print $2 }')
	[ ${#libraries[@]} -gt 0 ] || die "postgresql-$CDP_MAJOR is not in the package lists"
	mapfile -t missing < <(missing_packages "${libraries[@]}")
	apt_install "${missing[@]}"
	say "unpacking the server of PostgreSQL $CDP_MAJOR (not installing it)"
	apt_update
	work=$(mktemp -d /tmp/pg_cdp.deb.XXXXXX)
	chmod 755 "$work"
	(
		cd "$work"
		apt-get download -q "postgresql-$CDP_MAJOR" >"$CDP_LOCAL/log/download.log" 2>&1 || {
			cat "$CDP_LOCAL/log/download.log" >&2
			die "apt-get download postgresql-$CDP_MAJOR failed"
		}
		dpkg-deb -x postgresql-*.deb root
	)
	cp -a --no-preserve=ownership "$work/root/usr/lib/postgresql/$CDP_MAJOR/." "$into/usr/lib/postgresql/$CDP_MAJOR/"
	cp -a --no-preserve=ownership "$work/root/usr/share/postgresql/$CDP_MAJOR/." "$into/usr/share/postgresql/$CDP_MAJOR/"
	rm -rf "$work"
}

# -------------------------------------------------------------------------------------------- Rust

install_rust() {
	if ! command -v cargo >/dev/null; then
		say "installing Rust with rustup, into ~/.cargo"
		mkdir -p "$CDP_LOCAL/log"
		# The second address is where rustup gets Rust itself from: a network that lets this pass may not know the first.
		local site
		: >"$CDP_LOCAL/log/curl.log"
		for site in https://sh.rustup.rs https://static.rust-lang.org/rustup/rustup-init.sh; do
			! curl -sSfL --proto '=https' --tlsv1.2 --retry 3 "$site" -o "$CDP_LOCAL/rustup-init.sh" \
				2>>"$CDP_LOCAL/log/curl.log" || break
			site=
		done
		[ -n "$site" ] || {
			cat "$CDP_LOCAL/log/curl.log" >&2
			die "rustup cannot be had from sh.rustup.rs or static.rust-lang.org; install Rust (https://rustup.rs) and run this again"
		}
		logged rustup sh "$CDP_LOCAL/rustup-init.sh" -y --no-modify-path --profile minimal -c clippy -c rustfmt
		hash -r
	fi
	local wanted have
	wanted=$(sed -n 's/^rust-version = "\(.*\)"/\1/p' "$CDP_ROOT/Cargo.toml" | head -1)
	have=$(cargo --version | awk '{ print $2 }')
	if [ "$(printf '%s\n' "$wanted" "$have" | sort -V | head -1)" != "$wanted" ]; then
		die "Rust $wanted or newer is wanted, and $(command -v cargo) is $have: rustup update stable, or remove it and run this again"
	fi
}

install_cargo_pgrx() {
	if [ "$(cargo pgrx --version 2>/dev/null | awk '{ print $NF }')" != "$PGRX_VERSION" ]; then
		say "building cargo-pgrx $PGRX_VERSION into .local/tools (some minutes, once)"
		logged cargo-pgrx cargo install --locked --root "$CDP_LOCAL/tools" --version "=$PGRX_VERSION" cargo-pgrx
		hash -r
	fi
	# `cargo pgrx init` would also make a cluster of its own; all that is needed of it is this file. It is
	# written only when it changes: pgrx generates its bindings anew after each write.
	local config
	config=$(printf '[configs]\npg%s = "%s"' "$CDP_MAJOR" "$(pg_bin test)/pg_config")
	if [ "$(cat "$PGRX_HOME/config.toml" 2>/dev/null)" != "$config" ]; then
		mkdir -p "$PGRX_HOME"
		printf '%s\n' "$config" >"$PGRX_HOME/config.toml"
	fi
}

# pgspot, in a virtual environment of ours
install_pgspot() {
	local wanted=$CDP_ROOT/scripts/pgspot.requirements venv=$CDP_LOCAL/venv
	if ! cmp -s "$wanted" "$venv/installed"; then
		say "installing pgspot into .local/venv"
		rm -rf "$venv"
		logged pgspot python3 -m venv "$venv"
		logged pgspot "$venv/bin/pip" install --quiet --disable-pip-version-check -r "$wanted"
		cp "$wanted" "$venv/installed"
	fi
}

# ------------------------------------------------------------------------------------------- trees

# A private copy of PostgreSQL a build: `debug` (tests), `release` (demo, benchmarks), `test` (cargo pgrx
# test, which installs a library of its own with the tests inside). PostgreSQL finds its files by their place
# relative to the running binary, so a copy works anywhere if it keeps the places that Debian compiled
# in, below a prefix of our own:
#   <tree>/usr/lib/postgresql/15/{bin,lib}    copied
#   <tree>/usr/share/postgresql/15            copied
#   <tree>/usr/include/postgresql             a link to the headers
# and `cargo pgrx install --pg-config <tree>/usr/lib/postgresql/15/bin/pg_config` writes there, never to /usr.
tree_dir() { printf '%s/pg%s-%s' "$CDP_RUN" "$CDP_MAJOR" "$1"; }
pg_bin() { printf '%s/usr/lib/postgresql/%s/bin' "$(tree_dir "$1")" "$CDP_MAJOR"; }
pg_extension_dir() { printf '%s/usr/share/postgresql/%s/extension' "$(tree_dir "$1")" "$CDP_MAJOR"; }

locate_run() {
	[ -z "$CDP_RUN" ] || return 0
	mkdir -p "$CDP_LOCAL"
	if ! is_root || as_server_user test -x "$CDP_LOCAL"; then
		CDP_RUN=$CDP_LOCAL
	else
		CDP_RUN=/tmp/pg_cdp.$CDP_HASH
		[ -d "$CDP_RUN" ] || {
			say "the user $CDP_OS_USER cannot reach $CDP_LOCAL: servers are kept in $CDP_RUN"
			mkdir "$CDP_RUN"
		}
		own_folder "$CDP_RUN"
	fi
	export CDP_RUN
}
# In a folder that all may write to, a name of ours may have been taken by somebody else.
own_folder() {
	if [ -L "$1" ] || [ ! -O "$1" ]; then die "$1 belongs to somebody else; remove it"; fi
}

make_tree() {
	local tree from version other
	tree=$(tree_dir "$1")
	version=$(dpkg-query -W -f='${Version}' "postgresql-server-dev-$CDP_MAJOR")
	if server_is_installed; then from=installed; else from=package; fi
	[ "$(cat "$tree/version" 2>/dev/null || true)" != "$version $from" ] || return 0
	say "copying PostgreSQL $CDP_MAJOR ($version) to $tree"
	stop_servers_of "$1"
	rm -rf "$tree" "$tree.new"
	for other in debug release test; do
		other=$(tree_dir "$other")
		[ "$(cat "$other/version" 2>/dev/null || true)" != "$version $from" ] || break
		other=
	done
	if [ -n "$other" ]; then
		cp -a "$other" "$tree.new"
		rm -f "$tree.new/stamp" "$tree.new/version"
	else
		mkdir -p "$tree.new/usr/lib/postgresql" "$tree.new/usr/share/postgresql/$CDP_MAJOR" "$tree.new/usr/include"
		cp -a --no-preserve=ownership "/usr/lib/postgresql/$CDP_MAJOR" "$tree.new/usr/lib/postgresql/"
		if [ -d "/usr/share/postgresql/$CDP_MAJOR" ]; then
			cp -a --no-preserve=ownership "/usr/share/postgresql/$CDP_MAJOR" "$tree.new/usr/share/postgresql/"
		fi
		ln -s /usr/include/postgresql "$tree.new/usr/include/postgresql"
		[ $from = installed ] || unpack_server "$tree.new"
	fi
	# a pg_cdp of the machine's, or of another build, is not ours
	rm -f "$tree.new/usr/lib/postgresql/$CDP_MAJOR/lib"/pg_cdp* "$tree.new/usr/share/postgresql/$CDP_MAJOR/extension"/pg_cdp*
	printf '%s\n' "$version $from" >"$tree.new/version"
	mv "$tree.new" "$tree"
}

# ------------------------------------------------------------------------------------------- setup

setup() {
	choose_major
	install_packages
	locate_run
	with_lock setup setup_locked
}
setup_locked() {
	install_rust
	local tree
	for tree in debug release test; do make_tree $tree; done
	install_cargo_pgrx
}

# ------------------------------------------------------------------------------------------- build

# For cargo: this package's features
cargo_features() { printf '%s\n' --no-default-features --features "pg$CDP_MAJOR"; }

source_hash() (
	cd "$CDP_ROOT"
	local paths=() path
	for path in src engine sql Cargo.toml Cargo.lock pg_cdp.control build.rs; do
		[ ! -e $path ] || paths+=("$path")
	done
	{
		find "${paths[@]}" -type f -print0 | LC_ALL=C sort -z | xargs -0 sha256sum
		rustc --version
		cat "$(tree_dir "$1")/version"
	} | sha256sum | cut -d' ' -f1
)

# build_extension debug|release: builds pg_cdp and installs it into that tree, unless it is there already.
build_extension() {
	case $1 in debug | release) ;; *) die "build_extension: debug or release" ;; esac
	with_lock "build-$1" build_extension_locked "$1"
}
build_extension_locked() {
	local stamp hash features arguments=() started=$SECONDS
	stamp=$(tree_dir "$1")/stamp
	hash=$(source_hash "$1")
	[ "$(cat "$stamp" 2>/dev/null)" != "$hash" ] || return 0
	say "building pg_cdp ($1, PostgreSQL $CDP_MAJOR); log: .local/log/build-$1.log"
	rm -f "$stamp"
	[ "$1" = debug ] || arguments+=(--release)
	mapfile -t features < <(cargo_features)
	cd "$CDP_ROOT"
	# scripts of other versions must not stay behind
	rm -f "$(pg_extension_dir "$1")"/pg_cdp*
	logged "build-$1" env RUST_BACKTRACE=0 cargo pgrx install --pg-config "$(pg_bin "$1")/pg_config" "${features[@]}" "${arguments[@]}"
	printf '%s\n' "$hash" >"$stamp"
	say "built pg_cdp ($1) in $((SECONDS - started)) s"
}

# ----------------------------------------------------------------------------------------- servers

# Private servers: $CDP_RUN/servers/<major>/<name>/{data,log,settings}, on a Unix socket only, which only the
# servers' user (and root) may enter.
check_name() {
	[[ $1 =~ ^[a-z0-9][a-z0-9_-]{0,30}$ ]] || die "$1: a server's name is made of a-z, 0-9, _ and -"
}
check_settings() {
	local setting
	for setting in "$@"; do
		case $setting in *=*) ;; *) die "a setting is NAME=VALUE, not $setting" ;; esac
	done
}
server_dir() { printf '%s/servers/%s/%s' "$CDP_RUN" "$CDP_MAJOR" "$1"; }
# Beside the data, unless the path is too long, or unix_socket_directories, a list, would take it for something else
socket_dir() {
	local dir
	dir=$(server_dir "$1")
	if [[ $dir != *[\'\\,]* ]] && [ "$(printf %s "$dir/.s.PGSQL.5432" | wc -c)" -le "$SOCKET_LIMIT" ]; then
		printf %s "$dir"
	else
		printf '/tmp/pg_cdp.%s.%s.%s' "$CDP_HASH" "$CDP_MAJOR" "$1"
	fi
}
server_is_running() {
	local data
	data=$(server_dir "$1")/data
	# without data that is readable pg_ctl says no, as it should
	[ -d "$data" ] && as_server_user "$(server_bin "$1")/pg_ctl" -D "$data" status >/dev/null 2>&1
}
# The binaries that a server was started with
server_bin() {
	local profile
	profile=$(cat "$(server_dir "$1")/profile" 2>/dev/null || echo release)
	pg_bin "$profile"
}
private_folder() {
	[ -d "$1" ] || mkdir -p "$1"
	[ ! -L "$1" ] || die "$1 is a link; remove it"
	if is_root; then
		case $(stat -c %U "$1") in root | "$CDP_OS_USER") ;; *) die "$1 belongs to somebody else; remove it" ;; esac
		chown "$CDP_OS_USER:" "$1"
	else
		own_folder "$1"
	fi
	chmod 700 "$1"
}

# server_start NAME debug|release [SETTING=VALUE…]. A running server is restarted if its settings or the
# library have changed, otherwise left as it is.
server_start() {
	local name=$1 profile=$2 dir bin socket settings setting value quote=\'
	shift 2
	check_name "$name"
	dir=$(server_dir "$name")
	bin=$(pg_bin "$profile")
	socket=$(socket_dir "$name")
	private_folder "$dir"
	private_folder "$socket"
	if [ ! -f "$dir/data/PG_VERSION" ]; then
		say "making the server $name in $dir"
		rm -rf "$dir/data" "$dir/data.new"
		logged "initdb-$name" as_server_user "$bin/initdb" -D "$dir/data.new" -U postgres -A trust \
			-E UTF8 --locale=C.UTF-8 --no-sync
		mv "$dir/data.new" "$dir/data"
		printf '%s\n' "include_if_exists = '../settings'" >>"$dir/data/postgresql.conf"
	fi
	settings="# written by scripts/server; build $(cat "$(tree_dir "$profile")/stamp" 2>/dev/null || echo none) ($profile)
listen_addresses = ''
unix_socket_directories = '$socket'
unix_socket_permissions = 0700
shared_preload_libraries = 'pg_cdp'
timezone = 'UTC'
log_timezone = 'UTC'"
	check_settings "$@"
	for setting in "$@"; do
		value=${setting#*=}
		value=${value//\\/\\\\}
		settings+="
${setting%%=*} = '${value//$quote/$quote$quote}'"
	done
	if server_is_running "$name"; then
		[ "$(cat "$dir/settings")" != "$settings" ] || return 0
		server_stop "$name"
	fi
	printf '%s\n' "$settings" >"$dir/settings"
	printf '%s\n' "$profile" >"$dir/profile"
	chmod 644 "$dir/settings" "$dir/profile"
	say "starting the server $name"
	# The server must not hold what we hold open: a script's caller may wait for the end of its output.
	# With RUST_BACKTRACE every error of ours, be it a cancelled statement, would come with a page of stack.
	if ! as_server_user env -u RUST_BACKTRACE -u RUST_LIB_BACKTRACE "$bin/pg_ctl" -D "$dir/data" -l "$dir/log" -w -t 120 start </dev/null >/dev/null 2>&1; then
		tail -n 20 "$dir/log" >&2
		die "the server $name did not start (log: $dir/log)"
	fi
}

server_stop() {
	check_name "$1"
	if ! server_is_running "$1"; then return 0; fi
	say "stopping the server $1"
	as_server_user "$(server_bin "$1")/pg_ctl" -D "$(server_dir "$1")/data" -w -t 120 -m fast stop >/dev/null 2>&1 ||
		die "the server $1 did not stop (log: $(server_dir "$1")/log)"
}

stop_servers_of() { # a tree that is about to be replaced
	local dir name
	for dir in "$CDP_RUN/servers/$CDP_MAJOR"/*/; do
		[ -f "$dir/profile" ] || continue
		name=$(basename "$dir")
		[ "$(cat "$dir/profile")" != "$1" ] || server_stop "$name"
	done
}

# The client's command line, for people
psql_command() {
	printf 'psql -h %q -U postgres -d %q' "$(socket_dir "$1")" "${2:-postgres}"
}
# client PROGRAM NAME ARGUMENTS…: psql, createdb, … against the server NAME
client() {
	local program=$1 name=$2
	shift 2
	"$(server_bin "$name")/$program" -h "$(socket_dir "$name")" -p 5432 -U postgres "$@"
}
# new_database SERVER NAME: made anew if it is there
new_database() {
	PGOPTIONS='-c client_min_messages=warning' client dropdb "$1" --force --if-exists "$2"
	client createdb "$1" -T template0 "$2"
}
