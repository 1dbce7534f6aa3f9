import { HoldfastError } from '../../../domain/errors.ts';
import type { Item } from '../../../domain/manifest.ts';
import { NAME_PATTERN } from '../../../domain/naming.ts';
import type { Compression, Sealing } from '../../../domain/storage.ts';
import type { StoredItem } from '../../../ports/repository.ts';
import type { StoredFile } from '../../../streams/stored-file.ts';
import { sha256Of } from './sha256.ts';

export const MANIFEST = 'backup-manifest.json';
export const SUMS = 'SHA256SUMS';
export const HOLD = 'hold.json';
export const REPORTS = ['verification-report', 'dr-drill-report'] as const;

const COMPRESSED = { zstd: '.zst', gzip: '.gz', none: '' } as const;

/** How a sealing stands in a manifest. */
export function encryptionOf(sealing: Sealing | null): Item['encryption'] {
  if (sealing === null) return null;
  return sealing.kind === 'age' ? 'age' : 'gpg'; // a passphrase is one of gpg's
}

/** What a file was packed and sealed by, as a manifest has it. Of a passphrase only that there is one: its hash could be
 *  guessed at. */
export function storedWith(compression: Compression, sealing: Sealing | null): string {
  const level = compression.format === 'none' ? null : compression.level;
  const recipients = sealing !== null && 'recipients' in sealing ? sealing.recipients.toSorted() : [];
  const settings = JSON.stringify([compression.format, level, sealing?.kind ?? null, recipients]);
  return sha256Of(settings);
}

/** What compression and sealing add to a name: `.zst.age`. */
export const endings = (format: Compression['format'], encryption: Item['encryption']): string =>
  COMPRESSED[format] + (encryption === null ? '' : `.${encryption}`);

/** The name of a dump or tree before compression and sealing: as stored elsewhere, its endings cut. */
export function plainName(item: Item): string {
  if (item.file !== undefined) {
    const added = endings(item.compression, item.encryption);
    return item.file.endsWith(added) ? item.file.slice(0, item.file.length - added.length) : item.file;
  }
  if (item.roots !== undefined) return `${item.name}.tar`;
  return item.member?.replace(/^.*\//, '') ?? `${item.name}.dump`;
}

/** @throws Internal for a name that is no plain file name, or that the repository uses itself */
export function checkedFileName(name: string): string {
  const reserved = [MANIFEST, SUMS, HOLD, ...REPORTS.flatMap((report) => [`${report}.txt`, `${report}.json`])];
  if (/^[A-Za-z0-9_%][A-Za-z0-9._%-]*$/.test(name) && !reserved.includes(name)) return name;
  throw new HoldfastError('Internal', `${JSON.stringify(name)} cannot be the name of a stored file.`, name);
}

/** @throws Usage for a name that would leave the repository's folder or hide in it */
export function checkedService(service: string): string {
  if (NAME_PATTERN.test(service)) return service;
  const why = `${JSON.stringify(service)} is no name of a service: letters, digits, ".", "_" and "-" only.`;
  throw new HoldfastError('Usage', why, service);
}

/** The manifest's fields of an item that is a file of its own. */
export function storedItem(
  file: string,
  stored: StoredFile,
  format: Compression['format'],
  encryption: Item['encryption'],
): StoredItem {
  const plain = format === 'none' && encryption === null;
  return {
    file,
    size: stored.size,
    originalSize: plain ? null : stored.originalSize,
    sha256: stored.sha256,
    originalSha256: plain ? null : stored.originalSha256,
    compression: format,
    encryption,
    ...(stored.index === null ? {} : { index: { ...stored.index, file: `${file}.index` } }),
  };
}
