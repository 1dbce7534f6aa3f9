// Makes repositories with so many points that only their manifests matter, and a configuration for each.
//   node bench/many-points.ts FOLDER   →  FOLDER/many.yaml (10,000 points), FOLDER/few.yaml (10 points)
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { ulid } from '../src/domain/ulid.ts';
import { ORIGIN } from './data.ts';

const SERVICES = 10;
const [folder = ''] = process.argv.slice(2);

function manifest(service: string, at: Temporal.Instant, number: number): string {
  const item = {
    ...{ name: 'files_data', source: 'data', kind: 'files', file: 'files_data.tar.zst', size: 1_000_000 + number },
    ...{ originalSize: 2_000_000, sha256: 'a'.repeat(64), originalSha256: 'b'.repeat(64), durationMs: 543 },
    ...{ outcome: 'passed', error: null, warnings: [], facts: { files: 1000, directories: 10, bytes: 2_000_000 } },
    ...{ tool: { name: 'tar', version: '1.34' }, compression: 'zstd', encryption: null, readAt: at.toString() },
  };
  const random = new Uint8Array(10);
  new DataView(random.buffer).setUint32(6, number);
  return JSON.stringify({
    ...{ format: 1, id: ulid(at.epochMilliseconds, random), service, plan: 'nightly', type: 'regular', host: 'local' },
    ...{ origin: ORIGIN, timestamp: at.toString(), completedAt: at.toString(), durationMs: 1000 },
    ...{ outcome: 'passed', holdfast: '0.1.0', counts: { succeeded: 1, failed: 0 }, totalSize: item.size },
    ...{ items: [item], configuration: null },
  });
}

async function make(name: string, points: number): Promise<void> {
  const repository = join(folder, name);
  const services = Array.from({ length: SERVICES }, (_, index) => `service-${index}`);
  const sources = services.map((service) => `  ${service}: { sources: { data: { files: [/nowhere/${service}] } } }`);
  const configuration = `version: 1\nrepositories: { local: { engine: archive, path: ${name} } }\nservices:\n${sources.join('\n')}\n`;
  await mkdir(repository, { recursive: true, mode: 0o700 });
  await writeFile(join(folder, `${name}.yaml`), configuration);
  const marker = { format: 1, id: 'bench', createdAt: '2026-01-01T00:00:00Z' };
  await writeFile(join(repository, '.holdfast-repository.json'), JSON.stringify(marker));
  const first = Temporal.Instant.from('2024-01-01T00:00:00Z');
  for (let number = 0; number < points; number++) {
    const service = services[number % SERVICES] ?? '';
    const at = first.add({ hours: number });
    const point = join(repository, service, at.toString().replace(/[-:Z]/g, '').replace('T', '_'));
    await mkdir(point, { recursive: true });
    const text = manifest(service, at, number);
    await writeFile(join(point, 'backup-manifest.json'), text);
    await writeFile(
      join(point, 'SHA256SUMS'),
      `${createHash('sha256').update(text).digest('hex')}  backup-manifest.json\n`,
    );
  }
}

if (!existsSync(join(folder, 'few.yaml'))) {
  await make('many', 10_000);
  await make('few', 10);
}
