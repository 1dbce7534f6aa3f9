// Moves changelog/unreleased/ to changelog/<version>_<date>/ and writes CHANGELOG.md from all versions.
//   node dev/release.ts 2026-12-01      the version is package.json's; the date is the release's
import { mkdir, readdir, readFile, rename, rmdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import packageJson from '../package.json' with { type: 'json' };

const root = join(import.meta.dirname, '..');
const changelog = join(root, 'changelog');
const [date = ''] = process.argv.slice(2);
if (!/^\d{4}-\d{2}-\d{2}$/.test(date)) throw new Error('Say the date of the release: node dev/release.ts 2026-12-01');

const fragmentsIn = async (folder: string): Promise<readonly string[]> =>
  (await readdir(folder).catch(() => [])).filter((name) => name.endsWith('.md')).toSorted();

const unreleased = join(changelog, 'unreleased');
const released = join(changelog, `${packageJson.version}_${date}`);
const fragments = await fragmentsIn(unreleased);
if (fragments.length === 0) throw new Error('There is nothing in changelog/unreleased to release.');
await mkdir(released); // a version is released once
for (const name of fragments) await rename(join(unreleased, name), join(released, name));
await rmdir(unreleased);

const dayOf = (folder: string): string => folder.split('_')[1] ?? '';
const versions = (await readdir(changelog))
  .filter((name) => /^\d.*_\d{4}-\d{2}-\d{2}$/.test(name))
  .toSorted((left, right) => dayOf(right).localeCompare(dayOf(left)));
const parts = [
  '# Changes',
  '',
  'Each change that a user can notice is a file in `changelog/unreleased/`. `dev/release.ts` gathers them here.',
  '',
];
for (const folder of versions) {
  parts.push(`## ${folder.replace('_', ', ')}`, '');
  for (const name of await fragmentsIn(join(changelog, folder))) {
    const [title = '', ...rest] = (await readFile(join(changelog, folder, name), 'utf8')).trim().split('\n');
    parts.push(`### ${title}`, ...rest, '');
  }
}
await writeFile(join(root, 'CHANGELOG.md'), parts.join('\n'));
