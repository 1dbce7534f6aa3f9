import { rm, stat, truncate } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import type { ArchiveSettings } from '../src/adapters/repositories/archive/settings.ts';
import { Secret } from '../src/domain/secret.ts';
import type { Sealing } from '../src/domain/storage.ts';
import { aHeader } from './contracts/captured-items.ts';
import { storeTree } from './contracts/stored-points.ts';
import { anAgeKey } from './services/age.ts';
import { archiveFixture, storedPath } from './services/archive.ts';
import { available } from './services/available.ts';

/** Whether a tree that was stored with `before` is stored again without its bytes by a repository that is set up as
 *  `now`. */
async function isReused(
  before: Partial<ArchiveSettings>,
  now: Partial<ArchiveSettings>,
  meanwhile: (repository: string) => Promise<void> = async () => {},
): Promise<boolean> {
  const { signal } = new AbortController();
  await using made = await archiveFixture(before);
  const { point } = await storeTree(made.repository, signal);
  await meanwhile(made.path);
  await using draft = await made.with(now).begin(aHeader({ timestamp: point.timestamp.add({ hours: 1 }) }), 0, signal);
  return (await draft.reuse('files_data', point, signal)) !== null;
}

describe('an unchanged item', () => {
  test('is read again once its stored file was cut short', async () => {
    const { signal } = new AbortController();
    await using made = await archiveFixture({});
    const { point } = await storeTree(made.repository, signal);
    const file = storedPath(made.path, point, 'files_data');
    await truncate(file, (await stat(file)).size - 1);
    await using draft = await made.repository.begin(
      aHeader({ timestamp: point.timestamp.add({ hours: 1 }) }),
      0,
      signal,
    );
    expect(await draft.reuse('files_data', point, signal)).toBeNull();
  });

  test('is stored with its bytes again once its compression was changed', async () => {
    expect(await isReused({}, {})).toBe(true);
    expect(await isReused({}, { compression: { format: 'zstd', level: 9 } })).toBe(false);
    expect(await isReused({}, { compression: { format: 'gzip', level: 6 } })).toBe(false);
    expect(await isReused({ compression: { format: 'none' } }, { compression: { format: 'none' } })).toBe(true);
  });

  test.runIf(available('age-keygen'))('is sealed again once other people are to open it', async () => {
    const [one, other] = [anAgeKey(), anAgeKey()];
    const sealedFor = (...keys: readonly ReturnType<typeof anAgeKey>[]): { readonly sealing: Sealing } => ({
      sealing: { kind: 'age', recipients: keys.map(({ recipient }) => recipient), identities: [one.identity] },
    });
    expect(await isReused(sealedFor(one, other), sealedFor(other, one))).toBe(true);
    expect(await isReused(sealedFor(one), sealedFor(one, other))).toBe(false);
    expect(await isReused(sealedFor(one, other), sealedFor(one))).toBe(false);
    expect(await isReused(sealedFor(one), { sealing: null })).toBe(false);
    expect(await isReused({}, sealedFor(one))).toBe(false);
  });

  test.runIf(available('gpg'))('is sealed again once the passphrase is another one', async () => {
    const sealedBy = (words: string): { readonly sealing: Sealing } => ({
      sealing: { kind: 'gpg-passphrase', passphrase: new Secret(words) },
    });
    expect(await isReused(sealedBy('correct horse'), sealedBy('correct horse'))).toBe(true);
    const [old, other] = [sealedBy('correct horse'), sealedBy('battery staple')];
    await expect(isReused(old, other)).rejects.toMatchObject({ code: 'WrongPassword' });
    const withoutCanary = (repository: string) => rm(join(repository, '.holdfast-canary.gpg'));
    expect(await isReused(old, other, withoutCanary)).toBe(false);
  });
});
