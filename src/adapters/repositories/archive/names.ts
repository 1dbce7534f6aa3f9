import { HoldfastError } from '../../../domain/errors.ts';
import { type Compression, formatOfName, type Sealing } from '../../../domain/storage.ts';
import { encryptionOf } from './stored-names.ts';
import { strftime, strptime } from './strftime.ts';

const suffix = (count: number): string => (count === 1 ? '' : `-${count}`);

/** A point's folder: UTC, `20251202_020000`; the second one of a second ends with `-2`. */
export function folderName(timestamp: Temporal.Instant, count: number): string {
  const digits = timestamp.toString({ smallestUnit: 'second', roundingMode: 'floor' }).replaceAll(/[-:Z]/g, '');
  return digits.replace('T', '_') + suffix(count);
}

export const isFolderName = (name: string): boolean => /^\d{8}_\d{6}(?:-\d+)?$/.test(name);

/** Newest first. Within a second the higher suffix is the newer. */
export function newestFolderFirst(a: string, b: string): number {
  const [[timeA = '', countA = '1'], [timeB = '', countB = '1']] = [a.split('-'), b.split('-')];
  return Number(timeA < timeB) - Number(timeA > timeB) || Number(countB) - Number(countA);
}

const EXTENSION = { zstd: 'tar.zst', gzip: 'tar.gz', none: 'tar' } as const;
/** Where an archive's name ends and its extension begins: `.tar.gz`, `.tgz`, with or without a seal. */
const EXTENSIONS = /(?:\.tar)?(?:\.(?:tar|tgz|tzst|gz|zst|xz|bz2))?(?:\.(?:age|gpg))?$/;

/** Names of `single` archives. */
export interface ArchiveNames {
  name(time: Temporal.ZonedDateTime, count: number): string;
  /** Null for a name that is not of the pattern; `time` null where the name does not say it. */
  timeOf(name: string, zone: string): { readonly time: Temporal.Instant | null } | null;
}

/** Reads a pattern once. A seal's ending is added where the pattern has none.
 *  @throws ConfigurationInvalid when the pattern's extension says another compression than the settings do: an archive
 *  that cannot be opened by its name would only be noticed when it is needed */
export function archiveNames(
  pattern: string | undefined,
  compression: Compression,
  sealing: Sealing | null,
): ArchiveNames {
  const filename = pattern ?? `backup-%Y-%m-%dT%H-%M-%S.${EXTENSION[compression.format]}`;
  const said = formatOfName(filename);
  if (said !== null && said !== compression.format) {
    const why = `The filename ${filename} says ${said}, and the compression is ${compression.format}.`;
    throw new HoldfastError('ConfigurationInvalid', why, filename);
  }
  const encryption = encryptionOf(sealing);
  const seal = encryption === null || filename.endsWith(`.${encryption}`) ? '' : `.${encryption}`;
  const at = EXTENSIONS.exec(filename)?.index ?? filename.length;
  const [stem, extension] = [filename.slice(0, at), filename.slice(at)];
  const plain = extension.replace(/\.(?:age|gpg)$/, '').replaceAll('.', '\\.');
  const parse = strptime(stem, `(?:-\\d+)?${plain}(?:\\.(?:age|gpg))?`);
  return {
    name: (time, count) => `${strftime(stem, time)}${suffix(count)}${extension}${seal}`,
    timeOf: parse,
  };
}
