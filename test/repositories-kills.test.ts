import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { expect, test } from 'vitest';
import type { RecoveryPoint } from '../src/domain/recovery-point.ts';
import { aFailedRow, aHeader, aManifest, aRow, aStream, chunks, diesAfter } from './contracts/captured-items.ts';
import { storePoint } from './contracts/stored-points.ts';
import { archiveFixture } from './services/archive.ts';
import { bundled } from './services/bundled.ts';

const LAYOUTS = ['folder', 'single'] as const;
const WRITER = bundled(new URL('archive-writer.ts', import.meta.url));

/** Points by their names alone, and what sha256sum and zstd say of each. */
function judged(path: string, layout: 'folder' | 'single'): { readonly name: string; readonly sound: boolean }[] {
  if (layout === 'single') {
    return readdirSync(path)
      .filter((name) => name.endsWith('.tar.zst'))
      .map((name) => {
        const { archive } = JSON.parse(readFileSync(join(path, `${name}.json`), 'utf8'));
        const input = `${archive.sha256}  ${name}\n`;
        const sum = spawnSync('sha256sum', ['-c', '--status', '--strict', '-'], { cwd: path, input });
        const listed = spawnSync('tar', ['--zstd', '-tf', name], { cwd: path });
        return { name, sound: sum.status === 0 && listed.status === 0 };
      });
  }
  const service = join(path, 'mealie');
  const names = existsSync(service) ? readdirSync(service).filter((name) => !name.startsWith('.')) : [];
  return names.map((name) => {
    const sum = spawnSync('sha256sum', ['-c', '--status', '--strict', 'SHA256SUMS'], { cwd: join(service, name) });
    const items = readdirSync(join(service, name)).filter((file) => file.endsWith('.zst'));
    const tested = spawnSync('zstd', ['-tq', ...items], { cwd: join(service, name) });
    return { name, sound: items.length === 2 && sum.status === 0 && tested.status === 0 };
  });
}

for (const layout of LAYOUTS) {
  test(`a run that is killed at any moment leaves whole points only in a ${layout} repository`, async ({ signal }) => {
    await using made = await archiveFixture({ layout });
    const committed: string[] = [];
    for (let kill = 0; kill < 12; kill++) {
      const child = spawn(process.execPath, [WRITER, made.path, layout, 'forever'], {
        stdio: ['ignore', 'pipe', 'inherit'],
      });
      const lines = createInterface({ input: child.stdout });
      lines.on('line', (line) => {
        if (line.startsWith('committed ')) committed.push(line.slice('committed '.length));
      });
      await once(lines, 'line');
      const delayMs = kill * 14; // moments of a draft, which takes about this long
      await new Promise((resolve) => setTimeout(resolve, delayMs));
      child.kill('SIGKILL');
      await once(child, 'close');
      const points = judged(made.path, layout);
      expect(points.filter(({ sound }) => !sound)).toEqual([]);
    }
    const { points, unreadable } = await made.repository.list({}, signal);
    expect(unreadable).toEqual([]);
    const locations = points.map(({ location }) => location);
    expect(locations).toEqual(expect.arrayContaining(committed)); // what was said to be stored is stored
    expect(points.every(({ foreign }) => !foreign)).toBe(true);
    await storePoint(made.repository, aHeader(), signal);
    expect(await made.repository.check(signal)).toEqual([]);
  });
}

test('names that would leave the repository or hide in it are refused', async ({ signal }) => {
  await using made = await archiveFixture();
  for (const service of ['../outside', '.hidden', 'a/b', '', 'a\nb', 'x'.repeat(65)]) {
    await expect(made.repository.begin(aHeader({ service }), 0, signal), service).rejects.toMatchObject({
      code: 'Usage',
    });
  }
  await using draft = await made.repository.begin(aHeader(), 0, signal);
  for (const file of ['../x', '.x', 'backup-manifest.json', 'a b', '-x']) {
    const item = { ...aStream(file, () => chunks('x'), file), compressed: true };
    await expect(draft.putStream(item, signal)).rejects.toThrow();
  }
  for (const service of ['A.b-c_d', '0', 'x'.repeat(64), 'mealie.exclusive.01ARZ3NDEKTSV4RRFFQ69G5FAV']) {
    await storePoint(made.repository, aHeader({ service }), signal);
    expect((await made.repository.list({ service }, signal)).points).toHaveLength(1);
  }
});

test('a dump whose producer dies leaves no byte in a single archive', async ({ signal }) => {
  await using made = await archiveFixture({ layout: 'single', compression: { format: 'none' } });
  const header = aHeader();
  await using draft = await made.repository.begin(header, 0, signal);
  const [good, bad] = [aStream('good', () => chunks('good')), aStream('bad', () => diesAfter(50_000))];
  const row = aRow(good, await draft.putStream(good, signal));
  await expect(draft.putStream(bad, signal)).rejects.toThrow('the producer died');
  const point: RecoveryPoint = await draft.commit(aManifest(header, [row, aFailedRow(bad, 'it died')]), null, signal);
  const names = execFileSync('tar', ['-tf', join(made.path, point.location)], { encoding: 'utf8' });
  expect(names.trimEnd().split('\n')).toEqual(['backup/directory/good.ldif', 'backup/backup-manifest.json']);
});
