import type { Command, Host } from '../ports/host.ts';
import type { LiveData, ScratchPlace } from '../ports/scratch.ts';
import { HIDE, socketsHiddenFrom } from './hidden-sockets.ts';

const TRY_LIMIT_MS = 10_000;
const ANY_CODE = Array.from({ length: 256 }, (_, code) => code);

/** unshare(1) of util-linux 2.38. The processes of a check end with it. */
const NAMESPACES = ['--net', '--mount', '--pid', '--fork', '--kill-child', '--mount-proc'] as const;

/** Brings loopback up, puts restored files where live ones are, hides what it is given, and becomes the program. Nothing
 *  that is tried leaves the namespace. */
const ENCLOSE = `ip link set lo up 2>/dev/null
m=$1; shift
while [ "$m" -gt 0 ]; do
  [ "$1" = found ] || [ -e "$3" ] || touch "$3" 2>/dev/null
  if [ -e "$3" ]; then mount --bind "$2" "$3" || exit 125; fi
  shift 3; m=$((m - 1))
done
${HIDE}`;

/** Runs programs in a folder, without a network, without the sockets of any server but those of the scratch place, and
 *  with what was restored in the place of the live files; null where that cannot be had. */
export async function checkHost(
  { folder, host }: ScratchPlace,
  workingFolder: string,
  { sockets, replaced, hidden }: LiveData,
  signal: AbortSignal,
): Promise<Host | null> {
  const user = process.geteuid?.() === 0 ? [] : ['--user', '--map-root-user'];
  const places = replaced.flatMap(({ by, path, made }) => [made ? 'made' : 'found', by, path]);
  const enclosed = (command: Command): Command => {
    const all = [...hidden, ...socketsHiddenFrom(folder, sockets)];
    const words = [`${replaced.length}`, ...places, `${all.length}`, ...all, command.program, ...command.args];
    const inside = ['sh', '-c', ENCLOSE, 'sh', ...words];
    return { ...command, program: 'unshare', args: [...user, ...NAMESPACES, '--', ...inside], workingFolder };
  };
  const test = enclosed({ program: 'true', args: [] });
  const { exitCode } = await host.run(test, { signal, accept: ANY_CODE, limitMs: TRY_LIMIT_MS });
  if (exitCode !== 0) return null;
  return { ...host, run: (command, options) => host.run(enclosed(command), options) };
}
