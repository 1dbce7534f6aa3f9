import { lstat, readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Manifest } from '../../../domain/manifest.ts';
import type { Problem } from '../../../ports/repository.ts';
import { HOLD, MANIFEST, REPORTS, SUMS } from './stored-names.ts';
import { parseSums } from './sums.ts';

/** What can be told of a point without reading its items: files that are missing, have another size, another hash in
 *  SHA256SUMS, too open a mode, or do not belong there. */
export async function checkFolderPoint(folder: string, location: string, manifest: Manifest): Promise<Problem[]> {
  const problems: Problem[] = [];
  const says = (subject: string, detail: string) => problems.push({ subject: `${location}/${subject}`, detail });
  const sums = parseSums(await readFile(join(folder, SUMS), 'utf8'));
  const expected = manifest.items.flatMap(({ file, size, sha256, index }) => [
    ...(file === undefined ? [] : [{ file, size, sha256 }]),
    ...(index === undefined ? [] : [index]),
  ]);
  const present = new Set(await readdir(folder));
  for (const { file, size, sha256 } of expected) {
    if (!present.has(file)) says(file, 'is missing');
    else {
      const status = await lstat(join(folder, file));
      if (status.size !== size) says(file, `has ${status.size} bytes, ${size} were stored`);
    }
    if (sums.get(file) !== sha256) says(file, `has another hash in ${SUMS} than in the manifest`);
  }
  const known = new Set([MANIFEST, SUMS, HOLD, ...REPORTS.flatMap((name) => [`${name}.txt`, `${name}.json`])]);
  for (const { file } of expected) known.add(file);
  for (const name of present) {
    const provisional = name.endsWith('.new') && known.has(name.slice(0, -4)); // a crash left it; the next write replaces it
    if (!known.has(name) && !provisional) says(name, 'is no part of the point');
    const { mode } = await lstat(join(folder, name));
    if (mode & 0o077) says(name, `is open to others: mode ${(mode & 0o7777).toString(8).padStart(4, '0')}`);
  }
  const { mode } = await lstat(folder);
  if (mode & 0o077) problems.push({ subject: location, detail: 'is a folder that is open to others' });
  return problems;
}
