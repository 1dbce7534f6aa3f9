import { expect, test } from 'vitest';
import { aHeader, aManifest, aRow, aStream, at, chunks, collect } from './captured-items.ts';

import { LDIF, type RepositoryFixture, storePoint } from './stored-points.ts';

/** What a list says of points, what stands beside them, and how they go. */
export function repositoryPointsContract(name: string, fixture: () => Promise<RepositoryFixture>): void {
  test(`${name}: a list is newest first, and reads no manifest that is known`, async ({ signal }) => {
    await using made = await fixture();
    const { repository } = made;
    const points = [];
    for (const time of ['02:00:00', '04:00:00', '03:00:00']) {
      points.push(await storePoint(repository, aHeader({ timestamp: at(time) }), signal));
    }
    const other = await storePoint(repository, aHeader({ service: 'directory', timestamp: at('05:00:00') }), signal);
    const [two, four, three] = points.map(({ location }) => location);
    const all = await repository.list({}, signal);
    expect(all.points.map(({ location }) => location)).toEqual([other.location, four, three, two]);
    const known = new Set(points.slice(1).map(({ location }) => location));
    const rest = await repository.list({ service: 'mealie', known }, signal);
    expect(rest.points.map(({ location }) => location)).toEqual([two]);
    expect([...known].every((location) => rest.locations.has(location))).toBe(true);
  });

  test(`${name}: two points of one second both stay`, async ({ signal }) => {
    await using made = await fixture();
    const { repository } = made;
    const first = await storePoint(repository, aHeader(), signal, 'first');
    const second = await storePoint(repository, aHeader(), signal, 'second');
    const foreign = await storePoint(repository, aHeader({ service: 'directory' }), signal, 'third');
    expect(new Set([first.location, second.location, foreign.location]).size).toBe(3);
    expect((await collect(repository.open(first, 'ldap', signal))).toString()).toBe('first');
    expect((await collect(repository.open(second, 'ldap', signal))).toString()).toBe('second');
    expect((await collect(repository.open(foreign, 'ldap', signal))).toString()).toBe('third');
  });

  test(`${name}: a point is found by its place only when it has the id`, async ({ signal }) => {
    await using made = await fixture();
    const point = await storePoint(made.repository, aHeader(), signal);
    expect(await made.again().find(point, signal)).toEqual(point);
    const other = { ...point, id: aHeader().id };
    await expect(made.repository.find(other, signal)).rejects.toMatchObject({ code: 'PointNotFound' });
    await expect(made.repository.find({ ...point, location: '../outside' }, signal)).rejects.toMatchObject({
      code: 'PointNotFound',
    });
  });

  test(`${name}: one id is stored once`, async ({ signal }) => {
    await using made = await fixture();
    const header = aHeader();
    await storePoint(made.repository, header, signal);
    await expect(made.repository.begin(header, 0, signal)).rejects.toMatchObject({ code: 'Refused' });
  });

  test(`${name}: a hold stands beside the point and is seen by everybody`, async ({ signal }) => {
    await using made = await fixture();
    const point = await storePoint(made.repository, aHeader(), signal);
    const hold = { reason: 'before the upgrade', at: at('03:00:00'), by: 'user' } as const;
    await made.repository.hold(point, hold, signal);
    expect((await made.again().find(point, signal)).held).toEqual(hold);
    await made.repository.release(point, signal);
    await made.repository.release(point, signal);
    expect((await made.again().list({}, signal)).points).toMatchObject([{ held: null }]);
  });

  test(`${name}: a point can be committed as held`, async ({ signal }) => {
    await using made = await fixture();
    const header = aHeader();
    const item = aStream('ldap', () => chunks(LDIF));
    const hold = { reason: 'half of the files are gone', at: at('02:00:01'), by: 'anomaly' } as const;
    await using draft = await made.repository.begin(header, 0, signal);
    const rows = [aRow(item, await draft.putStream(item, signal))];
    expect((await draft.commit(aManifest(header, rows), hold, signal)).held).toEqual(hold);
    expect((await made.again().list({}, signal)).points).toMatchObject([
      { held: { reason: hold.reason, by: 'anomaly' } },
    ]);
  });

  test(`${name}: reports say what is proved, and the strongest proof since the last failure counts`, async ({
    signal,
  }) => {
    await using made = await fixture();
    const { repository } = made;
    const point = await storePoint(repository, aHeader(), signal);
    const report = (evidence: 'sound' | 'restored' | 'failed', time: string, of = point.id) => ({
      point: of,
      evidence,
      evidenceAt: at(time).toString(),
    });
    const seen = async () =>
      (await made.again().list({}, signal)).points.map(({ evidence, evidenceAt }) => [evidence, evidenceAt]);
    const another = report('restored', '03:00:00', point.id.toLowerCase());
    await repository.writeReport(point, 'dr-drill-report', 'restored\n', another, signal);
    expect((await seen()).map(([evidence]) => evidence)).toEqual(['stored']);
    await repository.writeReport(point, 'dr-drill-report', 'restored\n', report('restored', '03:00:00'), signal);
    expect(await seen()).toEqual([['restored', at('03:00:00')]]);
    await repository.writeReport(point, 'verification-report', 'sound\n', report('sound', '04:00:00'), signal);
    expect(await seen()).toEqual([['restored', at('03:00:00')]]);
    await repository.writeReport(point, 'verification-report', 'failed\n', report('failed', '05:00:00'), signal);
    expect(await seen()).toEqual([['failed', at('05:00:00')]]);
    expect(await repository.check(signal)).toEqual([]);
  });

  test(`${name}: a removal removes that point only, and can be repeated`, async ({ signal }) => {
    await using made = await fixture();
    const { repository } = made;
    const first = await storePoint(repository, aHeader(), signal);
    const second = await storePoint(repository, aHeader(), signal);
    await repository.remove({ ...first, id: second.id }, signal); // another id at its place: nothing of it is removed
    expect((await repository.list({}, signal)).points).toHaveLength(2);
    await repository.remove(first, signal);
    await repository.remove(first, signal);
    expect((await repository.list({}, signal)).points.map(({ id }) => id)).toEqual([second.id]);
    expect(await repository.check(signal)).toEqual([]);
    expect((await collect(repository.open(second, 'ldap', signal))).toString()).toBe(LDIF);
  });
}
