import { existsSync, mkdirSync, readdirSync, statSync, writeFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { localHost } from '../src/adapters/hosts/local/index.ts';
import type { Host } from '../src/ports/host.ts';
import { openSnapshotter } from '../src/snapshotters.ts';
import { canMount, run, temporaryDisk } from './services/loop-disk.ts';
import { aPool, openAt } from './services/snapshotter-fixture.ts';

const signal = AbortSignal.timeout(600_000);

/** This machine, with a `cp` that copies some and then waits until it is ended. */
function hostWithSlowCopies(begun: () => void): Host {
  const host = localHost();
  return {
    ...host,
    run: (command, options) => {
      if (command.program !== 'cp' || command.args.includes('--reflink=always')) return host.run(command, options);
      const to = command.args.at(-1) ?? '';
      begun();
      const args = ['-c', 'mkdir "$0" && echo half > "$0/song" && exec sleep 1000', to];
      return host.run({ program: 'sh', args }, options);
    },
  };
}

async function until(holds: () => boolean): Promise<void> {
  const deadline = performance.now() + 20_000;
  while (!holds()) {
    if (performance.now() > deadline) throw new Error('It never came.');
    await sleep(10);
  }
}

describe.runIf(canMount())('needs to mount', () => {
  test('a copy that is interrupted is never seen as a snapshot, and nothing of it stays', async () => {
    using disk = temporaryDisk();
    mkdirSync(`${disk.path}/media`);
    let begun = false;
    const host = hostWithSlowCopies(() => {
      begun = true;
    });
    const snapshotter = await openSnapshotter(aPool(disk.path), host, 'UTC', signal);
    const abort = new AbortController();
    const making = snapshotter.snapshot('media', 'media-1', abort.signal);
    making.catch(() => {}); // looked at below
    const halves = (): string[] =>
      readdirSync(`${disk.path}/snapshots`).filter((name) => existsSync(`${disk.path}/snapshots/${name}/song`));
    await until(() => begun && halves().length > 0);
    expect(await snapshotter.list(signal)).toEqual([]);
    const reason = new Error('enough');
    abort.abort(reason);
    await expect(making).rejects.toBe(reason);
    expect(readdirSync(`${disk.path}/snapshots`)).toEqual([]);
  });

  test('what a killed copy and a killed removal left goes with the next ones', async () => {
    using disk = temporaryDisk();
    mkdirSync(`${disk.path}/media`);
    // no process has a number above the kernel's own limit; the other one runs
    const left = ['.holdfast-making-4194305-1', '.holdfast-removed-4194305-2', `.holdfast-making-${process.ppid}-1`];
    for (const name of left) mkdirSync(`${disk.path}/snapshots/${name}/deep`, { recursive: true });
    const snapshotter = await openAt(disk.path);
    await snapshotter.snapshot('media', 'media-1', signal);
    expect(readdirSync(`${disk.path}/snapshots`).sort()).toEqual([left[2], 'media-1']);
  });

  test('owners, modes, times, links and holes are in a copy, what is mounted in the folder is not', async () => {
    using disk = temporaryDisk();
    const root = `${disk.path}/media`;
    mkdirSync(`${root}/mounted`, { recursive: true });
    writeFileSync(`${root}/song`, 'la');
    run('touch', '-d', '2001-02-03T04:05:06.123456789Z', `${root}/song`);
    run('chown', '1234:5678', `${root}/song`);
    run('ln', `${root}/song`, `${root}/same`);
    run('ln', '-s', '/nowhere', `${root}/link`);
    run('truncate', '-s', '10M', `${root}/hole`);
    run('mount', '-t', 'tmpfs', 'tmpfs', `${root}/mounted`);
    writeFileSync(`${root}/mounted/secret`, 'not of this file system');
    const snapshotter = await openAt(disk.path);
    expect((await snapshotter.examine('media', signal)).nested).toEqual(['mounted']);
    const { path } = await snapshotter.snapshot('media', 'media-1', signal);
    const facts = (folder: string): string =>
      run('find', folder, '-mindepth', '1', '-not', '-path', '*/secret', '-printf', '%P %y %s %U:%G %m %n %l %T@\n')
        .split('\n')
        .filter((line) => !line.startsWith('mounted '))
        .sort()
        .join('\n');
    expect(facts(path)).toBe(facts(root));
    expect(statSync(`${path}/hole`).blocks).toBe(0);
    expect(readdirSync(`${path}/mounted`)).toEqual([]);
  });

  test('a kept state in which something is mounted is not removed, nor is what is mounted there', async () => {
    using disk = temporaryDisk();
    const kept = 'media.recovery-backup-20260501-020000';
    mkdirSync(`${disk.path}/${kept}/mounted`, { recursive: true });
    run('mount', '-t', 'tmpfs', 'tmpfs', `${disk.path}/${kept}/mounted`);
    writeFileSync(`${disk.path}/${kept}/mounted/other`, 'x');
    const snapshotter = await openAt(disk.path);
    await expect(snapshotter.remove(kept, signal)).rejects.toMatchObject({ code: 'TargetBusy' });
    expect(existsSync(`${disk.path}/${kept}/mounted/other`)).toBe(true);
  });

  test('a pool without room makes no snapshot, says why, and keeps what it has', async () => {
    using disk = temporaryDisk(8);
    mkdirSync(`${disk.path}/media`);
    run('dd', 'if=/dev/urandom', `of=${disk.path}/media/film`, 'bs=1M', 'count=5', 'status=none');
    const snapshotter = await openAt(disk.path);
    expect((await snapshotter.room(signal)).freeShare).toBeLessThan(0.4);
    await expect(snapshotter.snapshot('media', 'media-1', signal)).rejects.toMatchObject({ code: 'NoSpace' });
    expect(readdirSync(`${disk.path}/snapshots`)).toEqual([]);
    expect(statSync(`${disk.path}/media/film`).size).toBe(5 * 1024 ** 2);
  });
});
