import { describe, expect, test } from 'vitest';
import type { HostFixture } from './host.ts';

const never = (): AbortSignal => new AbortController().signal;

/** What every host owes for its paths (ports/host.ts, HostFiles). */
export function hostFilesContract(name: string, fixture: () => Promise<HostFixture>): void {
  async function sh(made: HostFixture, script: string): Promise<string> {
    const command = { program: 'sh', args: ['-c', `set -eu; ${script}`], workingFolder: made.folder };
    return (await made.host.run(command, { signal: never() })).stdout.trim();
  }

  describe(`${name}: paths`, () => {
    test('the status of a path is what stat prints', async () => {
      await using made = await fixture();
      await sh(
        made,
        'head -c 12345 /dev/zero > file; chmod 4751 file; mkdir -m 1777 folder; ln -s file link; mkfifo fifo',
      );
      for (const [path, type] of Object.entries({ file: 'file', folder: 'directory', link: 'link', fifo: 'other' })) {
        const status = await made.host.files.status(`${made.folder}/${path}`, never());
        const printed = await sh(made, `stat -c '%s %a %u %g %d %i %.9Y %.9Z' ${path}`);
        const nanoseconds = (text = ''): bigint => BigInt(text.replace('.', ''));
        const [size, mode, uid, gid, device, inode, modified, changed] = printed.split(' ');
        expect(status).toEqual({
          type,
          size: Number(size),
          mode: Number.parseInt(mode ?? '', 8),
          uid: Number(uid),
          gid: Number(gid),
          device: BigInt(device ?? ''),
          inode: BigInt(inode ?? ''),
          modifiedNs: nanoseconds(modified),
          changedNs: nanoseconds(changed),
        });
      }
    });

    test('a path that is not there has no status, below a file too', async () => {
      await using made = await fixture();
      await sh(made, 'touch file');
      expect(await made.host.files.status(`${made.folder}/missing`, never())).toBeNull();
      expect(await made.host.files.status(`${made.folder}/file/below`, never())).toBeNull();
    });

    test('the real path follows every link, and a path that leads nowhere is SourceMissing', async () => {
      await using made = await fixture();
      await sh(made, 'mkdir real; touch real/file; ln -s real one; ln -s one two; ln -s nowhere broken');
      expect(await made.host.files.realPath(`${made.folder}/two/file`, never())).toBe(`${made.folder}/real/file`);
      const broken = made.host.files.realPath(`${made.folder}/broken`, never());
      await expect(broken).rejects.toMatchObject({ code: 'SourceMissing', subject: `${made.folder}/broken` });
    });

    test('a folder lists all of its names', async () => {
      await using made = await fixture();
      await sh(made, "touch .hidden -- -dash 'a b' \"$(printf 'new\\nline')\"; mkdir folder");
      const names = await made.host.files.list(made.folder, never());
      expect(names.toSorted()).toEqual(['-dash', '.hidden', 'a b', 'folder', 'new\nline']);
      await expect(made.host.files.list(`${made.folder}/missing`, never())).rejects.toMatchObject({
        code: 'SourceMissing',
      });
    });

    test('a folder is made with its parents and its mode, and one that exists stays as it is', async () => {
      await using made = await fixture();
      await made.host.files.makeFolder(`${made.folder}/a/b`, 0o700, never());
      await sh(made, 'chmod 751 a/b; touch a/b/file');
      await made.host.files.makeFolder(`${made.folder}/a/b`, 0o700, never());
      expect(await sh(made, 'stat -c %a a a/b; ls a/b')).toBe('700\n751\nfile');
      await expect(made.host.files.makeFolder(`${made.folder}/a/b/file`, 0o700, never())).rejects.toMatchObject({
        code: 'TargetExists',
      });
    });

    test('a rename keeps what is renamed and never replaces a folder that holds something', async () => {
      await using made = await fixture();
      await sh(made, 'mkdir -p from/inside empty full; touch from/inside/file full/precious');
      const path = (name: string): string => `${made.folder}/${name}`;
      await expect(made.host.files.rename(path('from'), path('full'), never())).rejects.toMatchObject({
        code: 'TargetExists',
        subject: path('full'),
      });
      expect(await sh(made, 'ls full from')).toBe('from:\ninside\n\nfull:\nprecious');
      await made.host.files.rename(path('from'), path('empty'), never());
      expect(await sh(made, 'find . -mindepth 1 | sort')).toBe(
        './empty\n./empty/inside\n./empty/inside/file\n./full\n./full/precious',
      );
      await expect(made.host.files.rename(path('from'), path('to'), never())).rejects.toMatchObject({
        code: 'SourceMissing',
        subject: path('from'),
      });
    });

    test('a whole tree is removed, links in it are not followed, and what is not there is no error', async () => {
      await using made = await fixture();
      await sh(
        made,
        'mkdir -p tree/a/b other; touch tree/a/b/file other/precious; ln -s ../other tree/link; chmod 500 tree/a',
      );
      await made.host.files.remove(`${made.folder}/tree`, never());
      await made.host.files.remove(`${made.folder}/tree`, never());
      await made.host.files.remove(`${made.folder}/no/such/tree`, never());
      expect(await sh(made, 'ls . other')).toBe('.:\nother\n\nother:\nprecious');
    });

    test('an aborted signal changes nothing', async () => {
      await using made = await fixture();
      await sh(made, 'touch file');
      const aborted = AbortSignal.abort('stopped');
      const path = `${made.folder}/file`;
      await expect(made.host.files.remove(path, aborted)).rejects.toBe('stopped');
      await expect(made.host.files.rename(path, `${path}2`, aborted)).rejects.toBe('stopped');
      await expect(made.host.files.makeFolder(`${path}3`, 0o700, aborted)).rejects.toBe('stopped');
      expect(await sh(made, 'ls')).toBe('file');
    });
  });

  describe(`${name}: processes that hold a path`, () => {
    /** Starts a process that is nobody's child, and is ended with the returned object. */
    async function bystander(made: HostFixture, script: string): Promise<AsyncDisposable & { readonly pid: string }> {
      const pid = await sh(made, `( ${script} ) </dev/null >/dev/null 2>&1 & echo $!`);
      return { pid, [Symbol.asyncDispose]: async () => void (await sh(made, `kill ${pid}`)) };
    }
    /** Asks until an answer comes, because a process that was just started may not have opened its file yet. */
    async function holders(made: HostFixture, path: string): Promise<readonly string[]> {
      const deadline = performance.now() + 10_000;
      for (;;) {
        const found = await made.host.files.holders(path, never());
        if (found.length > 0 || performance.now() > deadline) return found;
      }
    }

    test('a process that has a file open is named, for the file and for every folder above it', async () => {
      await using made = await fixture();
      await sh(made, 'mkdir -p data/db; touch data/db/notes.db data/db/notes.db2');
      await using holder = await bystander(made, 'cd /; exec sleep 600 3<"$OLDPWD/data/db/notes.db"');
      const named = [`${holder.pid} sleep`];
      expect(await holders(made, `${made.folder}/data/db/notes.db`)).toEqual(named);
      expect(await holders(made, `${made.folder}/data`)).toEqual(named);
      expect(await made.host.files.holders(`${made.folder}/data/db/notes.db2`, never())).toEqual([]);
    });

    test('a process that only stands in a folder is named', async () => {
      await using made = await fixture();
      await sh(made, 'mkdir -p data/db database');
      await using holder = await bystander(made, 'cd data/db; exec sleep 600');
      expect(await holders(made, `${made.folder}/data`)).toEqual([`${holder.pid} sleep`]);
      expect(await made.host.files.holders(`${made.folder}/database`, never())).toEqual([]);
    });
  });
}
