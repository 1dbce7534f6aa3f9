import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { HoldfastError } from '../../src/domain/errors.ts';
import { parsePointInTime } from '../../src/domain/point-in-time.ts';
import { cat } from '../../src/operations/cat.ts';
import { ls } from '../../src/operations/ls.ts';
import { selectPoint } from '../../src/operations/point-selection.ts';
import { restore } from '../../src/operations/restore.ts';
import { show } from '../../src/operations/show.ts';
import { type Fixture, fixture, signal } from './restore-fixture.ts';

const day = (number: number): string => `2026-11-${`${number}`.padStart(2, '0')}T02:00:00Z`;

function withFile(made: Fixture): string {
  const path = join(made.folder, 'data');
  mkdirSync(join(path, 'inner'), { recursive: true });
  writeFileSync(join(path, 'inner', 'file'), 'bytes');
  made.addTree('data', [path]);
  return path;
}

const idOf = async (made: Fixture, what: string, at?: string): Promise<string> =>
  (await selectPoint({ what, at }, made.context, signal)).point.id;

test('a service means its newest point that passed, is not held, is no safety point and whose check did not fail', async () => {
  using made = await fixture();
  withFile(made);
  const good = await made.backUp({ timestamp: day(10) });
  await made.backUp({ timestamp: day(9) });
  const partial = await made.backUp({ timestamp: day(11), outcome: 'partial' });
  const safety = await made.backUp({ timestamp: day(12), type: 'safety' });
  const held = await made.backUp({ timestamp: day(13) });
  await made.repository.hold(held, { reason: 'shrank', at: Temporal.Now.instant(), by: 'anomaly' }, signal);
  const damaged = await made.backUp({ timestamp: day(14) });
  const report = { point: damaged.id, evidence: 'failed', evidenceAt: day(15) } as const;
  await made.repository.writeReport(damaged, 'verification-report', '', report, signal);
  const future = await made.backUp({ timestamp: `${Temporal.Now.instant().add({ hours: 1 }).round('second')}` });
  expect(await idOf(made, 'mealie')).toBe(good.id);
  for (const { id } of [partial, safety, held, damaged, future]) expect(await idOf(made, id)).toBe(id);
});

test('a service whose points all failed their last check is read and drilled from the newest, and that is said', async () => {
  using made = await fixture();
  const path = withFile(made);
  const older = await made.backUp({ timestamp: day(9) });
  const newer = await made.backUp({ timestamp: day(10) });
  const fail = (point: typeof newer) =>
    made.repository.writeReport(
      point,
      'verification-report',
      '',
      { point: point.id, evidence: 'failed', evidenceAt: day(15) } as const,
      signal,
    );
  await fail(newer);
  expect(await idOf(made, 'mealie')).toBe(older.id);
  const passedOver = { type: 'warning', subject: newer.id, text: 'passed over: its last check failed' };
  expect(made.events).toContainEqual(passedOver);
  await fail(older);
  const taken = await selectPoint({ what: 'mealie', evenFailed: true }, made.context, signal);
  expect(taken.point).toMatchObject({ id: newer.id, evidence: 'failed' });
  const text = 'taken although its last check failed: there is no other';
  expect(made.events).toContainEqual({ type: 'warning', subject: newer.id, text });
  const [to, what] = [join(made.folder, 'to'), 'mealie'];
  await restore({ what, target: { kind: 'folder', path: to } }, made.context, signal);
  expect(readFileSync(join(to, path, 'inner', 'file'), 'utf8')).toBe('bytes');
  const target = { kind: 'in-place', live: false, withoutSafety: false } as const;
  await expect(restore({ what, target }, made.context, signal)).rejects.toMatchObject({ code: 'PointNotFound' });
});

test('a point that was held since the catalog heard of it is passed over, and that is said', async () => {
  using made = await fixture();
  withFile(made);
  const older = await made.backUp({ timestamp: day(9) });
  const newer = await made.backUp({ timestamp: day(10) });
  expect(await idOf(made, 'mealie')).toBe(newer.id);
  await made.repository.hold(newer, { reason: 'on another machine', at: Temporal.Now.instant(), by: 'user' }, signal);
  expect(await idOf(made, 'mealie')).toBe(older.id);
  expect(made.events).toContainEqual({
    type: 'warning',
    subject: newer.id,
    text: 'passed over: held: on another machine',
  });
});

test('a point that was released since the catalog heard of it is taken again', async () => {
  using made = await fixture();
  withFile(made);
  const older = await made.backUp({ timestamp: day(9) });
  const newer = await made.backUp({ timestamp: day(10) });
  await made.repository.hold(newer, { reason: 'shrank', at: Temporal.Now.instant(), by: 'anomaly' }, signal);
  expect(await idOf(made, 'mealie')).toBe(older.id);
  await made.repository.release(newer, signal);
  expect(await made.catalog.points({})).toContainEqual(
    expect.objectContaining({ id: newer.id, held: expect.anything() }),
  );
  expect(await idOf(made, 'mealie')).toBe(newer.id);
});

test('a point whose manifest cannot be read any more hides no older one, and that is said', async () => {
  using made = await fixture();
  withFile(made);
  const older = await made.backUp({ timestamp: day(9) });
  const newer = await made.backUp({ timestamp: day(10) });
  expect(await idOf(made, 'mealie')).toBe(newer.id);
  made.repository.failNext('find', new HoldfastError('Damaged', 'The manifest is no JSON.', newer.location));
  expect(await idOf(made, 'mealie')).toBe(older.id);
  expect(made.events).toContainEqual(expect.objectContaining({ subject: newer.id, type: 'warning' }));
});

test('where nothing can be taken, each point has its repository and its own reason', async () => {
  using made = await fixture();
  withFile(made);
  const { id, location } = await made.backUp({ timestamp: day(9) });
  made.repository.failNext('find', new HoldfastError('Damaged', 'The manifest is no JSON.', location));
  await expect(idOf(made, 'mealie')).rejects.toMatchObject({
    code: 'PointNotFound',
    message: expect.stringContaining(`${id}  ${day(9)}  ${made.repository.name}  The manifest is no JSON.`),
  });
  await expect(idOf(made, 'mealie', day(8))).rejects.toMatchObject({ message: expect.stringMatching(/ {2}later$/) });
});

test('a clock that was set back is named where no point is old enough for it', async () => {
  using made = await fixture();
  withFile(made);
  await made.backUp({ timestamp: `${Temporal.Now.instant().add({ hours: 1 }).round('second')}` });
  const message = expect.stringMatching(/ {2}in the future of this clock$/);
  await expect(idOf(made, 'mealie')).rejects.toMatchObject({ code: 'PointNotFound', message });
});

test('--at takes the newest point at or before a time', async () => {
  using made = await fixture();
  withFile(made);
  const [ninth, tenth] = [await made.backUp({ timestamp: day(9) }), await made.backUp({ timestamp: day(10) })];
  expect(await idOf(made, 'mealie', day(10))).toBe(tenth.id);
  expect(await idOf(made, 'mealie', '2026-11-10T01:59:59Z')).toBe(ninth.id);
  await expect(idOf(made, 'mealie', day(8))).rejects.toMatchObject({
    code: 'PointNotFound',
    message: expect.stringContaining(tenth.id),
  });
  await expect(idOf(made, ninth.id, day(10))).rejects.toMatchObject({ code: 'Usage' });
});

test('a name that is nearly a service’s is told', async () => {
  using made = await fixture();
  withFile(made);
  await made.backUp({ timestamp: day(9) });
  const message = 'No service or recovery point is called "meelie". Did you mean "mealie"?';
  await expect(idOf(made, 'meelie')).rejects.toMatchObject({ code: 'PointNotFound', message });
});

test('a point is named by its location, its id or a beginning that no other has', async () => {
  using made = await fixture();
  withFile(made);
  const first = await made.backUp({ timestamp: day(9) });
  const second = await made.backUp({ timestamp: day(10) });
  expect(await idOf(made, 'mealie/20261109_020000')).toBe(first.id);
  expect(await idOf(made, second.id.toLowerCase())).toBe(second.id);
  let shared = 0;
  while (first.id[shared] === second.id[shared]) shared++;
  expect(await idOf(made, first.id.slice(0, shared + 1))).toBe(first.id);
  const ambiguous = idOf(made, first.id.slice(0, shared));
  await expect(ambiguous).rejects.toMatchObject({ code: 'Usage', message: expect.stringContaining(second.id) });
  await expect(idOf(made, 'nobody')).rejects.toMatchObject({ code: 'PointNotFound' });
});

test('a repository that cannot be reached is passed over with a warning, unless it was asked for', async () => {
  using made = await fixture();
  withFile(made);
  const point = await made.backUp();
  const gone = new HoldfastError('RepositoryNotFound', 'No marker: its disk may not be mounted.', 'offsite');
  const context = {
    ...made.context,
    repositoryNames: ['offsite', 'memory'],
    repository: async (name: string) => {
      if (name === 'offsite') throw gone;
      return made.repository;
    },
  };
  expect((await selectPoint({ what: 'mealie' }, context, signal)).point.id).toBe(point.id);
  expect(made.events).toContainEqual({ type: 'warning', subject: 'offsite', text: gone.message });
  await expect(selectPoint({ what: 'mealie', repository: 'offsite' }, context, signal)).rejects.toBe(gone);
  await expect(selectPoint({ what: 'nobody' }, context, signal)).rejects.toBe(gone);
});

test('ls prints the names below a path, cat gives the bytes of one, show the manifest', async () => {
  using made = await fixture();
  const path = withFile(made);
  const { id } = await made.backUp();
  const names = async (request: Parameters<typeof ls>[0]) =>
    (await Array.fromAsync(ls(request, made.context, signal))).map((entry) => entry.path.replace(/\/$/, ''));
  const [root] = [path.slice(1)];
  expect(await names({ what: id })).toEqual([root, `${root}/inner`, `${root}/inner/file`]);
  expect(await names({ what: 'mealie', item: 'data', path: `${path}/inner` })).toEqual([
    `${root}/inner`,
    `${root}/inner/file`,
  ]);
  await expect(names({ what: id, path: 'nothing' })).rejects.toMatchObject({ code: 'PathNotFound' });
  await expect(names({ what: id, item: 'nothing' })).rejects.toMatchObject({ code: 'ItemNotFound' });
  const bytes = await Array.fromAsync(
    cat({ what: id, item: 'files_data', path: `${root}/inner/file` }, made.context, signal),
  );
  expect(Buffer.concat(bytes).toString()).toBe('bytes');
  expect((await show({ what: id }, made.context, signal)).point.manifest?.items).toMatchObject([
    { name: 'files_data' },
  ]);
});

test('a time may be an instant, a local time, a day or a time ago', () => {
  const now = Temporal.Instant.from('2026-11-20T12:00:00Z');
  const at = (text: string): string => `${parsePointInTime(text, now, 'Europe/Berlin')}`;
  expect(at('2026-11-20T02:00:00Z')).toBe('2026-11-20T02:00:00Z');
  expect(at('2026-11-20T02:00:00+01:00')).toBe('2026-11-20T01:00:00Z');
  expect(at('2026-11-20 02:00')).toBe('2026-11-20T01:00:00Z');
  expect(at('2026-11-20')).toBe('2026-11-20T22:59:59Z');
  expect(at('36h')).toBe('2026-11-19T00:00:00Z');
  expect(at('2h ago')).toBe('2026-11-20T10:00:00Z');
  expect(at('1d 12h')).toBe('2026-11-19T00:00:00Z');
  expect(at('2026-10-25 02:30')).toBe('2026-10-25T00:30:00Z'); // comes twice: the first
  expect(at('now')).toBe('2026-11-20T12:00:00Z');
  expect(at('today')).toBe('2026-11-20T22:59:59Z');
  expect(at('Yesterday')).toBe('2026-11-19T22:59:59Z');
  expect(at('yesterday 12:00')).toBe('2026-11-19T11:00:00Z');
  expect(at('today 9:05')).toBe('2026-11-20T08:05:00Z');
  expect(at('12:00')).toBe('2026-11-20T11:00:00Z');
  expect(at('13:30')).toBe('2026-11-19T12:30:00Z'); // still to come today: it was yesterday
  expect(at('-2h')).toBe('2026-11-20T10:00:00Z');
  expect(at('3 days ago')).toBe('2026-11-17T12:00:00Z');
  expect(at('90 minutes')).toBe('2026-11-20T10:30:00Z');
  const wrong = ['', 'tomorrow', '2026-13-01', '2026-02-30 10:00', '25:00', '99999999999w', '-2h ago', '1 month ago'];
  for (const text of wrong) {
    expect(() => at(text)).toThrow(
      expect.objectContaining({
        code: 'Usage',
        message: `"${text}" is no time.`,
        hint: expect.stringContaining('yesterday 12:00'),
      }),
    );
  }
});
