import { describe } from 'vitest';
import { Secret } from '../src/domain/secret.ts';
import type { Compression, Sealing } from '../src/domain/storage.ts';
import { repositoryContract } from './contracts/repository.ts';
import { repositoryBytesContract } from './contracts/repository-bytes.ts';
import { anAgeKey } from './services/age.ts';
import { archiveFixture, ZSTD } from './services/archive.ts';
import { available } from './services/available.ts';

const LAYOUTS = ['folder', 'single'] as const;

for (const layout of LAYOUTS) {
  repositoryContract(`archive ${layout}, zstd`, () => archiveFixture({ layout }));
  for (const compression of [{ format: 'gzip', level: 6 }, { format: 'none' }] as const) {
    repositoryBytesContract(`archive ${layout}, ${compression.format}`, () => archiveFixture({ layout, compression }));
  }
}

describe.runIf(available('age-keygen'))('needs age', () => {
  const sealed = (layout: 'folder' | 'single', compression: Compression) => () => {
    const { recipient, identity } = anAgeKey();
    const sealing: Sealing = { kind: 'age', recipients: [recipient], identities: [identity] };
    return archiveFixture({ layout, compression, sealing });
  };
  for (const layout of LAYOUTS) {
    repositoryContract(`archive ${layout}, zstd, sealed with age`, sealed(layout, ZSTD));
    repositoryBytesContract(`archive ${layout}, gzip, sealed with age`, sealed(layout, { format: 'gzip', level: 6 }));
    repositoryBytesContract(`archive ${layout}, none, sealed with age`, sealed(layout, { format: 'none' }));
  }
});

// Sealing changes the bytes and nothing else, so what is owed about points and locks is not proved again with gpg, which
// takes a second for each file.
describe.runIf(available('gpg'))('needs gpg', () => {
  const sealing: Sealing = { kind: 'gpg-passphrase', passphrase: new Secret('correct horse') };
  for (const layout of LAYOUTS) {
    repositoryBytesContract(`archive ${layout}, zstd, sealed with gpg`, () => archiveFixture({ layout, sealing }));
  }
});
