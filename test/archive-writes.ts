/** Run under strace by repositories-power-cut.test.ts: `node archive-writes.ts FOLDER LAYOUT`. Writes `acknowledged` in
 *  FOLDER, one line for each call that resolved, and a repository in FOLDER/repository. */
import { appendFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { archiveRepository } from '../src/adapters/repositories/archive/index.ts';
import type { RecoveryPoint } from '../src/domain/recovery-point.ts';
import { aHeader, aManifest, aRow, aStream, at, chunks, noise } from './contracts/captured-items.ts';
import { settingsFor, tools } from './services/archive.ts';

const [folder = '', layout = 'folder'] = process.argv.slice(2);
const never = new AbortController().signal;
const repository = archiveRepository(
  settingsFor(join(folder, 'repository'), { layout: layout === 'single' ? 'single' : 'folder' }),
  tools(),
);
const state = new Map<string, { held: string | null; evidence: string }>();
writeFileSync(join(folder, 'acknowledged'), '');
const acknowledge = (): void => {
  const line = [...state].map(([id, { held, evidence }]) => [id, held, evidence]).sort();
  appendFileSync(join(folder, 'acknowledged'), `${JSON.stringify(line)}\n`);
};

async function store(time: string, seed: number, reused: RecoveryPoint | null): Promise<RecoveryPoint> {
  const header = aHeader({ timestamp: at(time) });
  await using draft = await repository.begin(header, 0, never);
  const [dump, tree] = [
    aStream('ldap', () => chunks(noise(3000, seed))),
    aStream('big', () => chunks(noise(9000)), 'big.db'),
  ];
  const rows = [aRow(dump, await draft.putStream(dump, never))];
  const again = reused === null ? null : await draft.reuse('big', reused, never);
  rows.push(aRow(tree, again ?? (await draft.putStream(tree, never))));
  const point = await draft.commit(aManifest(header, rows), null, never);
  state.set(point.id, { held: null, evidence: 'stored' });
  return point;
}

await repository.initialize(never);
acknowledge();
const first = await store('02:00:00', 1, null);
acknowledge();
await repository.hold(first, { reason: 'kept', at: at('03:00:00'), by: 'user' }, never);
state.set(first.id, { held: 'kept', evidence: 'stored' });
acknowledge();
const second = await store('04:00:00', 2, first);
acknowledge();
const json = { point: second.id, evidence: 'sound', evidenceAt: at('05:00:00').toString() } as const;
await repository.writeReport(second, 'verification-report', 'sound\n', json, never);
state.set(second.id, { held: null, evidence: 'sound' });
acknowledge();
await repository.remove(first, never);
state.delete(first.id);
acknowledge();
