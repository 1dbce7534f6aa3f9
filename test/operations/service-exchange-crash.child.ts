// Run by service-exchange-crash.test.ts: node service-exchange-crash.child.ts FOLDER SOCKET DATABASE before|after NUMBER.
// Restores a ruined service in place, its folder, its file and its database, and kills itself at one call that changes
// something once all is staged; ends with 0 when there is no such call any more.
import { execFileSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { localHost } from '../../src/adapters/hosts/local/index.ts';
import { restore } from '../../src/operations/restore.ts';
import { postgresSource } from '../services/postgres.ts';
import { fileUnit } from './file-unit.ts';
import { fixture, signal } from './restore-fixture.ts';

const [folder = '', socket = '', database = '', moment = '', number = ''] = process.argv.slice(2);
let staged = false;
let calls = 0;
/** Called around each change. */
function around(when: string): void {
  if (staged && when === moment && calls++ === Number(number)) process.kill(process.pid, 'SIGKILL');
}

const local = localHost();
const deadly: typeof local = {
  ...local,
  async run(command, options) {
    const changes = command.args.some((word) => word.includes('alter database'));
    if (changes) around('before');
    const ended = await local.run(command, options);
    if (changes) around('after');
    return ended;
  },
};
const unit = fileUnit(folder, (when) => {
  staged = true; // its stop is the first step of the exchange
  around(when);
});
const made = await fixture(folder);
made.units.set(unit.name, unit);
for (const when of ['before', 'after'] as const)
  made.faults[when] = (method) => {
    if (['makeFolder', 'rename', 'remove'].includes(method)) around(when);
  };
const [data, notes] = [join(folder, 'data'), join(folder, 'notes.db')];
const fill = (text: string): void => {
  mkdirSync(data, { recursive: true });
  writeFileSync(join(data, 'file'), text);
  const sql = `drop table if exists notes; create table notes as select '${text}' as text`;
  execFileSync('sqlite3', [notes, sql]);
  execFileSync('setpriv', [
    ...['--reuid=postgres', '--regid=postgres', '--init-groups', '--'],
    ...['psql', '--no-psqlrc', '--quiet', '--host', socket, '--dbname', database, '--command', sql],
  ]);
};
fill('then');
made.addTree('data', [data]);
made.addDatabase('notes', notes);
made.addSource(postgresSource(socket, [database], deadly));
const service = made.services.get('mealie');
if (service) made.services.set('mealie', { ...service, units: [{ systemd: unit.name }] });
await made.backUp();
fill('now');
writeFileSync(join(folder, 'unit-runs'), '');
await restore({ what: 'mealie', target: { kind: 'in-place', withoutSafety: true } }, made.context, signal);
