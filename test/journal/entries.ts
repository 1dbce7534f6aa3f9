/** Writes journal entries, for the power cut test: `node entries.ts FOLDER`. After each call that resolved it appends the
 *  state that the journal must have from now on to FOLDER/acknowledged, one line of JSON each. */
import { appendFileSync } from 'node:fs';
import { join } from 'node:path';
import { openEntries, openJournal } from '../../src/journal/journal.ts';
import { systemClock, ulids } from '../../src/process/clock.ts';
import { systemOwners } from '../../src/process/owner.ts';
import { localPorts } from './local-files.ts';

const [folder = ''] = process.argv.slice(2);
const path = join(folder, 'journal.db');
const owners = systemOwners();
const context = { clock: systemClock, identifiers: ulids(), owners, ports: localPorts };
const acknowledge = (): void =>
  appendFileSync(join(folder, 'acknowledged'), `${JSON.stringify(openEntries(path, owners))}\n`);

// twice, because closing the last connection copies the log into the file and removes it
for (const round of [1, 2]) {
  using journal = openJournal(path, context);
  acknowledge();
  await using left = await journal.begin({ verb: 'restore', subject: `left open ${round}` });
  acknowledge();
  await using entry = await journal.begin({ verb: 'restore', subject: 'mealie', detail: 'x'.repeat(5000) });
  acknowledge();
  for (const name of ['one', 'two', 'three']) {
    const step = { kind: 'path-made', host: 'local', path: join(folder, `${round}-${name}`) } as const;
    await entry.step(step, async () => acknowledge());
  }
  await entry.forwardOnly([{ kind: 'path-removed', host: 'local', path: join(folder, 'gone') }]);
  acknowledge();
  await entry.done();
  acknowledge();
  await left.done();
  acknowledge();
}
