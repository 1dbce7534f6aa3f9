import { KEPT_STATE } from '../domain/pool-names.ts';
import { firstFree, numbered, stampOf } from '../domain/snapshot-name.ts';
import type { HostFiles } from '../ports/host.ts';

/** A present state under its new name. */
export interface KeptAside {
  readonly kind: 'path' | 'database';
  /** A path, or a database. */
  readonly original: string;
  readonly path: string;
  readonly until: Temporal.Instant;
}

/** How long a present state is kept that a restore set aside (design, "In place"). */
export const KEPT_DAYS = 30;

/** @param seconds as configured for the one who restores */
export const keptUntil = (at: Temporal.Instant, seconds = KEPT_DAYS * 86_400): Temporal.Instant => at.add({ seconds });

/** `.recovery-backup-20261120-020000`, in local time as `date +%Y%m%d-%H%M%S` prints it. */
export const keptSuffix = (at: Temporal.Instant): string => KEPT_STATE + stampOf(at, Temporal.Now.timeZoneId());

/** A name that is free: two restores of one path in a second get different ones. */
export async function freeName(wanted: string, files: HostFiles, signal: AbortSignal): Promise<string> {
  const isTaken = async (path: string): Promise<boolean> => (await files.status(path, signal)) !== null;
  return await firstFree((count) => numbered(wanted, count), isTaken);
}

/** What stays in a path whose contents are exchanged: kept states, stages, and what ext4 owns. */
const STAYS = /^(?:\.recovery-backup-\d{8}-\d{6}(?:-\d+)?|\.holdfast-restore-\w+|lost\+found)$/;

export const exchanged = (name: string): boolean => !STAYS.test(name);
