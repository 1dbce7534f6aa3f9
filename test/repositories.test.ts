import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { localHost } from '../src/adapters/hosts/local/index.ts';
import { archiveRepository } from '../src/adapters/repositories/archive/index.ts';
import type { ArchiveSettings } from '../src/adapters/repositories/archive/settings.ts';
import type { Compression, Sealing } from '../src/domain/storage.ts';
import { systemClock, ulids } from '../src/process/clock.ts';
import { systemOwners } from '../src/process/owner.ts';
import { type RepositoryFixture, repositoryContract } from './contracts/repository.ts';

const FORMATS: readonly Compression[] = [
  { format: 'zstd', level: 3 },
  { format: 'gzip', level: 6 },
  { format: 'none' },
];

function fixtureOf(layout: 'folder' | 'single', compression: Compression, sealing: () => Sealing | null) {
  return async (): Promise<RepositoryFixture> => {
    const path = mkdtempSync(join(tmpdir(), 'holdfast-repository-'));
    const settings: ArchiveSettings = {
      name: 'local',
      path,
      layout,
      compression,
      sealing: sealing(),
      share: false,
      adopt: false,
    };
    const open = () =>
      archiveRepository(settings, {
        clock: systemClock,
        identifiers: ulids(),
        owners: systemOwners(),
        host: localHost(),
      });
    const repository = open();
    await repository.initialize(new AbortController().signal);
    return {
      repository,
      again: open,
      damage: async ({ location, manifest }, item) => {
        const file = manifest?.items.find(({ name }) => name === item)?.file;
        const stored = join(path, location, ...(file === undefined ? [] : [file]));
        const bytes = readFileSync(stored);
        const middle = Math.floor(bytes.length / 3);
        bytes[middle] = (bytes[middle] ?? 0) ^ 0x10;
        writeFileSync(stored, bytes);
      },
      [Symbol.asyncDispose]: async () => rmSync(path, { recursive: true, force: true }),
    };
  };
}

for (const layout of ['folder', 'single'] as const) {
  for (const compression of FORMATS) {
    const plain = fixtureOf(layout, compression, () => null);
    repositoryContract(`archive ${layout}, ${compression.format}`, plain);
  }
}
