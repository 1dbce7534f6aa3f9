import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { type OpenEntry, openEntries, openJournal } from '../../src/journal/journal.ts';
import { systemClock, ulids } from '../../src/process/clock.ts';
import { systemOwners } from '../../src/process/owner.ts';
import { available } from '../services/available.ts';
import { type Change, LOSSES, replayedFolder, traceWrites } from '../services/write-trace.ts';
import { localPorts } from './local-files.ts';

const owners = systemOwners();
/** What must survive of an entry. */
const essence = (entries: readonly OpenEntry[]): unknown[] =>
  entries.map(({ id, verb, subject, detail, direction, steps }) => ({ id, verb, subject, detail, direction, steps }));

/** A generator of its own, so that a failure can be repeated: mulberry32, public domain, by Tommy Ettinger. */
function coin(seed: number): () => boolean {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) & 1) === 1;
  };
}

describe.runIf(available('strace') && available('sqlite3'))('needs strace and sqlite3', () => {
  test('a journal whose power is cut after any write has every step that was acknowledged', {
    timeout: 180_000,
  }, async () => {
    const folder = await mkdtemp(join(tmpdir(), 'holdfast-power-'));
    const script = fileURLToPath(new URL('entries.ts', import.meta.url));
    const changes = traceWrites([process.execPath, script, folder], folder);
    const isAcknowledgement = (change: Change) => change.path === 'acknowledged' && change.kind === 'written';
    const states = [
      [],
      ...changes.flatMap((change) =>
        change.path === 'acknowledged' && change.kind === 'written'
          ? [essence(JSON.parse(change.bytes.toString()))]
          : [],
      ),
    ];
    expect(states.length).toBeGreaterThan(15);
    expect(changes.filter(({ path, kind }) => path === 'journal.db-wal' && kind === 'synced').length).toBeGreaterThan(
      15,
    );

    const replayed = replayedFolder();
    const disk = join(folder, 'disk');
    let acknowledged = 0;
    for (const [number, change] of changes.entries()) {
      if (isAcknowledgement(change)) acknowledged += 1;
      if (change.path === 'acknowledged' || change.path.endsWith('-shm')) continue;
      replayed.apply(change);
      for (const loss of LOSSES) {
        await replayed.cut(disk, loss, coin(number));
        const where = `${loss} after change ${number}: ${change.kind} ${change.path}`;
        const file = join(disk, 'journal.db');
        if (existsSync(file)) expect(integrity(file), where).toBe('ok');
        const found = essence(openEntries(file, owners));
        // the call at hand may have had its effect, or not
        expect(states.slice(acknowledged, acknowledged + 2), where).toContainEqual(found);
      }
    }
    // what is left is usable, not only readable
    using journal = openJournal(join(disk, 'journal.db'), {
      clock: systemClock,
      identifiers: ulids(),
      owners,
      ports: localPorts,
    });
    expect(journal.open()).toEqual([]);
    expect(await readdir(disk)).toContain('journal.db');
    await rm(folder, { recursive: true });
    await rm(`${folder}.strace`);
  });
});

const integrity = (file: string): string =>
  execFileSync('sqlite3', [file, 'PRAGMA integrity_check'], { encoding: 'utf8' }).trim();
