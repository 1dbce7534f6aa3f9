import { checkPoolName, KEPT_STATE } from './pool-names.ts';

/** ext4, XFS and BTRFS take names of 255 bytes; the rest is room for a number after a collision. */
const LONGEST_BYTES = 245;

/** What a person typed, as it stands in a name: small letters, digits, dots, underscores and hyphens. */
export function foldOperation(operation: string): string {
  const folded = operation
    .normalize('NFKD')
    .toLowerCase()
    .replace(/\p{M}/gu, '')
    .replace(/[^a-z0-9._-]+/g, '-')
    .replace(/^-+|-+$/g, '');
  return folded === '' ? 'unnamed' : folded;
}

/** `20261121-143000`, in local time as `date +%Y%m%d-%H%M%S` prints it. @param zone IANA name */
export function stampOf(at: Temporal.Instant, zone: string): string {
  const local = at.toZonedDateTimeISO(zone).toPlainDateTime();
  return local.toString({ smallestUnit: 'second' }).replaceAll(/[-:]/g, '').replace('T', '-');
}

/** Cut where the whole would be too long for a file system: the time at the end must stay readable. */
function named(subvolume: string, middle: string, stamp: string): string {
  const room = LONGEST_BYTES - new TextEncoder().encode(`${subvolume}--${stamp}`).length;
  return checkPoolName(`${subvolume}-${middle.slice(0, Math.max(1, room))}-${stamp}`);
}

/** `<subvolume>-pre-<operation>-<YYYYMMDD-HHMMSS>` (interface, section 5). @throws HoldfastError `Usage` */
export const guardSnapshotName = (subvolume: string, operation: string, at: Temporal.Instant, zone: string): string =>
  named(subvolume, `pre-${foldOperation(operation)}`, stampOf(at, zone));

/** `<subvolume>-<label, manual or scheduled>-<YYYYMMDD-HHMMSS>`. @throws HoldfastError `Usage` */
export const snapshotName = (subvolume: string, label: string, at: Temporal.Instant, zone: string): string =>
  named(subvolume, foldOperation(label), stampOf(at, zone));

/** `<subvolume>.recovery-backup-<YYYYMMDD-HHMMSS>`. @throws HoldfastError `Usage` */
export const keptStateName = (subvolume: string, at: Temporal.Instant, zone: string): string =>
  checkPoolName(`${subvolume}${KEPT_STATE}${stampOf(at, zone)}`);

/** The name that is tried at the nth time, from 1: `NAME`, `NAME-2`, `NAME-3`. */
export const numbered = (name: string, count: number): string => (count === 1 ? name : `${name}-${count}`);

/** The first of these names that nobody has. @param name the one that is tried at the nth time, from 1 */
export async function firstFree(
  name: (count: number) => string,
  isTaken: (name: string) => Promise<boolean>,
): Promise<string> {
  for (let count = 1; ; count++) if (!(await isTaken(name(count)))) return name(count);
}
