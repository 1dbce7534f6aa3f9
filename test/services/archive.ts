import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { localHost } from '../../src/adapters/hosts/local/index.ts';
import { archiveRepository } from '../../src/adapters/repositories/archive/index.ts';
import type { ArchiveSettings, ArchiveTools } from '../../src/adapters/repositories/archive/settings.ts';
import type { RecoveryPoint } from '../../src/domain/recovery-point.ts';
import type { Compression } from '../../src/domain/storage.ts';
import type { Repository } from '../../src/ports/repository.ts';
import { systemClock, ulids } from '../../src/process/clock.ts';
import { systemOwners } from '../../src/process/owner.ts';
import type { RepositoryFixture } from '../contracts/stored-points.ts';

export const ZSTD: Compression = { format: 'zstd', level: 3 };

/** The machine as it is, changed where a test needs it otherwise. */
export const tools = (changes: Partial<ArchiveTools> = {}): ArchiveTools => ({
  clock: systemClock,
  identifiers: ulids(),
  owners: systemOwners(),
  host: localHost(),
  ...changes,
});

export const settingsFor = (path: string, changes: Partial<ArchiveSettings> = {}): ArchiveSettings => ({
  name: 'local',
  path,
  layout: 'folder',
  compression: ZSTD,
  sealing: null,
  share: false,
  adopt: false,
  ...changes,
});

/** The file that holds an item: its own, or the archive. */
export function storedPath(path: string, { location, manifest }: RecoveryPoint, item: string): string {
  const file = manifest?.items.find(({ name }) => name === item)?.file;
  return join(path, location, ...(file === undefined ? [] : [file]));
}

/** Flips one bit, a share of the way through a file. */
export function flipBit(path: string, share: number): void {
  const bytes = readFileSync(path);
  const at = Math.min(bytes.length - 1, Math.floor(bytes.length * share));
  bytes[at] = (bytes[at] ?? 0) ^ 0x10;
  writeFileSync(path, bytes);
}

export interface ArchiveFixture extends RepositoryFixture {
  readonly path: string;
  readonly settings: ArchiveSettings;
  /** The same folder, opened with other settings. */
  readonly with: (changes: Partial<ArchiveSettings>) => Repository;
}

/** An initialized repository in a folder of its own. */
export async function archiveFixture(changes: Partial<ArchiveSettings> = {}): Promise<ArchiveFixture> {
  const path = mkdtempSync(join(tmpdir(), 'holdfast-repository-'));
  const settings = settingsFor(path, changes);
  const again = () => archiveRepository(settings, tools());
  const repository = again();
  try {
    await repository.initialize(new AbortController().signal);
  } catch (error) {
    rmSync(path, { recursive: true, force: true });
    throw error;
  }
  return {
    path,
    settings,
    repository,
    again,
    with: (other) => archiveRepository({ ...settings, ...other }, tools()),
    damage: async (point, item) => flipBit(storedPath(path, point, item), 1 / 3),
    [Symbol.asyncDispose]: async () => rmSync(path, { recursive: true, force: true }),
  };
}
