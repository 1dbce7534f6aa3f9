import { mkdtempSync, readFileSync, realpathSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { shapeOf, unmountAll, walk } from '../../dev/tour/walk.ts';
import { available } from '../services/available.ts';
import { hasBtrfs } from '../services/btrfs.ts';
import { PROGRAM } from '../services/program.ts';

const root = join(import.meta.dirname, '../..');

describe.runIf(hasBtrfs() && available('sqlite3'))('needs BTRFS', () => {
  test('docs/guard.md shows what its commands print today', { timeout: 300_000 }, async () => {
    const folder = realpathSync(mkdtempSync(join(tmpdir(), 'holdfast-tour-')));
    onTestFinished(async () => {
      await unmountAll(folder);
      rmSync(folder, { recursive: true, force: true });
    });
    const printed = await walk(readFileSync(join(root, 'dev/tour/guard.md'), 'utf8'), folder, PROGRAM);
    const published = readFileSync(join(root, 'docs/guard.md'), 'utf8');
    expect(shapeOf(printed, folder).split('\n')).toEqual(shapeOf(published, '/tmp/tour').split('\n'));
  });
});
