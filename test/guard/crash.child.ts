// Run by crash.test.ts: node crash.child.ts POOL STATE before|after NUMBER exchange|renames. Takes a subvolume back and
// kills itself at one call that changes something; ends with 0 when there is no such call any more.
import { localHost } from '../../src/adapters/hosts/local/index.ts';
import { localMountTable } from '../../src/adapters/hosts/local/mount-table.ts';
import { rollback } from '../../src/operations/rollback.ts';
import { planRollback } from '../../src/operations/rollback-plan.ts';
import type { MountTable } from '../../src/ports/occupancy.ts';
import type { Snapshotter } from '../../src/ports/snapshotter.ts';
import { fileUnit } from '../operations/file-unit.ts';
import { openAt } from '../services/snapshotter-fixture.ts';
import { guardHouse, signal } from './house.ts';

const [pool = '', state = '', moment = '', number = '', atomic = ''] = process.argv.slice(2);
const CHANGES = new Set(['materialize', 'exchange', 'rename', 'remove', 'moveNested', 'show', 'hide', 'stop', 'start']);
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
using made = guardHouse({ folder: state, snapshotter, mounts, units: new Map([[unit.name, unit]]) });
made.declare('media', { units: [{ systemd: 'media.service' }] });
const context = { ...made.context, unit: async () => unit };
const plan = await planRollback({ what: { snapshot: 'media-then' }, withDependencies: false }, context, signal);
const report = await rollback(plan, { reason: 'manual-recovery', expected: null, startAgain: null }, context, signal);
if (report.outcome !== 'success') throw new Error(JSON.stringify(report));
