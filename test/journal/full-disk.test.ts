import { execFileSync } from 'node:child_process';
import { mkdir, mkdtemp, open, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { type Journal, openJournal } from '../../src/journal/journal.ts';
import { systemClock, ulids } from '../../src/process/clock.ts';
import { systemOwners } from '../../src/process/owner.ts';
import { available } from '../services/available.ts';
import { localPorts } from './local-files.ts';

const never = new AbortController().signal;

/** A disk of its own, which can be filled. */
async function smallDisk(): Promise<AsyncDisposable & { readonly path: string }> {
  const path = await mkdtemp(join(tmpdir(), 'holdfast-full-'));
  execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=512k', 'tmpfs', path]);
  return {
    path,
    async [Symbol.asyncDispose]() {
      execFileSync('umount', [path]);
      await rm(path, { recursive: true });
    },
  };
}

async function fill(path: string): Promise<void> {
  await using file = await open(path, 'w');
  for (const size of [65_536, 4096])
    for (;;) {
      const written = await file.write(Buffer.alloc(size)).catch((error: NodeJS.ErrnoException) => error.code);
      if (written === 'ENOSPC') break;
    }
}

const journalIn = (folder: string): Journal =>
  openJournal(join(folder, 'journal.db'), {
    clock: systemClock,
    identifiers: ulids(),
    owners: systemOwners(),
    ports: localPorts,
  });

const canMount = process.getuid?.() === 0 && available('mount') && available('sqlite3');
describe.runIf(canMount)('a full disk, which only root can make', () => {
  test('keeps a step from being taken that could not be recorded, and the steps before it stay known', async () => {
    await using disk = await smallDisk();
    const made = join(disk.path, 'made');
    const step = { kind: 'path-made', host: 'local', path: made } as const;
    const taken: string[] = [];
    using journal = journalIn(disk.path);
    const work = async () => {
      await using entry = await journal.begin({ verb: 'restore', subject: 'mealie' });
      await entry.step(step, async () => {
        await mkdir(made);
        taken.push(made);
      });
      await fill(join(disk.path, 'filler'));
      for (;;) {
        // the log has room for some more, then for none
        const path = join(disk.path, `more-${taken.length}`);
        await entry.step({ kind: 'path-made', host: 'local', path }, async () => void taken.push(path));
      }
    };
    const failure = await work().catch((error: unknown) => error);
    expect(firstOf(failure)).toMatchObject({ code: 'NoSpace', subject: join(disk.path, 'journal.db') });
    expect(taken).toContain(made);

    await rm(join(disk.path, 'filler'));
    expect(execFileSync('sqlite3', [join(disk.path, 'journal.db'), 'PRAGMA integrity_check']).toString()).toBe('ok\n');
    await journal.repair({ force: false }, never);
    expect(journal.open()).toEqual([]);
    expect(await readdir(disk.path)).not.toContain('made');
  });

  test('is named when the journal cannot be made', async () => {
    await using disk = await smallDisk();
    await fill(join(disk.path, 'filler'));
    expect(() => journalIn(disk.path)).toThrow(expect.objectContaining({ code: 'NoSpace' }));
  });
});

/** The failure of the work itself, below those of putting it right. */
function firstOf(error: unknown): unknown {
  return error instanceof SuppressedError ? firstOf(error.suppressed) : error;
}
