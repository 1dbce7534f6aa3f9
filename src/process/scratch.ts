import { basename } from 'node:path';
import { HoldfastError } from '../domain/errors.ts';
import type { Command, Host } from '../ports/host.ts';
import type { ScratchAccount, ScratchPlace } from '../ports/scratch.ts';
import { lookUp, parseAccount } from './account.ts';
import { HIDE, socketsHiddenFrom } from './hidden-sockets.ts';
import { markedHost } from './marked.ts';

const TRY_LIMIT_MS = 10_000;
const ANY_CODE = Array.from({ length: 256 }, (_, code) => code);

/** How a program is started without a network and with mounts of its own: unshare(1) of util-linux 2.38. */
const NAMESPACES = ['unshare', '--net', '--mount'] as const;

/** The words after which a program reaches neither the network nor these sockets. Root may take another account
 *  afterwards; elsewhere a namespace of users is needed too, which not every machine allows, and a second one gives the
 *  caller's own account back, since servers refuse to be root. */
function enclosing(hidden: readonly string[]): readonly string[] {
  const hide = ['sh', '-c', HIDE, 'sh', `${hidden.length}`, ...hidden];
  const [uid, gid] = [process.geteuid?.(), process.getegid?.()];
  if (uid === 0) return [...NAMESPACES, '--', ...hide];
  const back = ['unshare', '--user', `--map-user=${uid}`, `--map-group=${gid}`, '--'];
  return [...NAMESPACES, '--user', '--map-root-user', '--', ...hide, ...back];
}

/** Where mounts may not be made, as in a container that AppArmor confines, a network can be taken away all the same. */
const WITHOUT_NETWORK = {
  root: ['unshare', '--net', '--'],
  user: ['unshare', '--user', '--map-current-user', '--net', '--'],
} as const;

/** A program that becomes another one: `unshare --net -- PROGRAM …`. */
function through(words: readonly string[], command: Command): Command {
  const [program, ...args] = [...words, command.program, ...command.args];
  return program === undefined ? command : { ...command, program, args };
}

/** Whether `words` can start a program here. */
async function works(words: readonly string[], host: Host, signal: AbortSignal): Promise<boolean> {
  try {
    const command = through(words, { program: 'true', args: [] });
    return (await host.run(command, { signal, accept: ANY_CODE, limitMs: TRY_LIMIT_MS })).exitCode === 0;
  } catch (error) {
    signal.throwIfAborted();
    if (error instanceof HoldfastError) return false;
    throw error;
  }
}

function as(account: ScratchAccount | null, command: Command): Command {
  if (account === null) return command;
  const { uid, gid } = account;
  const workingFolder = command.workingFolder ?? '/'; // the caller's may be closed to the account
  const words = ['setpriv', `--reuid=${uid}`, `--regid=${gid}`, '--init-groups', '--'];
  return through(words, { ...command, workingFolder });
}

/** A folder of this machine that exists, as the place of a drill's scratch instances.
 *  @param live sockets of live servers, or folders of them, beside those that are seen to listen here */
export async function scratchPlace(
  folder: string,
  keep: ScratchPlace['keep'],
  live: readonly string[],
  local: Host,
  signal: AbortSignal,
): Promise<ScratchPlace> {
  const root = process.geteuid?.() === 0;
  const host = markedHost(local, folder);
  const enclosed = (): readonly string[] => enclosing(socketsHiddenFrom(folder, live));
  const isolated = await works(enclosed(), host, signal);
  const cutOff = WITHOUT_NETWORK[root ? 'root' : 'user'];
  const second = !isolated && (await works(cutOff, host, signal)) ? cutOff : [];
  return {
    folder,
    host,
    isolated,
    keep,
    name: basename(folder).toLowerCase(),
    mark: (other) => markedHost(other, folder),
    as,
    async account(names, aborted) {
      if (!root) return null;
      for (const name of names) {
        const { stdout } = await host.run(lookUp(name), { signal: aborted, accept: ANY_CODE, limitMs: TRY_LIMIT_MS });
        if (stdout.trim() === '') continue;
        const found = parseAccount(name, stdout);
        const entered = as(found, { program: 'test', args: ['-x', folder] });
        const { exitCode } = await host.run(entered, { signal: aborted, accept: ANY_CODE, limitMs: TRY_LIMIT_MS });
        if (exitCode === 0) return found;
        throw new HoldfastError('ScratchUnusable', `The account ${name} may not pass through to ${folder}.`, folder, {
          hint: 'Choose a scratch folder that is open to it, as /var/tmp is: --scratch DIR',
        });
      }
      const which = names.join(' or ');
      throw new HoldfastError('ScratchUnusable', `There is no account ${which} for a scratch server.`, which);
    },
    server: (account, command) => through(isolated ? enclosed() : second, as(account, command)),
  };
}
