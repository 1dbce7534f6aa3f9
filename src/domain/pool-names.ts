import { HoldfastError } from './errors.ts';

/** Between a subvolume's name and the time in the name of a state that a rollback kept. */
export const KEPT_STATE = '.recovery-backup-';
/** What Holdfast makes in a pool for the moment bears a name that begins so: copies that are not swapped in yet, and
 *  snapshots for a comparison. Neither a list nor a subvolume ever shows one. */
export const PROVISIONAL = '.holdfast-';

/** Beside a tree, where it lies in no declared pool. */
export const COPIES_FOLDER = '.holdfast-snapshots';

export const isKeptState = (name: string): boolean => name.includes(KEPT_STATE);
export const isProvisional = (name: string): boolean => name.startsWith(PROVISIONAL);

/** U+0000–001F and U+007F: the programs of a file system print one name a line. */
const CONTROL = /\p{Cc}/u;

/** The name of a folder directly in a pool, or in its snapshots folder; nothing that leads elsewhere.
 *  @throws HoldfastError `Usage` */
export function checkPoolName(name: string): string {
  const problem = problemWith(name);
  if (problem !== null) throw new HoldfastError('Usage', problem, name);
  return name;
}

function problemWith(name: string): string | null {
  if (name === '') return 'A name must not be empty.';
  if (name.includes('/')) return `"${name}" has a path in it: write the name alone.`;
  const usable = !['.', '..'].includes(name) && !CONTROL.test(name) && new TextEncoder().encode(name).length <= 255;
  return usable ? null : `"${name}" cannot be the name of a folder in a pool.`;
}

/** Whose snapshot or kept state this is: the longest of these names that stands before `-`, or before the words of a kept
 *  state. Null when it is nobody's. */
export function subvolumeOf(name: string, subvolumes: Iterable<string>): string | null {
  let longest: string | null = null;
  for (const subvolume of subvolumes) {
    const belongs = name.startsWith(`${subvolume}-`) || name.startsWith(`${subvolume}${KEPT_STATE}`);
    if (belongs && subvolume.length > (longest?.length ?? 0)) longest = subvolume;
  }
  return longest;
}

/** `20251116-143000`, with `T` or `_` between date and time as other tools write it, perhaps with a number for a second
 *  snapshot in the same second. Not in the middle of other digits. */
const TIME = /(?<!\d)(\d{4})-?(\d{2})-?(\d{2})[-_T](\d{2}):?(\d{2}):?(\d{2})(?:-\d+)?$/;

/** The local time at the end of a name; null when there is none, or no such time.
 *  @param zone IANA name; of a time that daylight saving makes come twice, the first */
export function timeInName(name: string, zone: string): Temporal.Instant | null {
  const [, year, month, day, hour, minute, second] = TIME.exec(name)?.map(Number) ?? [];
  if (year === undefined) return null;
  const fields = { year, month: month ?? 0, day: day ?? 0, hour: hour ?? 0, minute: minute ?? 0, second: second ?? 0 };
  try {
    return Temporal.PlainDateTime.from(fields, { overflow: 'reject' }).toZonedDateTime(zone).toInstant();
  } catch (error) {
    if (error instanceof RangeError) return null;
    throw error;
  }
}
