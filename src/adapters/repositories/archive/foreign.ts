import { open, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { HoldfastError } from '../../../domain/errors.ts';
import type { Item } from '../../../domain/manifest.ts';
import { type RecoveryPoint, summaryOf } from '../../../domain/recovery-point.ts';
import { ulidFrom } from '../../../domain/ulid.ts';
import type { StoredFileReader } from '../../../streams/stored-file.ts';
import { ifPresent } from './failures.ts';
import { openItem } from './item-file.ts';
import type { ArchiveNames } from './names.ts';
import type { ArchiveSettings, ArchiveTools } from './settings.ts';
import { sha256Of } from './sha256.ts';

/** The only item of an archive that another tool made: all of it. */
const FOREIGN_ITEM = 'archive';

/** Archives of the repository's name pattern that have no manifest: another tool made them. They are shown and can be
 *  read, and nothing is ever proved of them. */
export interface ForeignArchives {
  /** The service that they are said to be of: the repository's only one, else its name. */
  readonly service: string;
  matches(name: string): boolean;
  /** Null when it is gone. */
  read(name: string): Promise<RecoveryPoint | null>;
  /** @throws ItemNotFound for any item but `archive`; Unsupported for a format that is not read */
  open(name: string, item: string, signal: AbortSignal): Promise<StoredFileReader>;
}

export function foreignArchives(
  settings: ArchiveSettings,
  tools: Pick<ArchiveTools, 'host'>,
  names: ArchiveNames,
): ForeignArchives {
  const { path, name: repository, services = [], timezone = Temporal.Now.timeZoneId() } = settings;
  const [only, ...others] = services;
  const service = only !== undefined && others.length === 0 ? only : repository;

  async function read(name: string): Promise<RecoveryPoint | null> {
    const status = await ifPresent(stat(join(path, name)));
    const said = names.timeOf(name, timezone);
    if (status === null || said === null) return null;
    const modified = Temporal.Instant.fromEpochMilliseconds(Math.floor(status.mtimeMs));
    const timestamp = said.time ?? modified;
    return {
      id: ulidFrom(timestamp, Buffer.from(sha256Of(name), 'hex')),
      repository,
      service,
      location: name,
      timestamp,
      manifest: null,
      ...summaryOf(null),
      outcome: 'passed',
      totalSize: status.size,
      evidence: 'stored',
      evidenceAt: modified,
      held: null,
      foreign: true,
    };
  }

  async function openArchive(name: string, item: string, signal: AbortSignal): Promise<StoredFileReader> {
    if (item !== FOREIGN_ITEM) {
      const why = `${name} was made by another tool: its only item is ${FOREIGN_ITEM}.`;
      throw new HoldfastError('ItemNotFound', why, item);
    }
    const row = {
      size: 0,
      sha256: null,
      originalSize: null,
      originalSha256: null,
      roots: [],
      ...(await formatOf(join(path, name))),
    };
    return openItem(join(path, name), row, settings.sealing, tools, signal);
  }

  return { service, matches: (name) => names.timeOf(name, timezone) !== null, read, open: openArchive };
}

/** What a file begins with. age: https://age-encryption.org/v1. gzip: RFC 1952. zstd: RFC 8878, also a skippable frame.
 *  tar: `ustar` at byte 257. */
async function formatOf(path: string): Promise<Pick<Item, 'compression' | 'encryption'>> {
  await using file = await open(path);
  const { buffer, bytesRead } = await file.read(Buffer.alloc(512), 0, 512, 0);
  const head = buffer.subarray(0, bytesRead);
  const begins = (...bytes: readonly number[]) => head.subarray(0, bytes.length).equals(Buffer.from(bytes));
  const name = path.replace(/\.(?:age|gpg)$/, '');
  const zstdOrNone = /\.(?:t?zst)$/.test(name) ? 'zstd' : 'none';
  const byName = /\.(?:t?gz)$/.test(name) ? 'gzip' : zstdOrNone;
  // what a sealed file holds can only be told from its name
  if (head.toString('latin1').startsWith('age-encryption.org/v1\n')) return { compression: byName, encryption: 'age' };
  if (path.endsWith('.gpg')) return { compression: byName, encryption: 'gpg' };
  if (begins(0x1f, 0x8b)) return { compression: 'gzip', encryption: null };
  if (begins(0x28, 0xb5, 0x2f, 0xfd) || (head.length > 4 && head.readUInt32LE(0) >>> 4 === 0x184d2a5)) {
    return { compression: 'zstd', encryption: null };
  }
  if (head.toString('latin1', 257, 262) === 'ustar') return { compression: 'none', encryption: null };
  throw new HoldfastError(
    'Unsupported',
    `${path} is no tar, and neither gzip nor zstd: it cannot be read here.`,
    path,
    {
      hint: 'Open it with the tool that made it',
    },
  );
}
