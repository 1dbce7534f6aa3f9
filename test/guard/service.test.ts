import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { GUARD_DEFAULTS } from '../../src/domain/guard.ts';
import { SETTLE_DEFAULTS } from '../../src/domain/settling.ts';
import type { CommandEnd } from '../../src/operations/guard-command.ts';
import type { GuardContext } from '../../src/operations/guard-context.ts';
import { type GuardServiceRequest, guardService, rollbackService } from '../../src/operations/guard-service.ts';
import { memoryUnit } from '../fakes/unit.ts';
import { memoryValidator } from '../fakes/validator.ts';
import { type Fixture, fixture, signal } from '../operations/restore-fixture.ts';
import { memoryMounts } from './house.ts';

const notHere = async (): Promise<never> => Promise.reject(new Error('This is not part of the test.'));

async function house(): Promise<{ readonly made: Fixture; readonly context: GuardContext; readonly data: string }> {
  const made = await fixture();
  const data = join(made.folder, 'data');
  mkdirSync(data);
  writeFileSync(join(data, 'file'), 'then');
  made.addTree('data', [data]);
  const context: GuardContext = {
    ...made.context,
    repository: async () => ({ ...made.repository, engine: 'archive' }),
    ...{ pools: new Map(), guard: GUARD_DEFAULTS, zone: 'UTC', mounts: memoryMounts([]), ownPaths: [] },
    ...{ settling: SETTLE_DEFAULTS, checks: async () => [], snapshotter: notHere, validators: async () => [] },
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
    expect(run).toMatchObject({ outcome: 'failed', detail: { point: report.point, outcome: 'rolled_back' } });
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

  test('stays as it is without --auto-rollback, until its point is taken back by hand', async () => {
    const { made, context, data } = await house();
    using _ = made;
    const report = await guardService({ ...request, autoRollback: false }, breaks(data), context, signal);
    expect(report).toMatchObject({ outcome: 'command_failed', exitCode: 1, rolledBack: false });
    expect(readFileSync(join(data, 'file'), 'utf8')).toBe('now');
    await rollbackService({ service: 'mealie', point: null }, context, signal);
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

  test('that changed an image is not fully back, which is told with what to do by hand', async () => {
    const { made, context, data } = await house();
    using _ = made;
    const unit = memoryUnit();
    unit.imagesNow = { mealie: { identity: 'sha256:old', reference: 'mealie:v1', member: 'mealie' } };
    made.units.set(unit.name, unit);
    const service = made.services.get('mealie');
    if (service) made.services.set('mealie', { ...service, units: [{ systemd: unit.name }] });
    const run = async () => {
      unit.imagesNow = { mealie: { identity: 'sha256:new', reference: 'mealie:v1', member: 'mealie' } };
      return breaks(data)();
    };
    const report = await guardService(request, run, context, signal);
    expect(report).toMatchObject({ outcome: 'rollback_failed', exitCode: 3, rolledBack: true });
    expect(report.problems).toEqual([expect.stringMatching(/sha256:old before; now sha256:new/)]);
  });
});
