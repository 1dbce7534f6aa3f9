/** A restore in place that is killed, for the crash tests: `node exchange.ts FOLDER exchange|repair MOMENT`.
 *  It kills itself with SIGKILL at the given moment, counted from 1; when it gets to its end first, it prints how many
 *  moments there were. Moments lie before and after each change of the folder and each step of the journal. */
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { openJournal } from '../../src/journal/journal.ts';
import type { StepPorts } from '../../src/journal/step.ts';
import { systemClock, ulids } from '../../src/process/clock.ts';
import { systemOwners } from '../../src/process/owner.ts';
import { localFiles, localPorts } from './local-files.ts';

const [folder = '', mode, killAt] = process.argv.slice(2);
const moments = { passed: 0 };
function moment(): void {
  if (++moments.passed === Number(killAt)) process.kill(process.pid, 'SIGKILL');
}
async function between<Result>(work: () => Promise<Result>): Promise<Result> {
  moment();
  const result = await work();
  moment();
  return result;
}

const at = (...names: string[]): string => join(folder, ...names);
const host = 'local';
const files: typeof localFiles = {
  ...localFiles,
  rename: (from, to, signal) => between(() => localFiles.rename(from, to, signal)),
  remove: (path, signal) => between(() => localFiles.remove(path, signal)),
};
const ports: StepPorts = { ...localPorts, host: async () => ({ files }) };
const signal = new AbortController().signal;
const rename = (from: string, to: string) => files.rename(at(from), at(to), signal);

using journal = openJournal(at('journal.db'), {
  clock: systemClock,
  identifiers: ulids(),
  owners: systemOwners(),
  ports,
});
if (mode === 'repair') await journal.repair({ force: false }, signal);
else await exchange();
process.stdout.write(String(moments.passed));

async function exchange(): Promise<void> {
  moment();
  await using entry = await journal.begin({ verb: 'restore', subject: 'mealie' });
  moment();
  await entry.step({ kind: 'path-made', host, path: at('staged') }, async () => {
    await between(() => mkdir(at('staged')));
    await between(() => writeFile(at('staged', 'recipe'), 'restored'));
  });
  await entry.step({ kind: 'path-renamed', host, from: at('data'), to: at('kept') }, () => rename('data', 'kept'));
  await entry.step({ kind: 'path-renamed', host, from: at('staged'), to: at('data') }, () => rename('staged', 'data'));
  // what remains after the point of no return: the state before is put where it is kept
  await entry.forwardOnly([{ kind: 'path-renamed', host, from: at('kept'), to: at('kept-for-30-days') }]);
  await rename('kept', 'kept-for-30-days');
  await entry.done();
  moment();
}
