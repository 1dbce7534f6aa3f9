/** Writes a catalog, for the power cut test: `node catalog-writes.ts FOLDER`. After each call that resolved it appends
 *  what the catalog must have from now on to FOLDER/acknowledged, one line of JSON each. */
import { appendFileSync } from 'node:fs';
import { join } from 'node:path';
import { openCatalog } from '../src/catalog/open.ts';
import { type RecoveryPoint, summaryOf } from '../src/domain/recovery-point.ts';
import { ACKNOWLEDGED } from './services/power-cut.ts';

const [folder = ''] = process.argv.slice(2);
const at = Temporal.Instant.from('2025-12-02T12:00:00Z');
const aPoint = (id: string): RecoveryPoint => ({
  id,
  repository: 'local',
  service: 'mealie',
  location: `mealie/${id}`,
  timestamp: at,
  outcome: 'passed',
  totalSize: 1,
  evidence: 'stored',
  evidenceAt: at,
  held: null,
  foreign: true,
  ...summaryOf(null),
  manifest: null,
});

await using catalog = await openCatalog(join(folder, 'catalog.db'));
const acknowledge = async (): Promise<void> => {
  const points = (await catalog.points({})).map(({ id, evidence }) => [id, evidence]);
  appendFileSync(join(folder, ACKNOWLEDGED), `${JSON.stringify(points)}\n`);
};
await catalog.remember([aPoint('A1'), aPoint('A2'), aPoint('A3')]);
await acknowledge();
await catalog.setEvidence(aPoint('A1'), 'sound', at.add({ hours: 1 }));
await acknowledge();
await catalog.forget([aPoint('A2')]);
await acknowledge();
await catalog.replaceRepository('local', [aPoint('A1'), aPoint('A4')]);
await acknowledge();
// leaving closes it: the log is copied into the file and removed
