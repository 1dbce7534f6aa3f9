import { readFileSync } from 'node:fs';
import { isBelow } from '../domain/tree-path.ts';

/** A path reaches a server from any namespace of networks, so in a namespace of mounts the sockets themselves are hidden:
 *  the first argument says how many sockets, other files or folders follow; then comes the program that this becomes. One
 *  that went away meanwhile needs no hiding. What is hidden cannot be opened (`nodev`), by root neither: SQLite takes a file
 *  that it can open and that is empty for a new one, and removes the log of the live one beside it. The other
 *  options are those that `/dev` may have: in a namespace of users a bind may not be without them (mount_namespaces(7)). A
 *  folder may be one in which servers have their temporary files, `/tmp`. */
export const HIDE = `n=$1; shift
while [ "$n" -gt 0 ]; do
  if [ -d "$1" ]; then mount -t tmpfs -o mode=1777 none "$1" || [ ! -d "$1" ] || exit 125
  elif [ -e "$1" ]; then mount --bind -o ro,nodev,nosuid,noexec /dev/null "$1" || [ ! -e "$1" ] || exit 125; fi
  shift; n=$((n - 1))
done
exec "$@"`;

/** proc(5), net/unix: address, count, protocol, flags, type, state, inode and path. Those that listen have the flag
 *  __SO_ACCEPTCON. */
function listeningSockets(): readonly string[] {
  const lines = readFileSync('/proc/net/unix', 'utf8').split('\n').slice(1);
  const paths = lines.flatMap((line) => {
    const [, flags = '0', path = ''] = /^\S+ \S+ \S+ (\S+) \S+ \S+ +\d+ (\/.*)$/.exec(line) ?? [];
    return (Number.parseInt(flags, 16) & 0x1_0000) !== 0 ? [path] : [];
  });
  return [...new Set(paths)];
}

/** What no program of a drill in `folder` may reach: every socket of this machine on which somebody listens, but its own.
 *  @param live sockets, or folders of them, that are hidden as well: what a container listens on is seen in its own
 *  namespace alone */
export const socketsHiddenFrom = (folder: string, live: readonly string[]): readonly string[] =>
  [...listeningSockets(), ...live].filter((path) => !isBelow(path, folder) && !isBelow(folder, path));
