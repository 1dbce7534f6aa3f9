import { mkdtempSync, readFileSync, realpathSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { shapeOf, walk } from '../dev/tour/walk.ts';
import { available } from './services/available.ts';
import { PROGRAM } from './services/program.ts';

const root = join(import.meta.dirname, '..');
const TOOLS = ['sqlite3', 'age-keygen', 'gpg', 'zstd', 'sha256sum'];
/** Some forty commands, each a start of the program. */
const LIMIT_MS = 600_000;

/** Where dev/tour.ts walked. */
const PRINTED_IN = '/tmp/tour';

describe.runIf(TOOLS.every(available))(`needs ${TOOLS.join(', ')}`, () => {
  test.concurrent.for(['tour.md', 'restore-without-holdfast.md'])(
    'docs/%s shows what its commands print today',
    { timeout: LIMIT_MS },
    async (name, { expect, onTestFinished }) => {
      const folder = realpathSync(mkdtempSync(join(tmpdir(), 'holdfast-tour-')));
      onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
      const printed = await walk(readFileSync(join(root, 'dev/tour', name), 'utf8'), folder, PROGRAM);
      const published = readFileSync(join(root, 'docs', name), 'utf8');
      expect(shapeOf(printed, folder).split('\n')).toEqual(shapeOf(published, PRINTED_IN).split('\n'));
    },
  );
});

test('a command of a document that fails ends the walk with what it printed', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'holdfast-tour-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  const document = '```console\n$ echo before; false\n```\n';
  await expect(walk(document, folder)).rejects.toThrow(/echo before; false\nbefore/);
});
