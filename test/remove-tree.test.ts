import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, writeFileSync } from 'node:fs';
import { rmdir, unlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { removeTree } from '../src/adapters/hosts/local/remove-tree.ts';

const folderOf = (script: string): string => {
  const folder = mkdtempSync(join(tmpdir(), 'holdfast-remove-'));
  execFileSync('sh', ['-c', script], { cwd: folder });
  return folder;
};

test('a tree of many names is removed with only some of them asked for at a time', async () => {
  const folder = folderOf('for d in a b c/d; do mkdir -p $d; (cd $d; seq 1500 | xargs touch); done');
  const seen = { now: 0, most: 0, removed: 0 };
  await removeTree(folder, {
    rmdir,
    unlink: async (path) => {
      seen.now += 1;
      seen.most = Math.max(seen.most, seen.now);
      await unlink(path);
      seen.now -= 1;
      seen.removed += 1;
    },
  });
  expect(existsSync(folder)).toBe(false);
  expect(seen.removed).toBe(4500);
  expect(seen.most).toBeLessThanOrEqual(256);
});

test('names that are no text, pipes, sockets and links go too, and what a link leads to stays', async () => {
  const folder = folderOf(
    "mkdir -p tree/in other; touch other/precious; cd tree; touch \"$(printf 'caf\\351')\" 'a\nb'; mkfifo in/pipe; ln -s ../other in/link; ln -s nowhere dangling",
  );
  await removeTree(join(folder, 'tree'));
  await removeTree(join(folder, 'tree'));
  expect(execFileSync('find', ['.'], { cwd: folder }).toString()).toBe('.\n./other\n./other/precious\n');
  await removeTree(folder);
});

test('what appears in a folder while it is removed goes too, and an error is not hidden', async () => {
  const folder = folderOf('mkdir in; touch in/a');
  let late = false;
  await removeTree(folder, {
    unlink,
    rmdir: async (path) => {
      if (!late) writeFileSync(join(folder, 'in/late'), '');
      late = true;
      await rmdir(path);
    },
  });
  expect(existsSync(folder)).toBe(false);
  const other = folderOf('mkdir in; touch in/a');
  const refuse = async (): Promise<void> => {
    throw new Error('not permitted');
  };
  await expect(removeTree(other, { unlink: refuse, rmdir })).rejects.toThrow('not permitted');
  expect(existsSync(join(other, 'in/a'))).toBe(true);
  await removeTree(other);
});
