import { describe, expect, test } from 'vitest';
import { HoldfastError } from '../../src/domain/errors.ts';
import { backup } from '../../src/operations/backup.ts';
import { memoryRepository } from '../fakes/repository.ts';
import { aPlan, type House, house, signal } from './house.ts';

const ONCE = { repositories: ['first'] } as const;

async function backUpDaily(made: House, count: number): Promise<void> {
  for (let day = 0; day < count; day++) {
    await made.backUp(ONCE);
    made.clock.advance({ hours: 24 });
  }
}

describe('anomalies', () => {
  test('from the third point on, a point that lost over half of an item is held, and the run is partial', async () => {
    using made = await house();
    const source = made.source('data');
    source.content = 'x'.repeat(1000);
    await backUpDaily(made, 2);
    source.content = 'x'.repeat(400);
    const report = await made.backUp(ONCE);
    expect(report).toMatchObject({
      outcome: 'partial',
      failures: [],
      points: [{ outcome: 'passed', held: { by: 'anomaly', reason: 'files_data: 400 bytes, 60 % less than 1000' } }],
    });
    // The hold stands in the repository, not only here.
    const { points } = await made.first.list({ service: 'mealie' }, signal);
    expect(points.map(({ held }) => held?.by ?? null)).toEqual(['anomaly', null, null]);
  });

  test('what another machine stored of the service is no measure', async () => {
    using made = await house();
    const source = made.source('data');
    const shared = memoryRepository({ name: 'shared', clock: made.clock, share: true });
    await shared.initialize(signal);
    const context = { ...made.context, repositoryNames: ['shared'], repository: async () => shared };
    const request = { services: [], plan: null, repositories: [], acceptLoss: [], lockWaitMs: 0 };
    for (const [origin, size] of [
      ...['here', 'here', 'here'].map((own) => [own, 400] as const),
      ['there', 1000],
    ] as const) {
      source.content = 'x'.repeat(size);
      await backup(request, { ...context, origin }, signal);
      made.clock.advance({ hours: 24 });
    }
    source.content = 'x'.repeat(400);
    expect((await backup(request, context, signal)).points[0]?.held).toBeNull();
  });

  test('the second point is not judged', async () => {
    using made = await house();
    const source = made.source('data');
    source.content = 'x'.repeat(1000);
    await backUpDaily(made, 1);
    source.content = 'x';
    expect((await made.backUp(ONCE)).points[0]?.held).toBeNull();
  });

  test("a held point is nobody's measure: the next one is compared with the last that is not held", async () => {
    using made = await house();
    const source = made.source('data');
    for (const size of [1000, 1000, 400, 400, 900]) {
      source.content = 'x'.repeat(size);
      await made.backUp(ONCE);
      made.clock.advance({ hours: 24 });
    }
    const { points } = await made.first.list({ service: 'mealie' }, signal);
    expect(points.map(({ held }) => held?.by ?? null)).toEqual([null, 'anomaly', 'anomaly', null, null]);
  });

  test('an item that failed last time is compared with the last point that has it', async () => {
    using made = await house();
    const [data, other] = [made.source('data'), made.source('other')];
    data.content = 'x'.repeat(1000);
    await backUpDaily(made, 2);
    data.dies = new Error('died');
    await backUpDaily(made, 1);
    data.dies = null;
    data.content = 'x'.repeat(100);
    expect((await made.backUp(ONCE)).points[0]?.held?.reason).toContain('files_data: 100 bytes');
    expect(other.reads).toBe(4);
  });

  test('half of the files gone is held though the size is the same', async () => {
    using made = await house();
    const source = made.source('data');
    await backUpDaily(made, 2);
    source.facts = { files: 4 };
    expect((await made.backUp(ONCE)).points[0]?.held?.reason).toBe('files_data: 4 files where 10 were');
  });

  test('an item that its source gives no more is held, as a database that was dropped, until it is released', async () => {
    using made = await house();
    const source = made.source('data');
    source.items = ['files_kept', 'files_dropped'];
    source.facts = { tables: { 'public.pages': 3 } };
    await backUpDaily(made, 2);
    source.items = ['files_kept'];
    const report = await made.backUp(ONCE);
    const reason = 'files_dropped: had 3 and is gone';
    expect(report).toMatchObject({ outcome: 'partial', points: [{ held: { by: 'anomaly', reason } }] });
    made.clock.advance({ hours: 24 });
    expect((await made.backUp(ONCE)).points[0]?.held?.reason).toBe(reason);
    made.clock.advance({ hours: 24 });
    const accepted = await made.backUp({ ...ONCE, acceptLoss: ['mealie'] });
    expect(accepted.points[0]?.held).toBeNull();
    made.clock.advance({ hours: 24 });
    expect((await made.backUp(ONCE)).points[0]?.held).toBeNull();
  });

  test('an item that is gone because its source says so now is no loss, nor one that held nothing', async () => {
    using made = await house();
    const source = made.source('data');
    source.items = ['files_kept', 'files_dropped'];
    source.facts = { tables: { 'public.pages': 3 } };
    await backUpDaily(made, 2);
    const { configuration } = made.context as { configuration: { services: Record<string, object> } };
    configuration.services.mealie = { sources: { data: { files: ['/srv/other'] } } };
    source.items = ['files_kept'];
    expect((await made.backUp(ONCE)).points[0]?.held).toBeNull();
    made.clock.advance({ hours: 24 });
    source.facts = { tables: {} };
    source.items = ['files_kept', 'files_empty'];
    expect((await made.backUp({ ...ONCE, acceptLoss: ['mealie'] })).points[0]?.held).toBeNull();
    made.clock.advance({ hours: 24 });
    source.items = ['files_kept'];
    expect((await made.backUp(ONCE)).points[0]?.held).toBeNull();
  });

  test('a plan may have its own bounds, or none', async () => {
    using made = await house();
    const source = made.source('data');
    const backUp = () => made.backUp({ plan: 'nightly' });
    made.configure(aPlan({ anomaly: { shrink: 0.1, grow: 3 } }));
    source.content = 'x'.repeat(1000);
    for (let day = 0; day < 2; day++) {
      await backUp();
      made.clock.advance({ hours: 24 });
    }
    source.content = 'x'.repeat(800);
    expect((await backUp()).points[0]?.held?.by).toBe('anomaly');
    made.clock.advance({ hours: 24 });
    made.configure(aPlan({ anomaly: false }));
    source.content = 'x';
    expect((await backUp()).points[0]?.held).toBeNull();
  });

  test('a copy of a held point is held too', async () => {
    using made = await house();
    const source = made.source('data');
    await backUpDaily(made, 2);
    source.content = 'x'.repeat(100_000);
    const { points } = await made.backUp();
    expect(points.map(({ held }) => held?.by)).toEqual(['anomaly', 'anomaly']);
  });
});

describe('clocks', () => {
  test('a point made by a clock that is earlier than the newest point is held', async () => {
    using made = await house();
    made.source('data');
    await backUpDaily(made, 1);
    made.clock.set('2026-04-30T02:00:00Z');
    const report = await made.backUp(ONCE);
    expect(report).toMatchObject({ outcome: 'partial', points: [{ held: { by: 'clock' } }] });
    expect(report.points[0]?.held?.reason).toContain('2026-04-30T02:00:00Z');
  });

  test('once the clock is right again, points are not held', async () => {
    using made = await house();
    made.source('data');
    await backUpDaily(made, 1);
    made.clock.set('2026-04-30T02:00:00Z');
    await made.backUp(ONCE);
    made.clock.set('2026-05-03T02:00:00Z');
    expect((await made.backUp(ONCE)).outcome).toBe('passed');
  });

  test('two points in one second are in order', async () => {
    using made = await house();
    made.source('data');
    const [one, two] = [await made.backUp(ONCE), await made.backUp(ONCE)];
    expect([one.outcome, two.outcome]).toEqual(['passed', 'passed']);
    expect(one.points[0]?.location).not.toBe(two.points[0]?.location);
  });
});

describe('an unchanged tree', () => {
  const unchanged = async () => {
    const made = await house();
    const source = made.source('data');
    source.fingerprint = 'a';
    await backUpDaily(made, 1);
    return { made, source };
  };

  test('is stored again without being read, as what it was', async () => {
    const { made, source } = await unchanged();
    using _ = made;
    const { points } = await made.backUp(ONCE);
    expect(source.reads).toBe(1);
    expect(points[0]?.manifest?.items[0]).toMatchObject({
      ...{ outcome: 'passed', facts: { files: 10 }, readAt: '2026-05-01T02:00:00.000Z', fingerprint: 'a' },
    });
    expect(`${made.first.stored(`${points[0]?.location}`, 'files_data')}`).toBe('content of data');
  });

  test('is read again once its bytes were last read a week ago, however often it was stored since', async () => {
    const { made, source } = await unchanged();
    using _ = made;
    await backUpDaily(made, 6);
    expect(source.reads).toBe(1);
    await backUpDaily(made, 1);
    expect(source.reads).toBe(2);
  });

  test('is read again when it changed, and when its source asks for it', async () => {
    const { made, source } = await unchanged();
    using _ = made;
    source.fingerprint = 'b';
    await backUpDaily(made, 1);
    expect(source.reads).toBe(2);
    const mealie = made.services.get('mealie');
    const sources = mealie?.sources.map((definition) => ({ ...definition, settings: { reread: 'always' } })) ?? [];
    if (mealie) made.services.set('mealie', { ...mealie, sources });
    await backUpDaily(made, 1);
    expect(source.reads).toBe(3);
  });

  test('is not taken from a point whose check failed: its bytes may be the damaged ones', async () => {
    const { made, source } = await unchanged();
    using _ = made;
    const [point] = await made.context.catalog.points({});
    if (point) await made.context.catalog.setEvidence(point, 'failed', made.clock.now());
    await backUpDaily(made, 1);
    expect(source.reads).toBe(2);
  });

  test('is not taken from a sound-looking point either that shares its bytes with one whose check failed', async () => {
    const { made, source } = await unchanged();
    using _ = made;
    await backUpDaily(made, 2);
    expect(source.reads).toBe(1);
    const [, shared] = await made.context.catalog.points({});
    if (shared) await made.context.catalog.setEvidence(shared, 'failed', made.clock.now());
    await backUpDaily(made, 1);
    expect(source.reads).toBe(2);
    // What was read since is not suspect.
    await backUpDaily(made, 1);
    expect(source.reads).toBe(2);
  });

  test('is not taken from a point whose check failed on another machine', async () => {
    const { made, source } = await unchanged();
    using _ = made;
    await backUpDaily(made, 2);
    expect(source.reads).toBe(1);
    const [, shared] = await made.context.catalog.points({});
    const failed = { point: `${shared?.id}`, evidence: 'failed', evidenceAt: `${made.clock.now()}` } as const;
    if (shared) await made.first.writeReport(shared, 'verification-report', '', failed, signal);
    await backUpDaily(made, 1);
    expect(source.reads).toBe(2);
  });

  test('is backed up though no manifest of an earlier point can be read any more', async () => {
    const { made, source } = await unchanged();
    using _ = made;
    made.first.failNext('find', new HoldfastError('Damaged', 'The manifest is no JSON.', 'mealie'));
    expect((await made.backUp(ONCE)).outcome).toBe('passed');
    expect(source.reads).toBe(2);
    expect(made.events).toContainEqual(
      expect.objectContaining({ type: 'warning', text: expect.stringContaining('no JSON') }),
    );
  });

  test('costs another repository no copy either', async () => {
    const { made } = await unchanged();
    using _ = made;
    await made.backUp();
    made.clock.advance({ hours: 24 });
    await made.backUp();
    const finished = made.events.filter(({ type }) => type === 'item-finished').at(-1);
    expect(finished).toMatchObject({ subject: 'files_data', detail: 'there already' });
  });
});
