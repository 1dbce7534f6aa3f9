import { expect, test } from 'vitest';
import { aHeader, aManifest, aRow, aStream, chunks } from './captured-items.ts';

import { LDIF, type RepositoryFixture, storePoint } from './stored-points.ts';

/** Who may write, read and remove at the same time. */
export function repositoryLocksContract(name: string, fixture: () => Promise<RepositoryFixture>): void {
  test(`${name}: one service has one writer, another service another`, async ({ signal }) => {
    await using made = await fixture();
    await using _draft = await made.repository.begin(aHeader(), 0, signal);
    await expect(made.again().begin(aHeader(), 0, signal)).rejects.toMatchObject({ code: 'RepositoryLocked' });
    await storePoint(made.again(), aHeader({ service: 'directory' }), signal);
  });

  test(`${name}: a second machine is refused for a service of the first`, async ({ signal }) => {
    await using made = await fixture();
    await storePoint(made.repository, aHeader(), signal);
    const second = aHeader({ origin: 'origin-two' });
    await expect(made.repository.begin(second, 0, signal)).rejects.toMatchObject({ code: 'RepositoryForeignOrigin' });
    await storePoint(made.repository, aHeader({ origin: 'origin-two', service: 'directory' }), signal);
    await storePoint(made.repository, aHeader(), signal); // and the refusal left no lock
  });

  test(`${name}: a point that is being read is not removed`, async ({ signal }) => {
    await using made = await fixture();
    const point = await storePoint(made.repository, aHeader(), signal);
    const scope = { kind: 'point', id: point.id } as const;
    {
      await using _one = await made.repository.lock(scope, 'shared', 0, signal);
      await using _two = await made.again().lock(scope, 'shared', 0, signal);
      await expect(made.again().remove(point, signal)).rejects.toMatchObject({ code: 'RepositoryLocked' });
      await expect(made.repository.lock(scope, 'exclusive', 0, signal)).rejects.toMatchObject({
        code: 'RepositoryLocked',
      });
      expect((await made.repository.list({}, signal)).points).toHaveLength(1);
    }
    await using own = await made.repository.lock(scope, 'exclusive', 0, signal);
    await own.confirm(signal);
    await made.repository.remove(point, signal); // who locked it may remove it
    expect((await made.repository.list({}, signal)).points).toEqual([]);
  });

  test(`${name}: a lock that is waited for is got when it is free`, async ({ signal }) => {
    await using made = await fixture();
    const scope = { kind: 'repository' } as const;
    const first = await made.repository.lock(scope, 'exclusive', 0, signal);
    const waiting = made.again().lock(scope, 'shared', 30_000, signal);
    await expect(made.again().lock(scope, 'shared', 0, signal)).rejects.toMatchObject({ code: 'RepositoryLocked' });
    await first[Symbol.asyncDispose]();
    await using second = await waiting;
    await second.confirm(signal);
  });

  test(`${name}: a lock that was taken away is noticed before anything is changed`, async ({ signal }) => {
    await using made = await fixture();
    const header = aHeader();
    await using draft = await made.repository.begin(header, 0, signal);
    const item = aStream('ldap', () => chunks(LDIF));
    const rows = [aRow(item, await draft.putStream(item, signal))];
    expect(await made.again().unlock({ force: false }, signal)).toEqual([]);
    expect((await made.again().unlock({ force: true }, signal)).length).toBeGreaterThan(0);
    await expect(draft.commit(aManifest(header, rows), null, signal)).rejects.toMatchObject({
      code: 'RepositoryLocked',
    });
    expect((await made.repository.list({}, signal)).points).toEqual([]);
  });
}
