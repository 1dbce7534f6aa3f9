/** A run of its own, for the tests of crashes: `node archive-writer.ts PATH LAYOUT HOW`. HOW is `once` (begin, wait for a
 *  line on stdin, commit) or `forever` (point after point until it is killed). Prints what it reached, one word a line. */
import { once } from 'node:events';
import { archiveRepository } from '../src/adapters/repositories/archive/index.ts';
import { HoldfastError } from '../src/domain/errors.ts';
import { aHeader, aManifest, aRow, aStream, noise } from './contracts/captured-items.ts';
import { settingsFor, tools } from './services/archive.ts';

const [path = '', layout = 'folder', how = 'once'] = process.argv.slice(2);
const never = new AbortController().signal;
const repository = archiveRepository(settingsFor(path, { layout: layout === 'single' ? 'single' : 'folder' }), tools());
const say = (word: string): void => void process.stdout.write(`${word}\n`);

async function store(seed: number): Promise<void> {
  const now = Temporal.Now.instant();
  const header = { ...aHeader({ timestamp: now }), id: tools().identifiers.next(now) };
  await using draft = await repository.begin(header, 0, never);
  say('begun');
  if (how === 'once') await once(process.stdin, 'data');
  const items = ['one', 'two'].map((name, index) =>
    aStream(name, async function* () {
      for (let part = 0; part < 20; part++) yield noise(50_000, seed * 100 + index * 20 + part);
    }),
  );
  const rows = [];
  for (const item of items) rows.push(aRow(item, await draft.putStream(item, never)));
  const { location } = await draft.commit(aManifest(header, rows), null, never);
  say(`committed ${location}`);
}

try {
  for (let seed = 0; seed === 0 || how === 'forever'; seed++) await store(seed);
} catch (error) {
  say(error instanceof HoldfastError ? `refused ${error.code}` : `failed ${error}`);
}
process.stdin.destroy();
