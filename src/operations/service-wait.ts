import { formatDuration } from '../domain/duration.ts';
import { HoldfastError } from '../domain/errors.ts';
import { overlap } from '../domain/tree-path.ts';
import type { OpenEntry } from '../journal/journal.ts';
import type { Context } from './context.ts';
import { type EntryWait, waitForEntries } from './entry-wait.ts';
import { VERBS } from './guards.ts';

/** What an entry says of the service that it works on. `paths`: a restore in place has them, one to a folder does not.
 *  `folders`: of the subvolumes that a guard or rollback works on. */
interface ServiceDetail {
  readonly service?: unknown;
  readonly paths?: unknown;
  readonly folders?: readonly string[];
}

const detailOf = ({ detail }: OpenEntry): ServiceDetail => (detail as ServiceDetail | null) ?? {};

function isGuardOrRestore(entry: OpenEntry, service: string, trees: readonly string[]): boolean {
  const { service: own, paths, folders = [] } = detailOf(entry);
  if (folders.some((folder) => trees.some((tree) => overlap(tree, folder)))) return true;
  return own === service && (entry.verb === VERBS.guard || entry.verb === VERBS.command || paths !== undefined);
}

/** Waits until guards, rollbacks and restores of a service have ended, or of the subvolumes in which it lies: what is
 *  read, removed or restored meanwhile would be of a state that may be taken back (interface, section 10, line 17). Of
 *  what a crash left nothing is waited for.
 *  @param what that waits, for people
 *  @param trees where the service's data are, as far as they are known
 *  @throws StateBusy after `guard.limit` */
export const waitForService = (
  service: string,
  what: string,
  context: WaitPorts,
  signal: AbortSignal,
  trees: readonly string[] = [],
): Promise<void> => waitFor(service, what, (entry) => isGuardOrRestore(entry, service, trees), context, signal);

/** Waits until the commands of guards on a service have ended. @throws StateBusy */
export const waitForServiceCommands = (service: string, context: WaitPorts, signal: AbortSignal): Promise<void> =>
  waitFor(
    service,
    'rollback',
    (entry) => entry.verb === VERBS.command && detailOf(entry).service === service,
    context,
    signal,
  );

type WaitPorts = Pick<Context, 'journal' | 'clock' | 'progress' | 'settling' | 'guardedBy'>;

function waitFor(
  service: string,
  what: string,
  stands: (entry: OpenEntry) => boolean,
  context: WaitPorts,
  signal: AbortSignal,
): Promise<void> {
  const { limitMs } = context.settling;
  const whoseOf = ({ verb, subject, owner }: OpenEntry): string => `${verb} of ${subject} (process ${owner.pid})`;
  const wait: EntryWait = {
    limitMs,
    stands,
    waiting: (other) => ({ subject: service, text: `waiting for the ${whoseOf(other)}` }),
    over: (other) => {
      const words = `A ${whoseOf(other)} still runs after ${formatDuration(limitMs / 1000)}, and ${what} waits for its end.`;
      return new HoldfastError('StateBusy', words, service);
    },
  };
  return waitForEntries(wait, context, signal);
}
