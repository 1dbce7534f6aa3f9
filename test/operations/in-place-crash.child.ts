// Run by in-place-crash.test.ts: node in-place-crash.child.ts FOLDER before|after NUMBER. Restores a ruined service in
// place and kills itself at one call that changes something; ends with 0 when there is no such call any more.
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { restore } from '../../src/operations/restore.ts';
import { fileUnit } from './file-unit.ts';
import { fixture, signal, timelessImageOf } from './restore-fixture.ts';

const [folder = '', moment, number] = process.argv.slice(2);
const made = await fixture(folder);
const data = join(folder, 'data');
const environment = join(folder, '.env');
mkdirSync(join(data, 'inner'), { recursive: true });
writeFileSync(join(data, 'inner', 'file'), 'then');
writeFileSync(environment, 'then');
made.addTree('data', [data, environment], ['*.log']);
await made.backUp();
writeFileSync(join(folder, 'restored'), timelessImageOf(data));
writeFileSync(join(data, 'inner', 'file'), 'now');
writeFileSync(join(data, 'today.log'), 'now');
rmSync(environment);
writeFileSync(join(folder, 'present'), timelessImageOf(data));

let calls = 0;
const changes = (): void => {
  if (calls++ === Number(number)) process.kill(process.pid, 'SIGKILL');
};
made.faults[moment === 'before' ? 'before' : 'after'] = (method) => {
  if (['makeFolder', 'rename', 'remove'].includes(method)) changes();
};
writeFileSync(join(folder, 'unit-runs'), '');
const unit = fileUnit(folder, (when) => {
  if (when === moment) changes();
});
made.units.set(unit.name, unit);
const service = made.services.get('mealie');
if (service) made.services.set('mealie', { ...service, units: [{ systemd: unit.name }] });
await restore({ what: 'mealie', target: { kind: 'in-place' } }, made.context, signal);
