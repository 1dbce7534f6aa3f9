import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import type { ServiceDefinition } from '../../src/domain/definitions.ts';
import { HoldfastError } from '../../src/domain/errors.ts';
import { planBackup } from '../../src/operations/backup-plan.ts';
import type { InPlacePlan } from '../../src/operations/in-place-plan.ts';
import { refuseServersFiles } from '../../src/operations/in-place-servers.ts';
import { restore } from '../../src/operations/restore.ts';
import { untilHealthy } from '../../src/operations/unit-health.ts';
import type { UnitHealth } from '../../src/ports/unit.ts';
import { testClock } from '../fakes/clock.ts';
import { type MemoryUnit, memoryUnit } from '../fakes/unit.ts';
import { type House, house } from './house.ts';
import { type Fixture, fixture, signal } from './restore-fixture.ts';

/** Declares containers as the service's units, in this order. All write into one list of calls. */
function declare(made: House | Fixture, ...names: readonly string[]): readonly MemoryUnit[] {
  const service = made.services.get('mealie') as ServiceDefinition;
  const rows = names.map((container) => ({ container }));
  made.services.set('mealie', { ...service, units: rows, stopDuring: { backup: true, restore: true } });
  const calls: string[] = [];
  return names.map((container) => {
    const unit = memoryUnit({ reference: { kind: 'container', host: 'local', container }, calls });
    made.units.set(unit.name, unit);
    return unit;
  });
}

describe('a backup that stops the units of its service', () => {
  test('reads while they are down, stops the last first, starts as declared, and leaves what was down', async () => {
    using made = await house();
    const source = made.source('data');
    const [database, job, web] = declare(made, 'database', 'job', 'web');
    job?.members.set('container job', false);
    source.onRead = () => void web?.calls.push('read');
    expect((await made.backUp()).outcome).toBe('passed');
    expect(web?.calls).toEqual([
      ...['stop container web', 'stop container database', 'read'],
      ...['start container database: container database', 'start container web: container web'],
    ]);
    expect(source.contexts.map(({ quiescent }) => quiescent)).toEqual([true]);
    expect(database?.members.get('container database')).toBe(true);
    expect((await made.context.journal()).open()).toEqual([]);
  });

  test('leaves the container up whose server it reads', async () => {
    using made = await house();
    const source = made.source('data');
    Object.assign(source, { databases: { server: { container: 'database' } } });
    const [project, server] = declare(made, 'project', 'database');
    project?.members.set('database', true);
    server?.members.clear();
    server?.members.set('database', true);
    source.onRead = () => void project?.calls.push(`read beside ${[...project.members].filter(([, up]) => up)}`);
    expect((await made.backUp()).failures).toEqual([]);
    expect(project?.calls).toEqual([
      ...['stop container project but database', 'read beside database,true'],
      'start container project: container project,database',
    ]);
  });

  test('has them running before the second repository is filled', async () => {
    using made = await house();
    made.source('data');
    const [web] = declare(made, 'web');
    const repository = made.context.repository;
    const context = {
      ...made.context,
      repository: async (name: string) => {
        web?.calls.push(name);
        return repository(name);
      },
    };
    const { backup } = await import('../../src/operations/backup.ts');
    const request = { services: [], plan: null, repositories: ['first', 'second'], acceptLoss: [], lockWaitMs: 0 };
    expect((await backup(request, context, signal)).points).toHaveLength(2);
    expect(web?.calls).toEqual(['first', 'stop container web', 'start container web: container web', 'second']);
  });

  test('starts them again when nothing could be read, and when it is interrupted', async () => {
    using made = await house();
    const source = made.source('data');
    const [web] = declare(made, 'web');
    source.missing = new Error('the disk is gone');
    expect(await made.backUp()).toMatchObject({ outcome: 'failed', failures: [{ code: 'NothingDone' }] });
    expect(web?.members.get('container web')).toBe(true);

    source.missing = null;
    const stop = new AbortController();
    source.onRead = () => stop.abort(new Error('interrupted'));
    const { backup } = await import('../../src/operations/backup.ts');
    const request = { services: [], plan: null, repositories: ['first'], acceptLoss: [], lockWaitMs: 0 };
    await expect(backup(request, made.context, stop.signal)).rejects.toThrow('interrupted');
    expect(web?.calls.slice(-2)).toEqual(['stop container web', 'start container web: container web']);
    expect((await made.context.journal()).open()).toEqual([]);
  });

  test('stops nothing when one of them does not exist or does not stop, and reads nothing', async () => {
    using made = await house();
    const source = made.source('data');
    const [database, web] = declare(made, 'database', 'web');
    made.units.set('container database', memoryUnit({ reference: (database as MemoryUnit).reference, missing: true }));
    expect(await made.backUp()).toMatchObject({ outcome: 'failed', failures: [{ code: 'UnitMissing' }] });
    expect(web?.calls).toEqual([]);

    made.units.set('container database', database as MemoryUnit);
    (database as MemoryUnit).before = (method) => {
      if (method === 'stop') throw new HoldfastError('UnitFailed', 'it hangs', 'database');
    };
    expect(await made.backUp()).toMatchObject({ outcome: 'failed', failures: [{ message: 'it hangs' }] });
    expect(web?.members.get('container web')).toBe(true);
    expect(source.reads).toBe(0);
  });

  test('keeps its point and is partial when a unit does not start again, or ran meanwhile; the journal tells of the first', async () => {
    using made = await house();
    const source = made.source('data');
    const [database, web] = declare(made, 'database', 'web');
    source.onRead = () => void web?.members.set('container web', true);
    const intruded = await made.backUp({ repositories: ['first'] });
    expect(intruded).toMatchObject({ outcome: 'partial', points: [{}], failures: [{ code: 'UnitFailed' }] });

    source.onRead = () => {};
    source.content = 'newer';
    (database as MemoryUnit).before = (method) => {
      if (method === 'start') throw new Error('no such image');
    };
    const report = await made.backUp({ repositories: ['first'] });
    expect(report).toMatchObject({ outcome: 'partial', points: [{}], failures: [{ code: 'JournalOpen' }] });
    expect(report.failures[0]?.message).toContain('no such image');
    expect(web?.members.get('container web')).toBe(true);
    expect((await made.context.journal()).open()).toMatchObject([{ verb: 'backup', state: 'left' }]);
  });

  test('warns of what may start them meanwhile, and says in a dry run which it would stop', async () => {
    using made = await house();
    made.source('data');
    const [web] = declare(made, 'web');
    (web as MemoryUnit).startedBy = ['web.timer'];
    const request = { services: [], plan: null, repositories: ['first'], acceptLoss: [], lockWaitMs: 0 };
    expect(await planBackup(request, made.context, signal)).toMatchObject([{ stops: ['container web'] }]);
    expect(web?.calls).toEqual([]);
    await made.backUp();
    expect(made.events).toContainEqual(
      expect.objectContaining({ type: 'warning', text: expect.stringContaining('web.timer') }),
    );
  });
});

describe('a restore in place that stops the units of its service', () => {
  const IN_PLACE = { kind: 'in-place' } as const;

  /** A service whose folder was backed up and then changed; `holder` is a process of its unit that has a file open. */
  async function ruined(): Promise<
    Disposable & { made: Fixture; units: readonly MemoryUnit[]; file: string; holder: number }
  > {
    const made = await fixture();
    const data = join(made.folder, 'data');
    const file = join(data, 'recipe');
    mkdirSync(data);
    writeFileSync(file, 'then');
    made.addTree('data', [data]);
    await made.backUp();
    writeFileSync(file, 'now');
    const script = 'exec 3<"$1"; sleep 600 >/dev/null 2>&1 & echo $!';
    const holder = Number(execFileSync('sh', ['-c', script, 'sh', file], { encoding: 'utf8' }));
    const units = declare(made, 'database', 'web');
    const web = units[1] as MemoryUnit;
    web.processesNow = [holder];
    const kill = (): void => {
      try {
        process.kill(holder, 'SIGKILL');
      } catch {} // it ended already
    };
    web.before = async (method) => {
      if (method !== 'stop') return;
      kill();
      const held = async (): Promise<boolean> =>
        (await (await made.context.host('local')).files.holders(data, signal)).length > 0;
      while (await held()) signal.throwIfAborted();
    };
    const end = (): void => {
      kill();
      made[Symbol.dispose]();
    };
    return { made, units, file, holder, [Symbol.dispose]: end };
  }

  test('stops them before the exchange and starts them after it, though they had the data open', async () => {
    using it = await ruined();
    const { made, units, file } = it;
    const seen: string[] = [];
    (units[0] as MemoryUnit).before = (method) =>
      void (method === 'stop' || method === 'start' ? seen.push(readFileSync(file, 'utf8')) : 0);
    const report = await restore({ what: 'mealie', target: IN_PLACE }, made.context, signal);
    expect(report.outcome).toBe('passed');
    expect(seen).toEqual(['now', 'then']);
    expect(units[0]?.calls).toEqual([
      ...['stop container web', 'stop container database'],
      ...['start container database: container database', 'start container web: container web'],
    ]);
    expect((await made.context.journal()).open()).toEqual([]);
  });

  test('refuses the files of a server that goes on, since its databases are restored with them', async () => {
    using it = await ruined();
    const { made, units, file, holder } = it;
    const server = units[0] as MemoryUnit;
    const host = await made.context.host('local');
    const [choice, present] = [{ name: 'volume_data' }, await host.files.status(file, signal)];
    const databases = [{ databases: { server: { container: 'database' } } }];
    const service = made.services.get('mealie');
    const around = { service, host, units: [], sharers: [], applied: [] };
    const plan = { ...around, exchanges: [{ path: file, present, choice }], databases };
    const looked = (): Promise<void> => refuseServersFiles(plan as unknown as InPlacePlan, made.context, signal);
    await looked();
    server.processesNow = [holder];
    await expect(looked()).rejects.toMatchObject({
      code: 'Refused',
      message: `${file} (volume_data) holds the files of the server in database, which goes on while its databases are restored.`,
    });
  });

  test('refuses before it stops anything when somebody else has the data open', async () => {
    using it = await ruined();
    const { made, units, file } = it;
    (units[1] as MemoryUnit).processesNow = [];
    await expect(restore({ what: 'mealie', target: IN_PLACE }, made.context, signal)).rejects.toMatchObject({
      code: 'TargetBusy',
    });
    expect(units[0]?.calls).toEqual([]);
    expect(readFileSync(file, 'utf8')).toBe('now');
  });

  test('starts them on the data of before when the exchange fails', async () => {
    using it = await ruined();
    const { made, units, file } = it;
    made.faults.before = (method, path) => {
      if (method === 'rename' && path === join(made.folder, 'data')) throw new Error('the disk is gone');
    };
    await expect(restore({ what: 'mealie', target: IN_PLACE }, made.context, signal)).rejects.toThrow(
      'the disk is gone',
    );
    expect(units.map(({ members }) => [...members.values()])).toEqual([[true], [true]]);
    expect(readFileSync(file, 'utf8')).toBe('now');
  });

  test('keeps the restored data when a unit does not start, starts the others, and names the state before', async () => {
    using it = await ruined();
    const { made, units, file } = it;
    (units[0] as MemoryUnit).before = (method) => {
      if (method === 'start') throw new Error('no such image');
    };
    await expect(restore({ what: 'mealie', target: IN_PLACE }, made.context, signal)).rejects.toMatchObject({
      code: 'UnitFailed',
      message: expect.stringMatching(/no such image.*recovery-backup/),
    });
    expect(readFileSync(file, 'utf8')).toBe('then');
    expect(units[1]?.members.get('container web')).toBe(true);
    expect((await made.context.journal()).open()).toEqual([]);
  });

  test('refuses a unit that does not exist before anything is touched', async () => {
    using it = await ruined();
    const { made, units } = it;
    made.units.delete('container database');
    await expect(restore({ what: 'mealie', target: IN_PLACE }, made.context, signal)).rejects.toMatchObject({
      code: 'UnitMissing',
    });
    expect(units[1]?.calls).toEqual([]);
  });

  test('says in a dry run what it would stop and start', async () => {
    using it = await ruined();
    const { steps } = await restore({ what: 'mealie', target: IN_PLACE, dryRun: true }, it.made.context, signal);
    expect(steps.map((step) => step.split(' ').slice(0, 3).join(' '))).toEqual([
      ...['Stop container web,', 'Stop container database,'],
      expect.stringContaining('Set'),
      ...['Start container database,', 'Start container web,'],
    ]);
    expect(it.units[0]?.calls).toEqual([]);
  });
});

describe('waiting until units are healthy', () => {
  /** A unit whose health is the answer of each look, the last one for ever. */
  function unitWith(...answers: readonly UnitHealth[]): MemoryUnit {
    const left = [...answers];
    return Object.assign(memoryUnit(), {
      health: async () => (left.length > 1 ? left.shift() : left[0]) as UnitHealth,
    });
  }

  test('ends when they are, also after a bad moment', async () => {
    const clock = testClock('2026-01-01T00:00:00Z');
    const units = [unitWith('starting', 'unhealthy', 'restarting', 'healthy'), unitWith('undeclared')];
    expect(await untilHealthy(units, clock, signal)).toEqual([]);
    expect(clock.monotonicMs()).toBeLessThan(5000);
  });

  test('looks again at what says nothing of its health, since it may die of what it finds', async () => {
    const clock = testClock('2026-01-01T00:00:00Z');
    const started = clock.monotonicMs();
    expect(await untilHealthy([unitWith('undeclared')], clock, signal, started)).toEqual([]);
    expect(clock.monotonicMs() - started).toBeGreaterThanOrEqual(2000);
    const dies = unitWith('undeclared', 'undeclared', 'down');
    expect(await untilHealthy([dies], clock, signal, clock.monotonicMs())).toEqual(['mealie.service is down']);
    const before = clock.monotonicMs();
    expect(await untilHealthy([unitWith('healthy')], clock, signal, before)).toEqual([]);
    expect(clock.monotonicMs()).toBe(before);
  });

  test('gives a slow starter ten minutes, and half a minute to one that is bad', async () => {
    const clock = testClock('2026-01-01T00:00:00Z');
    expect(await untilHealthy([unitWith('starting')], clock, signal)).toEqual(['mealie.service is starting']);
    const starting = clock.monotonicMs();
    expect(starting).toBeGreaterThanOrEqual(600_000);
    expect(await untilHealthy([unitWith('unhealthy')], clock, signal)).toEqual(['mealie.service is unhealthy']);
    expect(clock.monotonicMs() - starting).toBeGreaterThanOrEqual(30_000);
    expect(clock.monotonicMs() - starting).toBeLessThan(60_000);
  });
});
