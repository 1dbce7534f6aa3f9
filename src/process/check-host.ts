import { readFileSync } from 'node:fs';
import { isBelow } from '../domain/tree-path.ts';
import type { Command, Host } from '../ports/host.ts';
import type { ScratchPlace } from '../ports/scratch.ts';

const TRY_LIMIT_MS = 10_000;
const ANY_CODE = Array.from({ length: 256 }, (_, code) => code);

/** unshare(1) of util-linux 2.38. The processes of a check end with it. */
const NAMESPACES = ['--net', '--mount', '--pid', '--fork', '--kill-child', '--mount-proc'] as const;

/** Brings loopback up, hides the sockets that it is given, and becomes the program. Nothing that is tried leaves the
 *  namespace. */
const ENCLOSE = `n=$1; shift
ip link set lo up 2>/dev/null
while [ "$n" -gt 0 ]; do
  if [ -d "$1" ]; then mount -t tmpfs -o mode=0700 none "$1" || exit 125
  elif [ -S "$1" ]; then mount --bind /dev/null "$1" || exit 125; fi
  shift; n=$((n - 1))
done
exec "$@"`;

/** proc(5), net/unix: address, count, protocol, flags, type, state, inode and path. Those that listen have the flag
 *  __SO_ACCEPTCON. A path reaches a server from any namespace of networks, so the sockets themselves have to be hidden. */
function listeningSockets(): readonly string[] {
  const lines = readFileSync('/proc/net/unix', 'utf8').split('\n').slice(1);
  const paths = lines.flatMap((line) => {
    const [, flags = '0', path = ''] = /^\S+ \S+ \S+ (\S+) \S+ \S+ +\d+ (\/.*)$/.exec(line) ?? [];
    return (Number.parseInt(flags, 16) & 0x1_0000) !== 0 ? [path] : [];
  });
  return [...new Set(paths)];
}

/** Runs programs in a folder, without a network and without the sockets of any server but those of the scratch place;
 *  null where that cannot be had.
 *  @param live sockets, or folders of them, that are hidden as well: what a container listens on is seen in its own
 *  namespace alone */
export async function checkHost(
  { folder, host }: ScratchPlace,
  workingFolder: string,
  live: readonly string[],
  signal: AbortSignal,
): Promise<Host | null> {
  const user = process.geteuid?.() === 0 ? [] : ['--user', '--map-root-user'];
  const enclosed = (command: Command): Command => {
    const all = [...listeningSockets(), ...live];
    const hidden = all.filter((path) => path !== folder && !isBelow(path, folder) && !isBelow(folder, path));
    const inside = ['sh', '-c', ENCLOSE, 'sh', `${hidden.length}`, ...hidden, command.program, ...command.args];
    return { ...command, program: 'unshare', args: [...user, ...NAMESPACES, '--', ...inside], workingFolder };
  };
  const test = enclosed({ program: 'true', args: [] });
  const { exitCode } = await host.run(test, { signal, accept: ANY_CODE, limitMs: TRY_LIMIT_MS });
  if (exitCode !== 0) return null;
  return { ...host, run: (command, options) => host.run(enclosed(command), options) };
}
