import { HoldfastError, messageOf } from '../domain/errors.ts';
import type { KeptState } from '../ports/catalog.ts';
import type { HostFiles } from '../ports/host.ts';
import type { Context } from './context.ts';

/** How long a present state is kept that a restore set aside (design, "In place"). */
export const KEPT_DAYS = 30;

export const keptUntil = (at: Temporal.Instant): Temporal.Instant => at.add({ hours: 24 * KEPT_DAYS });

/** `.recovery-backup-20261120-020000`, in local time as `date +%Y%m%d-%H%M%S` prints it. */
export function keptSuffix(at: Temporal.Instant): string {
  const local = at.toZonedDateTimeISO(Temporal.Now.timeZoneId()).toPlainDateTime();
  const [date = '', time = ''] = local.toString({ smallestUnit: 'second' }).split('T');
  return `.recovery-backup-${date.replaceAll('-', '')}-${time.replaceAll(':', '')}`;
}

/** A name that is free: two restores of one path in a second get different ones. */
export async function freeName(wanted: string, files: HostFiles, signal: AbortSignal): Promise<string> {
  for (let count = 1; ; count++) {
    const name = count === 1 ? wanted : `${wanted}-${count}`;
    if ((await files.status(name, signal)) === null) return name;
  }
}

/** What stays in a path whose contents are exchanged: kept states, stages, and what ext4 owns. */ const STAYS =
  /^(?:\.recovery-backup-\d{8}-\d{6}(?:-\d+)?|\.holdfast-restore-\w+|lost\+found)$/;

export const exchanged = (name: string): boolean => !STAYS.test(name);

export interface KeptRemoval {
  readonly kept: KeptState;
  /** Null when it was removed, or was gone already. */
  readonly error: string | null;
}

/** Removes the kept states whose time is over: those that were recorded and nothing else. One that cannot be removed
 *  stays recorded, hides no other, and is in the answer with its error. */
export async function removeExpiredStates(
  { dryRun }: { readonly dryRun: boolean },
  { catalog, clock, host }: Pick<Context, 'catalog' | 'clock' | 'host'>,
  signal: AbortSignal,
): Promise<readonly KeptRemoval[]> {
  const removals: KeptRemoval[] = [];
  for (const kept of await catalog.keptStates({ endedBy: clock.now() })) {
    signal.throwIfAborted();
    try {
      if (!dryRun) await removeKept(kept, await host(kept.host), signal);
      if (!dryRun) await catalog.forgetKeptState(kept);
      removals.push({ kept, error: null });
    } catch (error) {
      signal.throwIfAborted();
      removals.push({ kept, error: messageOf(error) });
    }
  }
  return removals;
}

/** A record that somebody changed must not make Holdfast remove live data. */
async function removeKept(
  { path }: KeptState,
  { files }: Awaited<ReturnType<Context['host']>>,
  signal: AbortSignal,
): Promise<void> {
  if (!/\.recovery-backup-\d{8}-\d{6}/.test(path.slice(path.lastIndexOf('/')))) {
    throw new HoldfastError('Refused', `${path} is recorded as kept by a restore and is not named so.`, path);
  }
  await files.remove(path, signal);
}
