import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { HoldfastError } from '../src/domain/errors.ts';
import { Secret } from '../src/domain/secret.ts';
import type { Sealing } from '../src/domain/storage.ts';
import { aHeader } from './contracts/captured-items.ts';
import { storePoint } from './contracts/stored-points.ts';
import { anAgeKey } from './services/age.ts';
import { archiveFixture, flipBit } from './services/archive.ts';
import { available } from './services/available.ts';
import { aKeyRing } from './streams/seals.ts';

const LAYOUTS = ['folder', 'single'] as const;
const WRONG = { code: 'WrongPassword', message: expect.stringContaining('was made with') };
const withAge = (keys = anAgeKey(), sealed = keys): Sealing => ({
  ...{ kind: 'age', recipients: [sealed.recipient], identities: [keys.identity] },
});
const withPassphrase = (text: string): Sealing => ({ kind: 'gpg-passphrase', passphrase: new Secret(text) });

async function refusesAnotherKey(
  layout: (typeof LAYOUTS)[number],
  sealing: Sealing,
  other: Sealing,
  signal: AbortSignal,
): Promise<void> {
  await using made = await archiveFixture({ layout, sealing });
  await storePoint(made.repository, aHeader(), signal);
  const before = readdirSync(made.path, { recursive: true }).toSorted();
  await expect(made.with({ sealing: other }).begin(aHeader(), 0, signal)).rejects.toMatchObject(WRONG);
  expect(readdirSync(made.path, { recursive: true }).toSorted()).toEqual(before);
  await storePoint(made.again(), aHeader(), signal);
}

describe.runIf(available('gpg') && available('gpgconf'))('needs gpg', () => {
  const ring = aKeyRing();
  afterAll(() => ring[Symbol.dispose]());

  test.each(LAYOUTS)('(%s) no point is begun under another passphrase than the first ones', async (layout) => {
    const [first, second] = [withPassphrase('correct horse'), withPassphrase('wrong horse')];
    await refusesAnotherKey(layout, first, second, AbortSignal.timeout(60_000));
  });
});

describe.runIf(available('age-keygen'))('needs age', () => {
  test.each(LAYOUTS)('(%s) no point is begun under another age key than the first ones', async (layout) => {
    await refusesAnotherKey(layout, withAge(), withAge(), AbortSignal.timeout(60_000));
  });

  test('an identity that still opens the first points may seal for a new recipient', async ({ signal }) => {
    const [old, next] = [anAgeKey(), anAgeKey()];
    await using made = await archiveFixture({ sealing: withAge(old) });
    await storePoint(made.with({ sealing: withAge(old, next) }), aHeader(), signal);
  });

  test('a machine that has no identity, or not at the moment, seals what it cannot open', async ({ signal }) => {
    const key = anAgeKey();
    await using made = await archiveFixture({ sealing: withAge(key) });
    await storePoint(made.with({ sealing: { ...withAge(key), identities: [] } as Sealing }), aHeader(), signal);
    const elsewhere: Sealing = {
      ...{ kind: 'age', recipients: [key.recipient] },
      get identities(): never {
        throw new HoldfastError('SecretMissing', 'The file /media/stick/age.key is not there.', 'identity');
      },
    };
    await storePoint(made.with({ sealing: elsewhere }), aHeader(), signal);
    expect(await made.repository.check(signal)).toEqual([]);
  });

  test.each(LAYOUTS)('(%s) a repository that was made unsealed holds to the first key it is given', async (layout) => {
    const signal = AbortSignal.timeout(60_000);
    const sealing = withAge();
    await using made = await archiveFixture({ layout });
    await storePoint(made.repository, aHeader(), signal);
    const sealed = made.with({ sealing });
    expect(await sealed.check(signal)).toMatchObject([{ subject: 'key' }]);
    await storePoint(sealed, aHeader(), signal);
    expect(await sealed.check(signal)).toEqual([]);
    await expect(made.with({ sealing: withAge() }).begin(aHeader(), 0, signal)).rejects.toMatchObject(WRONG);
  });

  test('a damaged canary stops a backup, and is made anew once it is removed', async ({ signal }) => {
    await using made = await archiveFixture({ sealing: withAge() });
    const canary = join(made.path, '.holdfast-canary.age');
    const whole = readFileSync(canary);
    flipBit(canary, 0.99);
    const hint = expect.stringContaining('remove this file');
    await expect(made.again().begin(aHeader(), 0, signal)).rejects.toMatchObject({ code: 'Damaged', hint });
    writeFileSync(canary, whole);
    await storePoint(made.again(), aHeader(), signal);
    rmSync(canary);
    await storePoint(made.again(), aHeader(), signal);
    expect(await made.again().check(signal)).toEqual([]);
  });
});
