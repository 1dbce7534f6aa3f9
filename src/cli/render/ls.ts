import type { LsEntry } from '../../operations/ls.ts';
import { printable } from './table.ts';

const LETTER: Readonly<Record<LsEntry['type'], string>> = {
  file: '-',
  directory: 'd',
  link: 'l',
  hardlink: 'h',
  other: '?',
};

const CLASSES = [
  { shift: 6, special: 0o4000, letter: 's' },
  { shift: 3, special: 0o2000, letter: 's' },
  { shift: 0, special: 0o1000, letter: 't' },
] as const;

/** As ls(1): `s` and `t` stand for set-user-id, set-group-id and the sticky bit, in capitals where nobody may execute. */
const modeWords = (mode: number): string =>
  CLASSES.map(({ shift, special, letter }) => {
    const bits = (mode >> shift) & 7;
    const [may, mayNot] = mode & special ? [letter, letter.toUpperCase()] : ['x', '-'];
    return `${bits & 4 ? 'r' : '-'}${bits & 2 ? 'w' : '-'}${bits & 1 ? may : mayNot}`;
  }).join('');

/** `-rw-r--r--      1234  2026-11-21 07:27  etc/hosts`: the time is the machine's. */
export function entryForPeople({ type, mode, size, mtime, path, target }: LsEntry): string {
  const at = Temporal.Instant.fromEpochMilliseconds(Math.floor(mtime * 1000)).toZonedDateTimeISO(
    Temporal.Now.timeZoneId(),
  );
  const time = at.toPlainDateTime().toString({ smallestUnit: 'minute' }).replace('T', ' ');
  const arrow = target === undefined ? '' : ` -> ${printable(target)}`;
  return `${LETTER[type]}${modeWords(mode)}  ${String(size).padStart(12)}  ${time}  ${printable(path)}${arrow}`;
}

/** `bytes` (base64) stands beside a name that `path` could not say. `mode` as `chmod` takes it, `mtime` ISO 8601. */
export function entryAsJson({ path, bytes, type, size, mode, mtime, target, item }: LsEntry): object {
  return {
    path,
    type,
    size,
    mode: mode.toString(8).padStart(4, '0'),
    mtime: Temporal.Instant.fromEpochMilliseconds(Math.floor(mtime * 1000)).toString(),
    item,
    ...(target === undefined ? {} : { target }),
    ...(bytes === undefined ? {} : { bytes: Buffer.from(bytes).toString('base64') }),
  };
}
