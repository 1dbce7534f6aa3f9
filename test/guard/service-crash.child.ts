// Run by service-crash.test.ts: node service-crash.child.ts POOL STATE before|after NUMBER. Makes a point of a service by
// guard, changes all of it and takes it back, and kills itself at one call of the rollback that changes something; ends
// with 0 when there is no such call any more.

import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { localHost } from '../../src/adapters/hosts/local/index.ts';
import { source } from '../../src/adapters/sources/files/index.ts';
import { openCatalog } from '../../src/catalog/open.ts';
import { DEFAULT_OBJECTIVES } from '../../src/domain/objectives.ts';
import { guardService } from '../../src/operations/guard-service.ts';
import { rollbackService } from '../../src/operations/rollback-service.ts';
import { openAt } from '../services/snapshotter-fixture.ts';
import { guardHouse, signal } from './house.ts';
import { imageUnit } from './image-unit.ts';

const [pool = '', state = '', moment = '', number = ''] = process.argv.slice(2);
const CHANGES = new Set([
  ...['materialize', 'remove', 'rename', 'makeFolder', 'run', 'stop', 'start', 'takeImagesBack'],
  ...['recordRecovery', 'recordRun'],
]);
let calls = 0;
let armed = false;

/** Kills this process before or after the wanted call. */
function deadly<Port extends object>(port: Port): Port {
  const kill = (when: string): void => {
    if (armed && when === moment && calls++ === Number(number)) process.kill(process.pid, 'SIGKILL');
  };
  const wrapped = Object.entries(port).map(([name, call]) => {
    if (!CHANGES.has(name)) return [name, call];
    const wrap = async (...args: unknown[]): Promise<unknown> => {
      kill('before');
      const answer = await call(...args);
      kill('after');
      return answer;
    };
    return [name, wrap];
  });
  return Object.fromEntries(wrapped) as Port;
}

const local = localHost();
const host = { ...deadly(local), files: deadly(local.files) };
const snapshotter = deadly(await openAt(pool));
const unit = deadly(imageUnit(state));
await using catalog = await openCatalog(join(state, 'catalog.db'));
using made = guardHouse({ folder: state, snapshotter, units: new Map([[unit.name, unit]]), catalog: deadly(catalog) });
const [data, file] = [join(pool, 'media'), join(pool, '.env')];
const service = {
  ...{
    name: 'wiki',
    host: 'local',
    tier: 'critical' as const,
    objectives: DEFAULT_OBJECTIVES,
    units: [{ systemd: unit.name }],
    checks: [],
  },
  sources: [{ name: 'data', kind: 'files', settings: {} }],
  stopDuring: { backup: false, restore: true },
};
const context = {
  ...{ ...made.context, host: async () => host, services: new Map([['wiki', service]]), checks: async () => [] },
  source: async () => source('data', { files: [data, file] }, local),
  treePool: async () => 'main',
  guard: { ...made.context.guard, minFree: 0 },
};
const request = { service: 'wiki', operation: 'x', autoRollback: false, when: null, execute: false } as const;
const { point } = await guardService(request, async () => Promise.reject(new Error('not run')), context, signal);
if (point === null) throw new Error('There is no point.');
writeFileSync(join(data, 'file'), 'now');
writeFileSync(file, 'now');
writeFileSync(join(state, 'image'), 'sha256:now');
armed = true;
const how = { reason: 'manual-recovery', expected: null, startAgain: null } as const;
const { outcome, problem } = await rollbackService(point, how, context, signal);
if (outcome !== 'success') throw new Error(problem ?? 'It did not come to its end.');
