import { describe, expect, test } from 'vitest';
import type { Container } from '../../src/domain/containers.ts';
import type { ServiceDefinition } from '../../src/domain/definitions.ts';
import { HoldfastError } from '../../src/domain/errors.ts';
import { performPrune } from '../../src/operations/prune.ts';
import { planPrune } from '../../src/operations/prune-plan.ts';
import { memorySnapshotter } from '../fakes/snapshotter.ts';
import { type MemoryUnit, memoryUnit } from '../fakes/unit.ts';
import { aPlan, type House, house, signal } from './house.ts';
import type { TestSource } from './source.ts';

/** A service whose sources `data` and `cache` are volumes, and containers around it, all writing into one list. */
function withContainers(
  made: House,
  containers: readonly (Partial<Container> & { readonly name: string })[],
  sharing = false,
): {
  readonly calls: string[];
  readonly units: ReadonlyMap<string, MemoryUnit>;
  readonly data: TestSource;
  readonly cache: TestSource;
} {
  const [data, cache] = [made.source('data'), made.source('cache')];
  const sources = [data, cache].map(({ name }) => ({ name, kind: 'volume', settings: { volume: name } }));
  const service = made.services.get('mealie') as ServiceDefinition;
  made.services.set('mealie', { ...service, sources, stopDuring: { backup: sharing && 'sharing', restore: true } });
  const calls: string[] = [];
  const units = new Map<string, MemoryUnit>();
  made.containers.all = containers.map((given, index) => {
    const { name } = given;
    const unit = memoryUnit({ reference: { kind: 'container', host: 'local', container: name }, calls });
    units.set(name, unit);
    made.units.set(unit.name, unit);
    const mounts = [{ kind: 'volume', source: 'data', writable: true }] as const;
    return { id: name, running: true, createdAt: `${2000 + index}`, labels: {}, mounts, own: false, ...given };
  });
  made.containers.onExecute = ({ container, argv }) => void calls.push(`${container} runs ${argv.join(' ')}`);
  return { calls, units, data, cache };
}

const label = (name: string, value = 'true') => ({ [`docker-volume-backup.${name}`]: value });

describe('containers around a backup', () => {
  test('stop by their labels, the one made last first, and start again; its downtime is told', async () => {
    using made = await house();
    const labels = label('stop-during-backup');
    const { calls } = withContainers(made, [{ name: 'db', labels }, { name: 'web', labels }, { name: 'other' }]);
    const report = await made.backUp({ repositories: ['first'] });
    expect(report).toMatchObject({ outcome: 'passed', failures: [] });
    expect(calls).toEqual([
      ...['stop container web', 'stop container db'],
      ...['start container db: container db', 'start container web: container web'],
    ]);
    expect(report.stops).toMatchObject([{ service: 'mealie', units: ['container db', 'container web'] }]);
    expect(report.stops[0]?.downtimeMs).toBeGreaterThanOrEqual(0);
  });

  test('are down until their engine says that they were started, not until they were looked at', async () => {
    using made = await house();
    const labels = label('stop-during-backup');
    const { units } = withContainers(made, [
      { name: 'db', labels },
      { name: 'web', labels },
    ]);
    const downtime = async (downNow: number | null): Promise<number | undefined> => {
      for (const unit of units.values()) {
        unit.tellsDowntime = true;
        unit.downNow = downNow;
        unit.before = (method) => {
          if (method === 'stop' || method === 'start') made.clock.advance({ seconds: 2 });
        };
      }
      return (await made.backUp({ repositories: ['first'] })).stops[0]?.downtimeMs;
    };
    expect(await downtime(null)).toBe(8000);
    expect(await downtime(3500)).toBe(7500); // two stops, and then 3.5 s
    expect(await downtime(9000)).toBe(8000);
  });

  test('stop without a label when those are wanted down that share its volumes, but never our own', async () => {
    using made = await house();
    const { calls } = withContainers(made, [{ name: 'web' }, { name: 'backup', own: true }], true);
    expect((await made.backUp({ repositories: ['first'] })).outcome).toBe('passed');
    expect(calls).toEqual(['stop container web', 'start container web: container web']);
  });

  test('run again once all is read, while it is still being stored', async () => {
    using made = await house();
    const { calls } = withContainers(made, [{ name: 'web', labels: label('stop-during-backup') }]);
    const begin = made.first.begin.bind(made.first);
    made.first.begin = async (...given) => {
      const draft = await begin(...given);
      const putTree: typeof draft.putTree = async (item, aborted) => {
        const stored = await draft.putTree(item, aborted);
        // a disk that takes its time; were the start to wait for it, this would never end
        while (!calls.includes('start container web: container web')) await new Promise(setImmediate);
        return stored;
      };
      return { ...draft, putTree };
    };
    const report = await made.backUp({ repositories: ['first'] });
    expect(report).toMatchObject({ outcome: 'passed', points: [{ outcome: 'passed' }], failures: [] });
    expect(report.stops[0]?.readings).toEqual(
      ['data', 'cache'].map((source) => ({ source, snapshot: null, why: expect.stringContaining('file systems') })),
    );
  });

  test('stay down while the last source is read, though the others are stored', async () => {
    using made = await house();
    const { calls, data, cache } = withContainers(made, [{ name: 'web', labels: label('stop-during-backup') }]);
    data.onRead = () => void calls.push('read data');
    cache.onRead = () => void calls.push('read cache');
    expect((await made.backUp({ repositories: ['first'] })).outcome).toBe('passed');
    expect(calls.slice(-1)).toEqual(['start container web: container web']);
    expect(calls.slice(0, -1).toSorted()).toEqual(['read cache', 'read data', 'stop container web']);
  });

  test('stay down while sources are read where they are, when a snapshot cannot be made', async () => {
    using made = await house();
    const { calls, data } = withContainers(made, [{ name: 'web', labels: label('stop-during-backup') }]);
    const pool = memorySnapshotter({ clock: made.clock });
    pool.addSubvolume('media');
    made.pools.set('main', pool);
    pool.failNext('snapshot', new HoldfastError('NoSpace', 'The pool is full.', 'main'));
    data.snapshotRoots = async () => [{ path: '/pool/media', folder: true }];
    Object.assign(made.context, { snapshotPlace: async () => ({ pool: 'main', subvolume: 'media', inside: '' }) });
    data.onRead = () => void calls.push('read data');
    const report = await made.backUp({ repositories: ['first'] });
    expect(report).toMatchObject({ outcome: 'passed', failures: [] });
    expect(report.stops[0]?.readings[0]).toEqual({ source: 'data', snapshot: null, why: 'The pool is full' });
    expect(calls).toEqual(['stop container web', 'read data', 'start container web: container web']);
    expect(made.events).toContainEqual({
      ...{ type: 'warning', subject: 'data', text: 'no snapshot could be made: The pool is full' },
    });
    expect((await made.context.journal()).open()).toEqual([]);
  });

  test("that somebody started while they were to be down make it partial, by the engine's own times", async () => {
    for (const [downNow, outcome] of [
      [5000, 'passed'],
      [200, 'partial'],
      [null, 'passed'],
    ] as const) {
      using made = await house();
      const { units, data } = withContainers(made, [{ name: 'web', labels: label('stop-during-backup') }]);
      Object.assign(units.get('web') as MemoryUnit, { tellsDowntime: true, downNow });
      data.onRead = () => made.clock.advance({ seconds: 5 });
      const report = await made.backUp({ repositories: ['first'] });
      expect(report).toMatchObject({ outcome, points: [{ outcome: 'passed' }] });
      const said = report.failures.map(({ message }) => message);
      expect(said).toEqual(
        outcome === 'passed' ? [] : ['container web was started by somebody while mealie was read.'],
      );
    }
  });

  test('that were down and are started by somebody while another is down make it partial', async () => {
    for (const [writable, outcome] of [
      [true, 'partial'],
      [false, 'passed'],
    ] as const) {
      using made = await house();
      const mounts = [{ kind: 'volume', source: 'cache', writable }] as const;
      const { data } = withContainers(made, [
        { name: 'web', labels: label('stop-during-backup') },
        { name: 'late', running: false, mounts },
      ]);
      data.onRead = () => {
        made.containers.all = made.containers.all.map((container) => ({ ...container, running: true }));
      };
      const report = await made.backUp({ repositories: ['first'] });
      expect(report).toMatchObject({ outcome, points: [{ outcome: 'passed' }] });
      const words = 'Container late was started by somebody while mealie was read, and can write to cache.';
      expect(report.failures.map(({ message }) => message)).toEqual(writable ? [words] : []);
    }
  });

  test('stay down when their label says so, and were down already stay down', async () => {
    using made = await house();
    const { calls, units } = withContainers(made, [
      { name: 'job', labels: label('stop-during-backup-no-restart') },
      { name: 'old', labels: label('stop-during-backup'), running: false },
    ]);
    units.get('old')?.members.set('container old', false);
    expect((await made.backUp({ repositories: ['first'] })).outcome).toBe('passed');
    expect(calls).toEqual(['stop container job']);
  });

  test('that go on and can write to a source keep it from being taken for one that holds still', async () => {
    using made = await house();
    const cache = [{ kind: 'volume', source: 'cache', writable: true }] as const;
    const read = [{ ...cache[0], writable: false }];
    const app = { name: 'app', labels: label('stop-during-backup') };
    const told = async (...containers: Parameters<typeof withContainers>[1]): Promise<readonly unknown[]> => {
      const sources = withContainers(made, containers);
      expect((await made.backUp({ repositories: ['first'] })).outcome).toBe('passed');
      return [sources.data, sources.cache].map(({ contexts }) => {
        return contexts.at(-1)?.quiescent;
      });
    };
    const [still, written] = [true, false];
    expect(await told(app, { name: 'db', mounts: cache })).toEqual([still, written]);
    expect(await told(app, { name: 'db', mounts: cache, labels: label('stop-during-backup') })).toEqual([still, still]);
    expect(await told(app, { name: 'db', mounts: cache, running: false })).toEqual([still, still]);
    expect(await told(app, { name: 'reader', mounts: read })).toEqual([still, still]);
    expect(await told(app, { name: 'own', mounts: cache, own: true })).toEqual([still, still]);
    expect(await told({ name: 'db', mounts: cache })).toEqual([written, written]);
  });

  test('that go on and can write to a source have it read where it is, unless its snapshot is of one moment', async () => {
    for (const kind of ['btrfs', 'copy'] as const) {
      using made = await house();
      const { data } = withContainers(made, [{ name: 'web', labels: label('stop-during-backup') }, { name: 'db' }]);
      const pool = memorySnapshotter({ clock: made.clock, kind });
      pool.addSubvolume('media');
      made.pools.set('main', pool);
      data.snapshotRoots = async () => [{ path: '/pool/media', folder: true }];
      Object.assign(made.context, { snapshotPlace: async () => ({ pool: 'main', subvolume: 'media', inside: '' }) });
      const report = await made.backUp({ repositories: ['first'] });
      const why = report.stops[0]?.readings[0]?.why ?? '';
      if (kind === 'copy') expect(why).toBe('container db, which goes on, can write to it');
      else expect(why).not.toContain('container db');
    }
  });

  test('that their engine would remove go on and are told, unless a unit of systemd makes them', async () => {
    using made = await house();
    const passing = { name: 'shell', removedAtEnd: true };
    const { calls, data } = withContainers(made, [{ name: 'web', labels: label('stop-during-backup') }, passing], true);
    const message = expect.stringContaining('shell is removed by its engine when it stops');
    const report = await made.backUp({ repositories: ['first'] });
    const points = [{ outcome: 'passed' }];
    expect(report).toMatchObject({ outcome: 'partial', points, failures: [{ code: 'UnitFailed', message }] });
    expect(calls).toEqual(['stop container web', 'start container web: container web']);
    expect(data.contexts[0]?.quiescent).toBe(false);
    calls.length = 0;

    const unit = memoryUnit({ calls }); // mealie.service
    made.units.set(unit.name, unit);
    const service = made.services.get('mealie') as ServiceDefinition;
    made.services.set('mealie', { ...service, units: [{ systemd: unit.name }] });
    data.onRead = () => {
      const renamed = ({ name }: Container) => (name === passing.name ? 'admiring_curie' : name);
      made.containers.all = made.containers.all.map((one) => ({ ...one, name: renamed(one) }));
    };
    expect(await made.backUp({ repositories: ['first'] })).toMatchObject({ outcome: 'passed', failures: [] });
    expect(calls.filter((call) => call.startsWith('stop'))).toEqual(['stop container web', `stop ${unit.name}`]);
  });

  test('that are paused are told, and stay as they are', async () => {
    using made = await house();
    const { calls, data } = withContainers(made, [
      { name: 'web', labels: label('stop-during-backup') },
      { name: 'frozen', labels: label('stop-during-backup'), paused: true },
    ]);
    expect((await made.backUp({ repositories: ['first'] })).outcome).toBe('passed');
    expect(calls).toEqual(['stop container web', 'start container web: container web']);
    const text = 'it is paused, and stays as it is';
    expect(made.events).toContainEqual({ type: 'warning', subject: 'frozen', text });
    expect(data.contexts[0]?.quiescent).toBe(false); // somebody may let it go on
  });

  test('whose labels name no service are told', async () => {
    using made = await house();
    const labels = { ...label('stop-during-backup', 'maelie'), ...label('exec-label', 'mealie') };
    const { calls } = withContainers(made, [{ name: 'web', labels }]);
    expect((await made.backUp({ repositories: ['first'] })).outcome).toBe('passed');
    expect(calls).toEqual([]);
    expect(made.events.filter(({ type }) => type === 'warning')).toEqual([
      {
        ...{ type: 'warning', subject: 'web' },
        text: 'the label docker-volume-backup.stop-during-backup=maelie names no service of the configuration and means nothing',
      },
    ]);
  });

  test('run the commands of their labels around the steps, as the account that a label names', async () => {
    using made = await house();
    const labels = {
      ...label('stop-during-backup'),
      ...label('archive-pre', 'dump'),
      ...label('archive-pre.user', 'git'),
      ...label('archive-post', 'clean'),
      ...label('copy-pre', 'before'),
      ...label('copy-post', 'after'),
    };
    const { calls } = withContainers(made, [{ name: 'web', labels }]);
    expect((await made.backUp({ repositories: ['first', 'second'] })).outcome).toBe('passed');
    expect(calls).toEqual([
      ...['web runs dump', 'stop container web', 'start container web: container web'],
      ...['web runs clean', 'web runs before', 'web runs after'],
    ]);
    expect(made.containers.executed[0]).toEqual({
      ...{ container: 'web', argv: ['dump'], purpose: 'archive-pre', user: 'git' },
    });
  });

  test('whose command fails before it fail the sources that they share, and what cleans up runs still', async () => {
    using made = await house();
    const labels = { ...label('archive-pre', 'dump'), ...label('archive-post', 'clean') };
    const { calls } = withContainers(made, [{ name: 'web', labels }]);
    made.containers.onExecute = ({ argv }) => {
      calls.push(argv.join(' '));
      if (argv[0] === 'dump') throw new HoldfastError('ProcessFailed', 'dump ended with 3', 'web');
    };
    const report = await made.backUp({ repositories: ['first'] });
    expect(report).toMatchObject({ outcome: 'partial', failures: [{ message: 'dump ended with 3' }] });
    const items = report.points[0]?.manifest?.items ?? [];
    expect(items.map(({ source, outcome, error }) => [source, outcome, error])).toEqual([
      ['data', 'failed', 'dump ended with 3'],
      ['cache', 'passed', null],
    ]);
    expect(calls).toEqual(['dump', 'clean']);
  });

  test('go on when no source can be read, since the command that prepares all of them failed', async () => {
    using made = await house();
    const labels = { ...label('stop-during-backup'), ...label('archive-pre', 'dump') };
    const both = ['data', 'cache'].map((source) => ({ kind: 'volume', source, writable: true }) as const);
    const { calls } = withContainers(made, [{ name: 'web', labels, mounts: both }]);
    made.containers.onExecute = () => {
      throw new HoldfastError('ProcessFailed', 'dump ended with 3', 'web');
    };
    expect(await made.backUp({ repositories: ['first'] })).toMatchObject({ outcome: 'failed', points: [] });
    expect(calls).toEqual([]);
  });

  test('go on when the stop would take away what it is for, and the service is refused', async () => {
    using made = await house();
    const { calls, cache } = withContainers(made, [{ name: 'web', labels: label('stop-during-backup') }]);
    const lost = new HoldfastError('Unsupported', 'Volume cache is in memory.', 'cache');
    cache.snapshotRoots = async () => Promise.reject(lost);
    // nobody who stops can write to it
    expect((await made.backUp({ repositories: ['first'] })).outcome).toBe('passed');
    expect(calls.splice(0)).toEqual(['stop container web', 'start container web: container web']);
    const [web] = made.containers.all;
    if (web === undefined) throw new Error('there is no container');
    made.containers.all = [{ ...web, mounts: [{ kind: 'volume', source: 'cache', writable: true }] }];
    await expect(made.backUp({ repositories: ['first'] })).rejects.toMatchObject({ code: 'Unsupported' });
    expect(calls).toEqual([]);
  });

  test('start once more when they ended without what they need, and are told when that does not help', async () => {
    using made = await house();
    const { calls, units } = withContainers(made, [{ name: 'web', labels: label('stop-during-backup') }]);
    const web = units.get('web') as MemoryUnit;
    const fallsAfter = (starts: number): void => {
      web.before = (method) => {
        const started = calls.filter((call) => call.startsWith('start')).length;
        if (method === 'health' && started > 0 && started <= starts) web.members.set(web.name, false);
      };
    };
    fallsAfter(1);
    expect((await made.backUp({ repositories: ['first'] })).outcome).toBe('passed');
    const start = 'start container web: container web';
    expect(calls.splice(0)).toEqual(['stop container web', start, start]);
    fallsAfter(2);
    const report = await made.backUp({ repositories: ['first'] });
    expect(report).toMatchObject({ outcome: 'partial', points: [{ outcome: 'passed' }] });
    expect(report.failures).toMatchObject([{ message: 'container web is down after the backup.' }]);
    expect(calls).toEqual(['stop container web', start, start]);
  });

  test('that are a project start once more alone, and one that stays down is named', async () => {
    using made = await house();
    const project = memoryUnit({
      reference: { kind: 'compose', host: 'local', file: '/srv/compose.yaml' },
      members: { wiki_db_1: true, wiki_app_1: true },
    });
    made.source('data');
    made.units.set(project.name, project);
    const service = made.services.get('mealie') as ServiceDefinition;
    const units = [{ compose: '/srv/compose.yaml' }];
    made.services.set('mealie', { ...service, units, stopDuring: { backup: true, restore: true } });
    project.before = (method) => {
      if (method === 'health') project.members.set('wiki_app_1', false);
    };
    const report = await made.backUp({ repositories: ['first'] });
    expect(report).toMatchObject({ outcome: 'partial', points: [{ outcome: 'passed' }] });
    expect(report.failures).toMatchObject([
      { message: 'wiki_app_1 of compose /srv/compose.yaml is down after the backup.' },
    ]);
    expect(project.calls.at(-1)).toBe('start compose /srv/compose.yaml: wiki_app_1');
  });

  test('that do not become healthy again make it partial, and the point stays', async () => {
    using made = await house();
    const { units } = withContainers(made, [{ name: 'web', labels: label('stop-during-backup') }]);
    const web = units.get('web') as MemoryUnit;
    web.healthNow = 'unhealthy';
    const report = await made.backUp({ repositories: ['first'] });
    expect(report).toMatchObject({ outcome: 'partial', points: [{ outcome: 'passed' }] });
    expect(report.failures).toMatchObject([
      { code: 'UnitFailed', message: 'container web is unhealthy after the backup.' },
    ]);
  });

  test('run commands around the removal of old points, and one that fails before it keeps all of them', async () => {
    using made = await house();
    const labels = { ...label('prune-pre', 'before'), ...label('prune-post', 'after') };
    const { calls } = withContainers(made, [{ name: 'web', labels }]);
    made.configure(aPlan({ retention: { latest: 1 } }));
    for (let day = 0; day < 3; day++) {
      await made.backUp({ plan: 'nightly' });
      made.clock.advance({ hours: 24 });
    }
    const request = { plan: 'nightly', repositories: [], services: [], manualOlderThanSeconds: null, lockWaitMs: 0 };
    const prune = async () =>
      performPrune(await planPrune(request, made.context, signal), { confirmed: true }, made.context, signal);
    made.containers.onExecute = () => {
      throw new HoldfastError('ProcessFailed', 'before ended with 3', 'web');
    };
    expect(await prune()).toMatchObject({ removed: [], failures: [{ message: 'before ended with 3' }] });
    made.containers.onExecute = ({ argv }) => void calls.push(`${argv}`);
    expect(await prune()).toMatchObject({ outcome: 'passed', removed: [{}, {}] });
    expect(calls).toEqual(['before', 'after']);
    expect((await prune()).removed).toEqual([]);
    expect(calls).toHaveLength(2);
  });

  test('whose labels contradict each other or cannot be read keep the service from being touched', async () => {
    using made = await house();
    const { calls } = withContainers(made, [{ name: 'web', labels: label('prune-post', "sh -c 'oh") }]);
    await expect(made.backUp({ repositories: ['first'] })).rejects.toMatchObject({ code: 'ConfigurationInvalid' });
    expect(calls).toEqual([]);
  });
});
