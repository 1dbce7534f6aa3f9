// Performs the commands of dev/tour/*.md and writes docs/*.md from them, with what was really printed. A document whose
// shape is as before stays as it is, so that ids and times do not change without a reason; --all writes each anew.
import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { shapeOf, unmountAll, walk } from './tour/walk.ts';

/** Short, since its name stands in the documents. */
const FOLDER = '/tmp/tour';
const templates = new URL('tour/', import.meta.url);
const docs = new URL('../docs/', import.meta.url);

for (const name of (await readdir(templates)).filter((file) => file.endsWith('.md')).toSorted()) {
  await mkdir(FOLDER); // throws when it is there: what lies in it is somebody's
  try {
    const printed = await walk(await readFile(new URL(name, templates), 'utf8'), FOLDER);
    const file = join(docs.pathname, name);
    const before = await readFile(file, 'utf8').catch(() => '');
    const same = shapeOf(before, FOLDER) === shapeOf(printed, FOLDER);
    if (same && !process.argv.includes('--all')) continue;
    await writeFile(file, printed);
    console.log(`Written: docs/${name}`);
  } finally {
    await unmountAll(FOLDER);
    await rm(FOLDER, { recursive: true, force: true });
  }
}
