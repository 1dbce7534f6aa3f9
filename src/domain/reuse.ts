import type { Item } from './manifest.ts';

/** A tree is read whole at least this often, however unchanged it looks. */
const REREAD_DAYS = 7;

/** Whether the item of an earlier point may stand for an unchanged tree: the same names, sizes, times and inode numbers,
 *  stored whole, and its bytes read less than {@link REREAD_DAYS} ago. */
export function mayReuse(fingerprint: string | null, earlier: Item | undefined, now: Temporal.Instant): boolean {
  if (fingerprint === null || earlier?.fingerprint !== fingerprint || earlier.outcome !== 'passed') return false;
  const age = now.since(Temporal.Instant.from(earlier.readAt)).total('hours');
  return age >= 0 && age < REREAD_DAYS * 24;
}

/** A source may say `reread: always`, where times and inode numbers are not to be trusted. */
export const rereadsAlways = (settings: unknown): boolean =>
  typeof settings === 'object' && settings !== null && 'reread' in settings && settings.reread === 'always';
