// Run by crash.test.ts: node crash.child.ts POOL STATE before|after NUMBER exchange|renames rollback|guard. Takes a
// subvolume back, by hand or by a guard whose command fails, and kills itself at one call that changes something; ends
// with 0 when there is no such call any more.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { localHost } from '../../src/adapters/hosts/local/index.ts';
import { localMountTable } from '../../src/adapters/hosts/local/mount-table.ts';
import { openCatalog } from '../../src/catalog/open.ts';
import { guard } from '../../src/operations/guard.ts';
import { rollback } from '../../src/operations/rollback.ts';
import { planRollback } from '../../src/operations/rollback-plan.ts';
import type { MountTable } from '../../src/ports/occupancy.ts';
import type { Snapshotter } from '../../src/ports/snapshotter.ts';
import { fileUnit } from '../operations/file-unit.ts';
import { openAt } from '../services/snapshotter-fixture.ts';
import { guardHouse, signal } from './house.ts';

const [pool = '', state = '', moment = '', number = '', atomic = '', verb = ''] = process.argv.slice(2);
const CHANGES = new Set([
  ...['snapshot', 'materialize', 'exchange', 'rename', 'remove', 'moveNested', 'show', 'hide', 'stop', 'start'],
  ...['recordSnapshot', 'recordRecovery', 'recordRun', 'command'],
]);
let calls = 0;

/** Kills this process before or after the wanted call. */
function deadly<Port extends object>(port: Port): Port {
  const kill = (when: string): void => {
    if (when === moment && calls++ === Number(number)) process.kill(process.pid, 'SIGKILL');
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

const opened = await openAt(pool);
const capabilities = { ...opened.capabilities, atomic: atomic !== 'renames' };
const snapshotter: Snapshotter = deadly({ ...opened, capabilities });
const mounts: MountTable = deadly(localMountTable(localHost()));
const unit = deadly(fileUnit(state));
await using catalog = await openCatalog(join(state, 'catalog.db'));
const units = new Map([[unit.name, unit]]);
using made = guardHouse({ folder: state, snapshotter, mounts, units, catalog: deadly(catalog) });
made.declare('media', { units: [{ systemd: 'media.service' }] });
const context = { ...made.context, guard: { ...made.context.guard, minFree: 0 }, unit: async () => unit };

async function byHand(): Promise<boolean> {
  const plan = await planRollback({ what: { snapshot: 'media-then' }, withDependencies: false }, context, signal);
  const options = { reason: 'manual-recovery', expected: null, startAgain: null } as const;
  return (await rollback(plan, options, context, signal)).outcome === 'success';
}

async function byGuard(): Promise<boolean> {
  const { command } = deadly({
    command: async () => {
      writeFileSync(join(pool, 'media', 'file'), 'now');
      return { exitCode: 1, interrupted: null };
    },
  });
  const request = { subvolume: 'media', operation: 'x', autoRollback: true, when: null, execute: true } as const;
  return (await guard(request, command, context, signal)).outcome === 'rolled_back';
}

if (!(await (verb === 'guard' ? byGuard() : byHand()))) throw new Error('It did not come to its end.');
