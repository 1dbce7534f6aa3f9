import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import type { Item } from '../../src/domain/manifest.ts';
import type { RecoveryPoint } from '../../src/domain/recovery-point.ts';
import type { PointHeader, Repository } from '../../src/ports/repository.ts';
import type { CapturedStream } from '../../src/ports/source.ts';
import {
  aFailedRow,
  aHeader,
  aManifest,
  aRow,
  aStream,
  aTree,
  at,
  chunks,
  collect,
  diesAfter,
  noise,
  plantTree,
} from './captured-items.ts';

/** A repository that was just initialized. */
export interface RepositoryFixture extends AsyncDisposable {
  readonly repository: Repository;
  /** The same repository as another run has it, in this process. */
  readonly again: () => Repository;
  /** Changes bytes of a stored item. */
  readonly damage: (point: RecoveryPoint, item: string) => Promise<void>;
}

const LDIF = 'dn: dc=home,dc=lan\nobjectClass: top\n';

/** Stores one dump and commits. */
export async function storePoint(
  repository: Repository,
  header: PointHeader,
  signal: AbortSignal,
  bytes: string | Uint8Array = LDIF,
): Promise<RecoveryPoint> {
  await using draft = await repository.begin(header, 0, signal);
  const item = aStream('ldap', () => chunks(bytes));
  const stored = await draft.putStream(item, signal);
  return await draft.commit(aManifest(header, [aRow(item, stored)]), null, signal);
}

function aFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'holdfast-contract-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

function namesIn(tar: Buffer): string[] {
  const { status, stdout, stderr } = spawnSync('tar', ['-tf', '-'], { input: tar });
  expect([status, stderr.toString()]).toEqual([0, '']);
  return stdout.toString().trimEnd().split('\n');
}

const codeIs = (code: string) => expect.objectContaining({ code });

/** What every implementation of the port owes; the fake passes it too. */
export function repositoryContract(name: string, fixture: () => Promise<RepositoryFixture>): void {
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

  test(`${name}: dumps come back byte for byte, empty ones and long ones`, async ({ signal }) => {
    await using made = await fixture();
    const { repository } = made;
    const header = aHeader();
    const dumps = { empty: Buffer.alloc(0), small: Buffer.from(LDIF), long: noise(9 * 1024 ** 2 + 1) };
    await using draft = await repository.begin(header, 0, signal);
    const rows: Item[] = [];
    for (const [item, bytes] of Object.entries(dumps)) {
      const stream = aStream(item, () => chunks(bytes.subarray(0, 1000), bytes.subarray(1000)));
      rows.push(aRow(stream, await draft.putStream(stream, signal)));
    }
    const point = await draft.commit(aManifest(header, rows), null, signal);
    for (const [item, bytes] of Object.entries(dumps)) {
      expect((await collect(repository.open(point, item, signal))).equals(bytes), item).toBe(true);
    }
  });

  test(`${name}: a tree comes back whole, in parts and file by file`, async ({ signal }) => {
    await using made = await fixture();
    const { repository } = made;
    const { point, folder, stored } = await storeTree(repository, signal);
    const whole = await collect(repository.open(point, 'files_data', signal));
    const target = aFolder();
    expect(spawnSync('tar', ['-xf', '-', '-C', target], { input: whole }).status).toBe(0);
    expect(spawnSync('diff', ['-r', folder, join(target, stored)]).status).toBe(0);

    const entries = [];
    for await (const { path, type } of repository.entries(point, 'files_data', signal)) entries.push(`${type} ${path}`);
    expect(entries.sort()).toEqual(
      [
        `directory ${stored}`,
        `directory ${stored}/deep`,
        `directory ${stored}/deep/er`,
        `file ${stored}/deep/er/third.bin`,
        `file ${stored}/deep/second file.txt`,
        `link ${stored}/deep/points`,
        // whichever of the two names tar met first is the file
        ...entries.filter((line) => /(?:first|same)\.txt$/.test(line)),
      ].sort(),
    );
    expect(entries).toHaveLength(8);

    const part = await collect(repository.openTree(point, 'files_data', `/${stored}/deep/er`, signal));
    expect(namesIn(part).filter((line) => !line.endsWith('/'))).toEqual([`${stored}/deep/er/third.bin`]);
    const file = await collect(repository.openFile(point, 'files_data', `${stored}/deep/second file.txt`, signal));
    expect(file.toString()).toBe('second\n');
    for (const both of ['first.txt', 'deep/same.txt']) {
      const linked = await collect(repository.openFile(point, 'files_data', `${stored}/${both}`, signal));
      expect(linked.toString()).toBe('first\n');
    }
  });

  test(`${name}: a path that is not in a tree, and a path in a dump, are not found`, async ({ signal }) => {
    await using made = await fixture();
    const { repository } = made;
    const { point } = await storeTree(repository, signal);
    const missing = codeIs('PathNotFound');
    await expect(collect(repository.openFile(point, 'files_data', 'no/such', signal))).rejects.toEqual(missing);
    await expect(collect(repository.openTree(point, 'files_data', 'no/such', signal))).rejects.toEqual(missing);
    await expect(collect(repository.open(point, 'none', signal))).rejects.toMatchObject({ code: 'ItemNotFound' });
    const dump = await storePoint(repository, aHeader({ service: 'directory' }), signal);
    const reading = async () => collect(repository.openFile(dump, 'ldap', 'a', signal));
    await expect(reading()).rejects.toEqual(missing);
  });

  test(`${name}: bytes that are not what was stored are Damaged, never silently other`, async ({ signal }) => {
    await using made = await fixture();
    const point = await storePoint(made.repository, aHeader(), signal, noise(100_000));
    await made.damage(point, 'ldap');
    await expect(collect(made.again().open(point, 'ldap', signal))).rejects.toMatchObject({ code: 'Damaged' });
  });

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

  test(`${name}: one service has one writer, another service another`, async ({ signal }) => {
    await using made = await fixture();
    await using _draft = await made.repository.begin(aHeader(), 0, signal);
    await expect(made.again().begin(aHeader(), 0, signal)).rejects.toMatchObject({ code: 'RepositoryLocked' });
    await storePoint(made.again(), aHeader({ service: 'directory' }), signal);
  });

  test(`${name}: one id is stored once`, async ({ signal }) => {
    await using made = await fixture();
    const header = aHeader();
    await storePoint(made.repository, header, signal);
    await expect(made.repository.begin(header, 0, signal)).rejects.toMatchObject({ code: 'Refused' });
  });

  test(`${name}: a second machine is refused for a service of the first`, async ({ signal }) => {
    await using made = await fixture();
    await storePoint(made.repository, aHeader(), signal);
    const second = aHeader({ origin: 'origin-two' });
    await expect(made.repository.begin(second, 0, signal)).rejects.toMatchObject({ code: 'RepositoryForeignOrigin' });
    await storePoint(made.repository, aHeader({ origin: 'origin-two', service: 'directory' }), signal);
    await storePoint(made.repository, aHeader(), signal); // and the refusal left no lock
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
    const report = (evidence: 'sound' | 'restored' | 'failed', time: string) => ({
      evidence,
      evidenceAt: at(time).toString(),
    });
    const seen = async () =>
      (await made.again().list({}, signal)).points.map(({ evidence, evidenceAt }) => [evidence, evidenceAt]);
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

  test(`${name}: an unchanged item is stored again without its bytes, or not at all`, async ({ signal }) => {
    await using made = await fixture();
    const { repository } = made;
    const { point } = await storeTree(repository, signal);
    const header = aHeader({ timestamp: at('03:00:00') });
    await using draft = await repository.begin(header, 0, signal);
    const again = await draft.reuse('files_data', point, signal);
    expect(again !== null).toBe(repository.capabilities.reuse);
    expect(await draft.reuse('files_none', point, signal)).toBeNull();
    if (again === null) return;
    const rows = [aRow({ name: 'files_data', source: 'data', kind: 'files' }, again)];
    const second = await draft.commit(aManifest(header, rows), null, signal);
    const before = await collect(repository.open(point, 'files_data', signal));
    await repository.remove(point, signal);
    expect((await collect(repository.open(second, 'files_data', signal))).equals(before)).toBe(true);
  });

  test(`${name}: a point is copied, with its dumps and trees`, async ({ signal }) => {
    await using from = await fixture();
    await using to = await fixture();
    const { point, folder } = await storeTree(from.repository, signal);
    const header = { ...aHeader(), id: point.id };
    await using draft = await to.repository.begin(header, 0, signal);
    const rows: Item[] = [];
    for (const row of point.manifest?.items ?? []) {
      const { name: item, source, kind } = row;
      const stored = await draft.putCopy(row, from.repository.open(point, item, signal), signal);
      rows.push(aRow({ name: item, source, kind }, stored));
    }
    const copy = await draft.commit(aManifest(header, rows), null, signal);
    expect(copy.id).toBe(point.id);
    expect((await collect(to.repository.open(copy, 'ldap', signal))).toString()).toBe(LDIF);
    const target = aFolder();
    const tar = await collect(to.repository.open(copy, 'files_data', signal));
    expect(spawnSync('tar', ['-xf', '-', '-C', target], { input: tar }).status).toBe(0);
    const stored = copy.manifest?.items.find((row) => row.name === 'files_data')?.roots?.[0]?.stored ?? '';
    expect(spawnSync('diff', ['-r', folder, join(target, stored)]).status).toBe(0);
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

/** The fields of an item that was really stored, for a manifest that lies. */
async function aStored(repository: Repository, signal: AbortSignal): Promise<Parameters<typeof aRow>[1]> {
  const header = aHeader({ service: 'directory' });
  await using draft = await repository.begin(header, 0, signal);
  return await draft.putStream(
    aStream('ldap', () => chunks(LDIF)),
    signal,
  );
}

/** A point of a tree and a dump. */
export async function storeTree(
  repository: Repository,
  signal: AbortSignal,
): Promise<{ readonly point: RecoveryPoint; readonly folder: string; readonly stored: string }> {
  const folder = aFolder();
  plantTree(folder);
  const header = aHeader();
  const tree = aTree('files_data', 'data', folder);
  const dump: CapturedStream = aStream('ldap', () => chunks(LDIF));
  await using draft = await repository.begin(header, 0, signal);
  const rows = [aRow(dump, await draft.putStream(dump, signal)), aRow(tree, await draft.putTree(tree, signal))];
  const point = await draft.commit(aManifest(header, rows), null, signal);
  const stored = point.manifest?.items.find((row) => row.name === 'files_data')?.roots?.[0]?.stored ?? '';
  return { point, folder, stored };
}
