import { readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { localHost } from '../../src/adapters/hosts/local/index.ts';
import { localMountTable } from '../../src/adapters/hosts/local/mount-table.ts';
import { guard } from '../../src/operations/guard.ts';
import { createSnapshots } from '../../src/operations/snapshot.ts';
import { type BtrfsPool, btrfsPool, hasBtrfs } from '../services/btrfs.ts';
import { run } from '../services/loop-disk.ts';
import { openAt } from '../services/snapshotter-fixture.ts';
import { type GuardHouse, guardHouse, signal } from './house.ts';

/** Guards one change after another, 25 minutes apart, on a real pool. Answers with the names of the snapshots. */
async function guardedInTurn(
  made: GuardHouse,
  disk: BtrfsPool,
  ends: readonly ('success' | 'command_failed' | 'rolled_back' | 'pending')[],
): Promise<readonly string[]> {
  const names: string[] = [];
  for (const [index, end] of ends.entries()) {
    const [autoRollback, execute] = [end === 'rolled_back', end !== 'pending'];
    const request = { subvolume: 'media', operation: `${index}`, autoRollback, when: null, execute } as const;
    const command = async () => {
      writeFileSync(join(disk.path, 'media', 'file'), `${index}`);
      return { exitCode: end === 'success' ? 0 : 1, interrupted: null };
    };
    const report = await guard(request, command, made.context, signal);
    expect(report.outcome).toBe(end);
    names.push(report.snapshot ?? '');
    made.clock.advance({ minutes: 25 });
  }
  return names;
}

async function withPool(work: (made: GuardHouse, disk: BtrfsPool) => Promise<void>): Promise<void> {
  using disk = btrfsPool();
  disk.makeSubvolume('media');
  using made = guardHouse({ snapshotter: await openAt(disk.path), mounts: localMountTable(localHost()) });
  await work(made, disk);
}

const snapshotsOf = ({ path }: BtrfsPool): readonly string[] => readdirSync(join(path, 'snapshots')).toSorted();

describe.runIf(hasBtrfs())('after a guard', () => {
  test('snapshots that nobody needs go; the open ones, the failed ones and those of others stay', async () => {
    await withPool(async (made, disk) => {
      made.settings({ keep: { latest: 2, within: 60 } });
      run(
        'btrfs',
        '-q',
        'subvolume',
        'snapshot',
        '-r',
        join(disk.path, 'media'),
        join(disk.path, 'snapshots', 'media-mine'),
      );
      const [manual] = await createSnapshots({ subvolumes: ['media'], label: null }, made.context, signal);
      const ends = ['success', 'command_failed', 'success', 'pending', 'success', 'success'] as const;
      const [, failed, , open, ...newest] = await guardedInTurn(made, disk, ends);
      expect(snapshotsOf(disk)).toEqual([failed, open, ...newest, 'media-mine', manual?.name].toSorted());
      expect(await made.catalog.snapshots({})).toHaveLength(7); // the history keeps all
    });
  });

  test('the newest that ended well stays, however many were taken back since', async () => {
    await withPool(async (made, disk) => {
      made.settings({ keep: { latest: 1, within: 60 } });
      const [good, , , newest] = await guardedInTurn(made, disk, [
        'success',
        'rolled_back',
        'rolled_back',
        'rolled_back',
      ]);
      expect(snapshotsOf(disk)).toEqual([good, newest].toSorted());
    });
  });

  test('what is younger than `within` stays', async () => {
    await withPool(async (made, disk) => {
      made.settings({ keep: { latest: 1, within: 60 * 60 } });
      const names = await guardedInTurn(made, disk, ['success', 'success', 'success', 'success']);
      expect(snapshotsOf(disk)).toEqual(names.slice(1).toSorted()); // the first was 75 minutes old when the last was made
    });
  });

  test('states that rollbacks kept go when their time is over, and no folder that only looks like one', async () => {
    await withPool(async (made, disk) => {
      made.settings({ keptStates: 60 * 60 });
      disk.makeSubvolume('media.recovery-backup-20200101-000000');
      await guardedInTurn(made, disk, ['rolled_back', 'rolled_back', 'rolled_back', 'rolled_back']);
      expect(readdirSync(disk.path).filter((name) => name.startsWith('media.'))).toEqual([
        'media.recovery-backup-20200101-000000',
        ...['145500', '152000', '154500'].map((time) => `media.recovery-backup-20261121-${time}`),
      ]);
    });
  });
});
