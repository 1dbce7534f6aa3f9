import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';

const execute = promisify(execFile);

/** Fills a folder with a copy of what `make` makes once for all tests of a run: a server's empty data take seconds. Two
 *  that make it at once do not disturb each other; the first to be ready wins. Where no tests run, as in a benchmark, it is
 *  made in the folder itself.
 *  @param make fills an empty folder; its owner and mode are copied too */
export async function fromTemplate(
  name: string,
  folder: string,
  make: (folder: string) => Promise<unknown>,
): Promise<void> {
  const templates = process.env.HOLDFAST_TEST_TEMPLATES;
  if (templates === undefined) return void (await make(folder));
  const template = join(templates, name);
  if (!existsSync(template)) {
    const draft = await mkdtemp(`${template}.`);
    await make(draft);
    await rename(draft, template).catch(() => rm(draft, { recursive: true }));
  }
  await execute('cp', ['-a', '--', `${template}/.`, folder]);
}
