import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { describe, expect, test } from 'vitest';
import type { Container } from '../../src/domain/containers.ts';
import type { ServiceDefinition } from '../../src/domain/definitions.ts';
import { HoldfastError } from '../../src/domain/errors.ts';
import { GUARD_DEFAULTS } from '../../src/domain/guard.ts';
import { SETTLE_DEFAULTS } from '../../src/domain/settling.ts';
import type { CommandEnd } from '../../src/operations/guard-command.ts';
import type { GuardServiceRequest } from '../../src/operations/guard-request.ts';
import { guardService } from '../../src/operations/guard-service.ts';
import { withAdvice } from '../../src/operations/left-guards.ts';
import { rollbackService } from '../../src/operations/rollback-service.ts';
import type { ServiceContext } from '../../src/operations/service-context.ts';
import { planPoint } from '../../src/operations/service-point.ts';
import { recordedPoint } from '../../src/operations/service-record.ts';
import { memoryContainers } from '../fakes/containers.ts';
import { memorySnapshotter } from '../fakes/snapshotter.ts';
import { memoryUnit } from '../fakes/unit.ts';
import { memoryValidator } from '../fakes/validator.ts';
import { type Fixture, fixture, signal } from '../operations/restore-fixture.ts';
import { memoryMounts } from './house.ts';

const notHere = async (): Promise<never> => Promise.reject(new Error('This is not part of the test.'));

async function house(): Promise<{ readonly made: Fixture; readonly context: ServiceContext; readonly data: string }> {
  const made = await fixture();
  const data = join(made.folder, 'data');
  mkdirSync(data);
  writeFileSync(join(data, 'file'), 'then');
  made.addTree('data', [data]);
  const context: ServiceContext = {
    ...made.context,
    repository: async () => ({ ...made.repository, engine: 'archive' }),
    ...{ pools: new Map(), guard: GUARD_DEFAULTS, zone: 'UTC', mounts: memoryMounts([]), ownPaths: [] },
    ...{ settling: SETTLE_DEFAULTS, checks: async () => [], snapshotter: notHere, validators: async () => [] },
    treePool: async () => null,
  };
  return { made, context, data };
}

const request: GuardServiceRequest = {
  ...{ service: 'mealie', operation: 'update', autoRollback: true, when: null, execute: true },
};

describe('a command that is guarded over a whole service', () => {
  const breaks =
    (data: string, exitCode = 1) =>
    async (): Promise<CommandEnd> => {
      writeFileSync(join(data, 'file'), 'now');
      return { exitCode, interrupted: null };
    };

  test('is taken back when it fails, and the failed state is kept', async () => {
    const { made, context, data } = await house();
    using _ = made;
    const report = await guardService(request, breaks(data), context, signal);
    expect(report).toMatchObject({ outcome: 'rolled_back', exitCode: 2, rolledBack: true, rollbackError: null });
    expect(readFileSync(join(data, 'file'), 'utf8')).toBe('then');
    const kept = readdirSync(made.folder).find((name) => name.includes('recovery-backup')) ?? '';
    expect(readFileSync(join(made.folder, kept, 'file'), 'utf8')).toBe('now');
    const [run] = await made.catalog.runs({ verb: 'guard', limit: 1 });
    expect(run).toMatchObject({ outcome: 'failed', detail: { point: report.point?.id, outcome: 'rolled_back' } });
  });

  test('is taken back when it makes a check fail', async () => {
    const { made, context, data } = await house();
    using _ = made;
    const bad = {
      ...context,
      validators: async () => [
        memoryValidator({
          settles: false,
          now: () => (readFileSync(join(data, 'file'), 'utf8') === 'then' ? 'good' : 'bad'),
        }),
      ],
    };
    const report = await guardService(request, breaks(data, 0), bad, signal);
    expect(report).toMatchObject({ outcome: 'rolled_back', exitCode: 2, validation: { outcome: 'invalid' } });
    expect(readFileSync(join(data, 'file'), 'utf8')).toBe('then');
  });

  test('is taken back when it ends well and a tree is gone, which no check says', async () => {
    const { made, context, data } = await house();
    using _ = made;
    const removes = async (): Promise<CommandEnd> => {
      rmSync(data, { recursive: true });
      return { exitCode: 0, interrupted: null };
    };
    expect(await guardService(request, removes, context, signal)).toMatchObject({
      ...{ outcome: 'rolled_back', exitCode: 2, commandExit: 0 },
      validation: { outcome: 'invalid', checks: [{ name: `data ${data}`, outcome: 'failed' }] },
    });
    expect(readFileSync(join(data, 'file'), 'utf8')).toBe('then');
  });

  test('stays as it is without --auto-rollback, until its point is taken back by hand', async () => {
    const { made, context, data } = await house();
    using _ = made;
    const report = await guardService({ ...request, autoRollback: false }, breaks(data), context, signal);
    expect(report).toMatchObject({ outcome: 'command_failed', exitCode: 1, rolledBack: false });
    expect(readFileSync(join(data, 'file'), 'utf8')).toBe('now');
    const { point } = await recordedPoint('mealie', null, context);
    const how = { reason: 'manual-recovery', expected: null, startAgain: null } as const;
    expect(await rollbackService(point, how, context, signal)).toMatchObject({ outcome: 'success' });
    expect(readFileSync(join(data, 'file'), 'utf8')).toBe('then');
  });

  test('is not started when not all of the service can be captured', async () => {
    const { made, context } = await house();
    using _ = made;
    let started = false;
    const unreachable = { ...context, source: notHere };
    const run = async () => {
      started = true;
      return { exitCode: 0, interrupted: null };
    };
    await expect(guardService(request, run, unreachable, signal)).rejects.toThrow();
    expect(started).toBe(false);
    await expect(guardService({ ...request, service: 'nobody' }, run, context, signal)).rejects.toMatchObject({
      code: 'ServiceNotFound',
    });
  });

  test('has a database copied file by file only when no container goes on that can write to it', async () => {
    const { made, context, data } = await house();
    using _ = made;
    const pool = memorySnapshotter({ clock: made.context.clock, kind: 'copy' });
    pool.addSubvolume('data');
    const app = memoryUnit({ reference: { kind: 'container', host: 'local', container: 'app' } });
    const mounts = [{ kind: 'bind', source: data, writable: true }] as const;
    const common = { running: true, createdAt: '', mounts, own: false };
    const labels = { 'docker-volume-backup.stop-during-backup': 'true' };
    const planned = async (...all: readonly Container[]): Promise<readonly string[]> => {
      const around = { containers: async () => memoryContainers(all), unit: async () => app };
      const source: ServiceContext['source'] = async (service, definition) => ({
        ...(await context.source(service, definition)),
        ...{ snapshotRoots: async () => [{ path: data, folder: true }], holdsDatabases: async () => true },
      });
      const within = { ...context, ...around, source, treePool: async () => 'main', snapshotter: async () => pool };
      const service = made.services.get('mealie') as ServiceDefinition;
      const sources = service.sources.map((source) => ({ ...source, settings: { files: [data] } }));
      const { tree } = await planPoint({ ...service, sources }, within, signal);
      return tree.trees.map(({ source }) => source);
    };
    const stops = { ...common, id: 'app', name: 'app', labels };
    expect(await planned(stops)).toEqual(['data']);
    expect(await planned(stops, { ...common, id: 'db', name: 'db', labels: {} })).toEqual([]);
  });

  test('is not started when a kind of source cannot be taken back', async () => {
    const { made, context, data } = await house();
    using _ = made;
    const source: ServiceContext['source'] = async (...wanted) => {
      const found = await made.context.source(...wanted);
      return { ...found, capabilities: { ...found.capabilities, inPlace: false } };
    };
    await expect(guardService(request, breaks(data), { ...context, source }, signal)).rejects.toMatchObject({
      code: 'Unsupported',
      message: 'Guard cannot take data back, a source of kind files.',
    });
    expect(readFileSync(join(data, 'file'), 'utf8')).toBe('then');
  });

  test('is not started when no unit stops a server that must be down for its way back', async () => {
    const { made, context, data } = await house();
    using _ = made;
    const path = join(made.folder, 'dump.db');
    new DatabaseSync(path).exec('create table notes (text)');
    made.addDatabase('notes', path);
    const server = { name: 'Redis', heldAt: [], build: null };
    const source: ServiceContext['source'] = async (...wanted) => {
      const found = await made.context.source(...wanted);
      const placed = { path, stored: 'sqlite_notes.db', companions: [], exclusive: true, server };
      return found.name === 'notes' ? { ...found, placements: async () => [placed] } : found;
    };
    await expect(guardService(request, breaks(data), { ...context, source }, signal)).rejects.toMatchObject({
      code: 'Refused',
      message: expect.stringContaining('Redis must be down'),
    });
    expect(readFileSync(join(data, 'file'), 'utf8')).toBe('then');
    expect(await made.catalog.runs({ verb: 'guard', limit: 1 })).toMatchObject([{ detail: { removed: true } }]);
  });

  async function withImages() {
    const found = await house();
    const unit = memoryUnit();
    const image = (identity: string) => ({ mealie: { identity, reference: 'mealie:v1', member: unit.name } });
    unit.imagesNow = image('sha256:old');
    found.made.units.set(unit.name, unit);
    const service = found.made.services.get('mealie');
    if (service) found.made.services.set('mealie', { ...service, units: [{ systemd: unit.name }] });
    const deploy = async () => {
      unit.imagesNow = image('sha256:new');
      return breaks(found.data)();
    };
    return { ...found, unit, deploy };
  }

  test('that changed an image runs of the old one again: data first, then images, then units', async () => {
    const { made, context, data, unit, deploy } = await withImages();
    using _ = made;
    const seen: string[] = [];
    unit.before = (method) => {
      if (method === 'takeImagesBack' || method === 'start')
        seen.push(`${method}: ${readFileSync(join(data, 'file'), 'utf8')}`);
    };
    const report = await guardService(request, deploy, context, signal);
    expect(report).toMatchObject({ outcome: 'rolled_back', exitCode: 2, rolledBack: true });
    expect(unit.imagesNow).toMatchObject({ mealie: { identity: 'sha256:old' } });
    expect(seen).toEqual(['takeImagesBack: then', 'start: then']);
    expect(unit.calls).toEqual([`stop ${unit.name}`, 'make mealie anew', `start ${unit.name}: ${unit.name}`]);
    expect([...unit.kept.keys()]).toEqual([report.point?.id.toLowerCase()]);
  });

  test('whose image cannot be taken back ends with 3 and says what to do, and the unit runs', async () => {
    const { made, context, data, unit, deploy } = await withImages();
    using _ = made;
    unit.before = (method) => {
      if (method === 'takeImagesBack')
        throw new HoldfastError('Unsupported', 'No way.', 'mealie', { hint: 'docker rm' });
    };
    const report = await guardService(request, deploy, context, signal);
    expect(report).toMatchObject({ outcome: 'rollback_failed', exitCode: 3, rolledBack: true });
    expect(report.rollback?.problem).toMatch(/No way\. By hand: docker rm/);
    expect(readFileSync(join(data, 'file'), 'utf8')).toBe('then');
    expect(await unit.running(signal)).toEqual([unit.name]);
    expect(await made.catalog.recoveries({ limit: 1 })).toMatchObject([
      { outcome: 'failed', reason: 'command-failed' },
    ]);
  });

  test('whose guard was killed while its point was made leaves nothing that is taken back, and the next removes it', async () => {
    const { made, context, data } = await house();
    using _ = made;
    const killed = { ...context, source: async () => Promise.reject(new Error('killed')) };
    const images = { web: { identity: 'sha256:one', reference: 'web', member: 'web' } };
    const unit = memoryUnit();
    unit.kept.set('01left', images);
    made.units.set(unit.name, unit);
    await expect(guardService(request, breaks(data), killed, signal)).rejects.toThrow('killed');
    const reference = { kind: 'systemd', host: 'local', unit: unit.name, user: null } as const;
    await made.catalog.recordRun({
      ...{
        id: '01LEFT',
        verb: 'guard',
        plan: null,
        services: ['mealie'],
        startedAt: context.clock.now(),
        durationMs: 1,
      },
      outcome: 'inconclusive',
      detail: {
        ...{ service: 'mealie', point: '01LEFT', snapshot: '01LEFT', operation: 'update', repository: null, trees: [] },
        ...{ images: [{ unit: reference, images }], outcome: 'pending', commandExit: null, rolledBack: false },
        ...{ whole: false, removed: false },
      },
    });
    await expect(recordedPoint('mealie', null, context)).rejects.toMatchObject({ code: 'PointNotFound' });
    const good = async () => ({ exitCode: 0, interrupted: null });
    await guardService(request, good, context, signal);
    expect([...unit.kept.keys()]).toEqual([]);
  });

  test('whose guard was killed after it took all back is told as such', async () => {
    const { made, context, data } = await house();
    using _ = made;
    const { point } = await guardService(request, breaks(data), context, signal);
    const [row] = await made.catalog.snapshots({ subvolume: 'mealie' });
    if (row) await made.catalog.recordSnapshot({ ...row, outcome: 'pending' });
    const journal = await context.journal();
    const detail = { service: 'mealie', operation: 'update', point: point?.id };
    const entry = await journal.begin({ verb: 'guard', subject: 'mealie', detail });
    const repairs = journal.open().map((one) => ({ entry: one, outcome: 'finished' as const, detail: '' }));
    await entry.done();
    expect(await withAdvice(repairs, made.catalog)).toMatchObject([
      { became: `guard of mealie was cut short; ${point?.id}: rolled_back`, advice: null },
    ]);
    expect(await made.catalog.snapshots({ subvolume: 'mealie' })).toMatchObject([{ outcome: 'rolled_back' }]);
  });
});
