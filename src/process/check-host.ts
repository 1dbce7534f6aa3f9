import type { Command, Host } from '../ports/host.ts';
import type { ScratchPlace } from '../ports/scratch.ts';
import { HIDE, socketsHiddenFrom } from './hidden-sockets.ts';

const TRY_LIMIT_MS = 10_000;
const ANY_CODE = Array.from({ length: 256 }, (_, code) => code);

/** unshare(1) of util-linux 2.38. The processes of a check end with it. */
const NAMESPACES = ['--net', '--mount', '--pid', '--fork', '--kill-child', '--mount-proc'] as const;

/** Brings loopback up, hides the sockets that it is given, and becomes the program. Nothing that is tried leaves the
 *  namespace. */
const ENCLOSE = `ip link set lo up 2>/dev/null\n${HIDE}`;

/** Runs programs in a folder, without a network and without the sockets of any server but those of the scratch place;
 *  null where that cannot be had.
 *  @param live sockets, or folders of them, that are hidden as well */
export async function checkHost(
  { folder, host }: ScratchPlace,
  workingFolder: string,
  live: readonly string[],
  signal: AbortSignal,
): Promise<Host | null> {
  const user = process.geteuid?.() === 0 ? [] : ['--user', '--map-root-user'];
  const enclosed = (command: Command): Command => {
    const hidden = socketsHiddenFrom(folder, live);
    const inside = ['sh', '-c', ENCLOSE, 'sh', `${hidden.length}`, ...hidden, command.program, ...command.args];
    return { ...command, program: 'unshare', args: [...user, ...NAMESPACES, '--', ...inside], workingFolder };
  };
  const test = enclosed({ program: 'true', args: [] });
  const { exitCode } = await host.run(test, { signal, accept: ANY_CODE, limitMs: TRY_LIMIT_MS });
  if (exitCode !== 0) return null;
  return { ...host, run: (command, options) => host.run(enclosed(command), options) };
}
