import { expect, test } from 'vitest';
import { aFailedRow, aHeader, aManifest, aRow, aStream, chunks, collect, diesAfter, noise } from './captured-items.ts';
import { repositoryBytesContract } from './repository-bytes.ts';
import { repositoryLocksContract } from './repository-locks.ts';
import { repositoryPointsContract } from './repository-points.ts';
import { aStored, LDIF, type RepositoryFixture, storePoint } from './stored-points.ts';

/** What every implementation of the port owes; the fake of the operations passes it too. */
export function repositoryContract(name: string, fixture: () => Promise<RepositoryFixture>): void {
  repositoryBytesContract(name, fixture);
  repositoryPointsContract(name, fixture);
  repositoryLocksContract(name, fixture);

  test(`${name}: a point is invisible until its manifest is committed`, async ({ signal }) => {
    await using made = await fixture();
    const { repository } = made;
    const header = aHeader();
    await using draft = await repository.begin(header, 0, signal);
    const item = aStream('ldap', () => chunks(LDIF));
    const stored = await draft.putStream(item, signal);
    expect(await repository.list({}, signal)).toEqual({ locations: new Set(), points: [], unreadable: [] });
    const point = await draft.commit(aManifest(header, [aRow(item, stored)]), null, signal);
    const listing = await made.again().list({}, signal);
    expect([...listing.locations]).toEqual([point.location]);
    expect(listing.points).toEqual([point]);
    expect(point).toMatchObject({
      id: header.id,
      service: 'mealie',
      outcome: 'passed',
      evidence: 'stored',
      held: null,
      foreign: false,
      items: [{ name: 'ldap', source: 'directory', outcome: 'passed' }],
    });
    expect(point.timestamp).toEqual(header.timestamp);
  });

  test(`${name}: a draft that is left without a commit leaves nothing`, async ({ signal }) => {
    await using made = await fixture();
    {
      await using draft = await made.repository.begin(aHeader(), 0, signal);
      await draft.putStream(
        aStream('ldap', () => chunks(LDIF)),
        signal,
      );
    }
    expect(await made.repository.list({}, signal)).toEqual({ locations: new Set(), points: [], unreadable: [] });
    expect(await made.repository.check(signal)).toEqual([]);
    await storePoint(made.repository, aHeader(), signal); // the writer's lock is free again
  });

  test(`${name}: a dump whose producer dies half-way never becomes a point`, async ({ signal }) => {
    await using made = await fixture();
    const header = aHeader();
    await using draft = await made.repository.begin(header, 0, signal);
    const dying = aStream('ldap', () => diesAfter(100_000));
    await expect(draft.putStream(dying, signal)).rejects.toThrow('the producer died');
    await expect(draft.commit(aManifest(header, []), null, signal)).rejects.toMatchObject({ code: 'Refused' });
    const claimed = aRow(dying, { ...(await aStored(made.repository, signal)) });
    await expect(draft.commit(aManifest(header, [claimed]), null, signal)).rejects.toMatchObject({ code: 'Refused' });
    expect((await made.repository.list({ service: 'mealie' }, signal)).points).toEqual([]);
  });

  test(`${name}: an item that failed does not take the others with it`, async ({ signal }) => {
    await using made = await fixture();
    const { repository } = made;
    const header = aHeader();
    await using draft = await repository.begin(header, 0, signal);
    const good = aStream('ldap', () => chunks(LDIF));
    const bad = aStream('notes', () => diesAfter(100_000), 'notes.db');
    const late = aStream('late', () => chunks(LDIF), 'late.db');
    const row = aRow(good, await draft.putStream(good, signal));
    await expect(draft.putStream(bad, signal)).rejects.toThrow('the producer died');
    await draft.putStream(late, signal); // stored, and found wanting afterwards
    const rows = [row, aFailedRow(bad, 'the producer died'), aFailedRow(late, 'it changed while it was read')];
    const point = await draft.commit(aManifest(header, rows), null, signal);
    expect(point.outcome).toBe('partial');
    expect((await collect(repository.open(point, 'ldap', signal))).toString()).toBe(LDIF);
    await expect(collect(repository.open(point, 'notes', signal))).rejects.toMatchObject({ code: 'ItemNotFound' });
    await expect(collect(repository.open(point, 'late', signal))).rejects.toMatchObject({ code: 'ItemNotFound' });
    expect(await repository.check(signal)).toEqual([]);
  });

  test(`${name}: a point of which no item was stored is refused`, async ({ signal }) => {
    await using made = await fixture();
    const header = aHeader();
    await using draft = await made.repository.begin(header, 0, signal);
    const rows = [aFailedRow(aStream('ldap', chunks), 'nothing there')];
    await expect(draft.commit(aManifest(header, rows), null, signal)).rejects.toMatchObject({ code: 'Refused' });
    expect((await made.repository.list({}, signal)).points).toEqual([]);
  });

  test(`${name}: an aborted call changes nothing and rejects with the reason`, async ({ signal }) => {
    await using made = await fixture();
    const { repository } = made;
    const point = await storePoint(repository, aHeader(), signal);
    const reason = new Error('the user went home');
    const gone = AbortSignal.abort(reason);
    await expect(repository.begin(aHeader(), 0, gone)).rejects.toBe(reason);
    await expect(repository.list({}, gone)).rejects.toBe(reason);
    await expect(repository.remove(point, gone)).rejects.toBe(reason);
    await expect(collect(repository.open(point, 'ldap', gone))).rejects.toBe(reason);
    const header = aHeader();
    await using draft = await repository.begin(header, 0, signal);
    const controller = new AbortController();
    const endless = aStream('ldap', async function* () {
      yield noise(1000);
      controller.abort(reason);
      for (let seed = 0; ; seed++) yield noise(1000, seed);
    });
    await expect(draft.putStream(endless, controller.signal)).rejects.toBe(reason);
    const item = aStream('other', () => chunks(LDIF));
    const rows = [aRow(item, await draft.putStream(item, signal)), aFailedRow(endless, 'interrupted')];
    await expect(draft.commit(aManifest(header, rows), null, gone)).rejects.toBe(reason);
    expect((await repository.list({}, signal)).points.map(({ id }) => id)).toEqual([point.id]);
  });

  test(`${name}: a repository is made once`, async ({ signal }) => {
    await using made = await fixture();
    await expect(made.repository.initialize(signal)).rejects.toMatchObject({ code: 'Refused' });
  });
}
