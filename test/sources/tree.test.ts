import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { chmod, link, mkdir, readdir, rename, rm, symlink, utimes, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { localHost } from '../../src/adapters/hosts/local/index.ts';
import type { FilesSettings } from '../../src/adapters/sources/files/config.ts';
import { source } from '../../src/adapters/sources/files/index.ts';
import type { Host } from '../../src/ports/host.ts';
import type { CaptureContext, Captured, CapturedTree, TreeNaming } from '../../src/ports/source.ts';
import { ABSOLUTE, changing, contextIn, listing, output, temporaryFolder, told, writeBytes } from './support.ts';

const signal = AbortSignal.timeout(600_000);

/** Captures a tree, `use`s it before it is read, and unpacks it by tar. */
async function captureTo(
  folder: string,
  settings: FilesSettings,
  given: {
    naming?: TreeNaming;
    host?: Host;
    context?: Partial<CaptureContext>;
    use?: (item: CapturedTree) => Promise<void>;
  } = {},
): Promise<Captured & { readonly unpacked: string; readonly stored: string; readonly item: CapturedTree }> {
  const workspace = join(folder, `workspace-${Math.random()}`);
  await mkdir(workspace);
  const stored = join(folder, 'stored.tar');
  await using capture = await source('data', settings, given.host ?? localHost()).capture(
    contextIn(workspace, given.context),
    signal,
  );
  const [item] = capture.items;
  if (item?.type !== 'tree') throw new Error('not a tree');
  await given.use?.(item);
  await writeBytes(item.tar(given.naming ?? ABSOLUTE, signal), stored);
  const unpacked = join(folder, 'unpacked');
  await rm(unpacked, { recursive: true, force: true });
  await mkdir(unpacked);
  await output('tar', '-xpf', stored, '--xattrs', '--xattrs-include=*', '--acls', '--numeric-owner', '-C', unpacked);
  return { ...item.completed(), unpacked, stored, item };
}

const members = async (stored: string): Promise<readonly string[]> =>
  (await told('tar', '--quoting-style=escape', '-tf', stored)).split('\n').toSorted();

const captureOf = async (folder: string, settings: FilesSettings, context: Partial<CaptureContext> = {}) => {
  const workspace = join(folder, `workspace-${Math.random()}`);
  await mkdir(workspace);
  return source('data', settings, localHost()).capture(contextIn(workspace, context), signal);
};

async function fingerprintOf(folder: string, settings: FilesSettings): Promise<string | null> {
  await using capture = await captureOf(folder, settings);
  const [item] = capture.items;
  return item?.type === 'tree' ? item.fingerprint : null;
}

describe('names', () => {
  test('of any bytes come back as they were', async () => {
    await using folder = await temporaryFolder();
    const root = join(folder.path, 'data');
    await mkdir(root);
    const at = (name: Buffer): Buffer => Buffer.concat([Buffer.from(`${root}/`), name]);
    const odd = [
      'new\nline',
      '-dash',
      '--checkpoint=1',
      '*',
      '[a]',
      '\\n',
      'é',
      ' blank ',
      '@x',
      "it's",
      '"',
      '..x',
      '-',
      '~',
    ];
    const names = [
      ...odd.map((name) => Buffer.from(name)),
      Buffer.from([0xff, 0xfe]),
      Buffer.from([0x61, 0xc3]),
      Buffer.alloc(255, 'n'),
    ];
    for (const name of names) await writeFile(at(name), name);
    const deep = join('deep', ...Array.from({ length: 19 }, () => 'd'.repeat(190)));
    await mkdir(join(root, deep), { recursive: true });
    await writeFile(join(root, deep, 'file'), 'deep');
    const done = await captureTo(folder.path, { files: [root] });
    expect(await listing(join(done.unpacked, root))).toEqual(await listing(root));
    expect(await told('diff', '-r', root, join(done.unpacked, root))).toBe('');
    expect(done).toMatchObject({ warnings: [], unreadable: [], facts: { files: names.length + 1, directories: 21 } });
  });

  test('longer than the machine takes in one call are named as unreadable, not lost in silence', async () => {
    await using folder = await temporaryFolder();
    const root = join(folder.path, 'data');
    const make =
      'mkdir -p "$1"; cd "$1"; i=0; while [ $i -lt 25 ]; do mkdir "$2"; cd -P "$2"; i=$((i+1)); done; echo x > file';
    execFileSync('bash', ['-c', make, 'bash', root, 'd'.repeat(200)]);
    const done = await captureTo(folder.path, { files: [root] });
    expect(done.unreadable.some((line) => line.endsWith('/file: File name too long'))).toBe(true);
  });

  test('of any root become what the naming says, and targets of symbolic links stay', async () => {
    const part = fc.stringMatching(/^[a-z.*[\]^$,&|\\\n é+(){}?]{1,12}$/).map((text) => text.replace(/^\.+$/, 'dots'));
    const property = fc.asyncProperty(part, part, async (name, below) => {
      await using folder = await temporaryFolder();
      const root = join(folder.path, name);
      await mkdir(root);
      await writeFile(join(root, below), 'x');
      await link(join(root, below), join(root, 'hard link'));
      await symlink(join(root, below), join(root, 'symbolic'));
      const naming = { style: 'prefixed', prefix: 'backup/data/' } as const;
      const done = await captureTo(folder.path, { files: [root] }, { naming });
      expect(await listing(join(done.unpacked, 'backup/data'))).toEqual(await listing(root));
    });
    await fc.assert(property, { numRuns: 25 });
  });

  test('of several paths stand under the prefix with their whole path, that of one file with its name', async () => {
    await using folder = await temporaryFolder();
    const [one, two] = [join(folder.path, 'one'), join(folder.path, 'two')];
    await mkdir(one);
    await writeFile(join(one, 'a'), 'a');
    await writeFile(two, 'b');
    const naming = { style: 'prefixed', prefix: 'backup/data/' } as const;
    const both = await captureTo(folder.path, { files: [one, two] }, { naming });
    expect(await members(both.stored)).toEqual([`backup/data${one}/`, `backup/data${one}/a`, `backup/data${two}`]);
    expect(both.item.roots(naming)).toEqual([
      { path: one, stored: `backup/data${one}`, files: 1 },
      { path: two, stored: `backup/data${two}`, files: 1 },
    ]);
    const file = await captureTo(folder.path, { files: [two] }, { naming });
    expect(await members(file.stored)).toEqual(['backup/data/two']);
    expect(file.item.roots(naming)).toEqual([{ path: two, stored: 'backup/data/two', files: 1 }]);
    expect(file.item.roots(ABSOLUTE)).toEqual([{ path: two, stored: two.slice(1), files: 1 }]);
  });
});

describe('attributes', () => {
  test('holes, links, lists of access, extended attributes, pipes and empty folders come back', async () => {
    await using folder = await temporaryFolder();
    const root = join(folder.path, 'data');
    await mkdir(join(root, 'empty'), { recursive: true });
    await writeFile(join(root, 'file'), 'x');
    const run = (program: string, ...args: readonly string[]) => execFileSync(program, [...args], { cwd: root });
    run('truncate', '-s', '40M', 'sparse');
    run('dd', 'if=/dev/urandom', 'of=sparse', 'bs=4096', 'seek=5000', 'count=1', 'conv=notrunc', 'status=none');
    run('ln', 'file', 'empty/hard');
    run('rm', 'empty/hard');
    run('ln', 'file', 'hard');
    run('ln', '-s', '../nowhere', 'broken');
    run('mkfifo', 'pipe');
    run('setfacl', '-m', 'u:1234:r,d:g:77:rwx', 'empty');
    run('setfacl', '-m', 'u:1234:rw', 'file');
    run('setfattr', '-n', 'user.note', '-v', 'kept', 'file');
    run('chmod', '2751', 'empty');
    run('touch', '-d', '2001-02-03 04:05:06.789', 'file');
    run('touch', '-d', '2002-02-03 04:05:06.789', '.');
    const done = await captureTo(folder.path, { files: [root] });
    const restored = join(done.unpacked, root);
    expect(await listing(restored)).toEqual(await listing(root));
    for (const judge of [
      ['getfacl', '-R', '-n', '-p'],
      ['getfattr', '-R', '-h', '-d', '-m', '-', '--absolute-names'],
    ] as const) {
      const [program, ...args] = judge;
      const [before, after] = [await told(program, ...args, root), await told(program, ...args, restored)];
      expect(after.replaceAll(restored, root)).toBe(before);
      expect(before).toContain('empty');
    }
    expect(Number((await told('du', '-k', join(restored, 'sparse'))).split('\t')[0])).toBeLessThan(1000);
    expect(await told('cmp', join(root, 'sparse'), join(restored, 'sparse'))).toBe('');
    expect(done.facts).toEqual({ files: 3, directories: 2, links: 1, others: 1, bytes: 40 * 1024 ** 2 + 1 });
    expect((await output('stat', '-c', '%s', done.stored)).toString()).toSatisfy((size) => Number(size) < 200_000);
  });

  test('the same tree is the same tar, byte for byte', async () => {
    await using folder = await temporaryFolder();
    const root = join(folder.path, 'data');
    await mkdir(root);
    await writeFile(join(root, 'é'.repeat(80)), 'x');
    const sums = [];
    for (let round = 0; round < 2; round += 1)
      sums.push((await told('sha256sum', (await captureTo(folder.path, { files: [root] })).stored)).split(' ')[0]);
    expect(sums[0]).toBe(sums[1]);
  });
});

describe('what moves while it is read', () => {
  test('a file that vanishes, grows or shrinks is a warning, and the others are whole', async () => {
    await using folder = await temporaryFolder();
    const root = join(folder.path, 'data');
    await mkdir(root);
    const large = 24 * 1024 ** 2; // more than all pipes and buffers on the way hold
    await writeFile(join(root, 'first'), Buffer.alloc(large, 1));
    await writeFile(join(root, 'gone\nnow'), 'x');
    await writeFile(join(root, 'stays'), 'stays');
    await using capture = await captureOf(folder.path, { files: [root] });
    const [item] = capture.items;
    if (item?.type !== 'tree') throw new Error('not a tree');
    await rm(join(root, 'gone\nnow'));
    async function* meanwhile(tree: CapturedTree) {
      let passed = 0;
      for await (const chunk of tree.tar(ABSOLUTE, signal)) {
        if (passed === 0) await writeFile(join(root, 'first'), 'more', { flag: 'a' });
        passed += chunk.length;
        yield chunk;
      }
    }
    await writeBytes(meanwhile(item), join(folder.path, 'stored.tar'));
    expect(item.completed().unreadable).toEqual([]);
    expect(item.completed().warnings.toSorted()).toEqual([
      `${root}/first: it changed while it was read`,
      `${root}/gone\\x0anow: it vanished while the tree was read`,
    ]);
    expect(await members(join(folder.path, 'stored.tar'))).toEqual([
      `${root.slice(1)}/`,
      `${root.slice(1)}/first`,
      `${root.slice(1)}/stays`,
    ]);

    async function* shrinking(tree: CapturedTree) {
      let passed = 0;
      for await (const chunk of tree.tar(ABSOLUTE, signal)) {
        if (passed === 0) await writeFile(join(root, 'first'), 'short');
        passed += chunk.length;
        yield chunk;
      }
    }
    await writeBytes(shrinking(item), join(folder.path, 'stored.tar'));
    expect(item.completed().warnings).toContain(`${root}/first: it changed while it was read`);
    expect(await told('tar', '-xOf', join(folder.path, 'stored.tar'), `${root.slice(1)}/stays`)).toBe('stays');
  });

  test('a root that vanishes is missing, not a row of warnings', async () => {
    await using folder = await temporaryFolder();
    const root = join(folder.path, 'data');
    await mkdir(root);
    await writeFile(join(root, 'file'), 'x');
    const use = () => rename(root, `${root}-away`);
    await expect(captureTo(folder.path, { files: [root] }, { use })).rejects.toMatchObject({
      code: 'SourceMissing',
      subject: root,
    });
  });

  test('lines of the walk and of the reading are counted together', async () => {
    await using folder = await temporaryFolder();
    const root = join(folder.path, 'data');
    await mkdir(root);
    await writeFile(join(root, 'file'), 'x');
    const servers = Array.from({ length: 120 }, (_, at) => createServer().listen(join(root, `socket${at}`)));
    await Promise.all(servers.map((server) => once(server, 'listening')));
    const done = await captureTo(folder.path, { files: [root] }, { use: () => rm(join(root, 'file')) });
    for (const server of servers) server.close();
    expect(done.warnings).toHaveLength(100);
    expect(done.warnings.at(-1)).toBe('… and 22 more');
  });

  test('a manifest gets a hundred lines at most, the last one saying how many more there were', async () => {
    await using folder = await temporaryFolder();
    const root = join(folder.path, 'data');
    await mkdir(root);
    for (let at = 0; at < 130; at += 1) await writeFile(join(root, `file${at}`), 'x');
    const use = async () => {
      for (const name of await readdir(root)) await rm(join(root, name));
    };
    const { warnings } = await captureTo(folder.path, { files: [root] }, { use });
    expect(warnings).toHaveLength(100);
    expect(warnings.at(-1)).toBe('… and 31 more');
  });
});

describe.runIf(process.getuid?.() === 0)('what another account may not read (as root)', () => {
  const nobody = changing(localHost(), (command) =>
    command.program === 'tar' || command.program === 'find' ? { ...command, runAs: 'nobody' } : command,
  );

  test('is named, and the item goes on without it', async () => {
    await using folder = await temporaryFolder();
    const root = join(folder.path, 'data');
    await chmod(folder.path, 0o755);
    await mkdir(join(root, 'locked'), { recursive: true });
    await writeFile(join(root, 'secret'), 'x', { mode: 0o600 });
    await writeFile(join(root, 'open'), 'y');
    await writeFile(join(root, 'locked/inside'), 'z');
    await chmod(join(root, 'locked'), 0o700);
    const done = await captureTo(folder.path, { files: [root] }, { host: nobody });
    expect(done.unreadable.toSorted()).toEqual([
      `${root}/locked: Permission denied`,
      `${root}/secret: Permission denied`,
    ]);
    expect(await members(done.stored)).toEqual([`${root.slice(1)}/`, `${root.slice(1)}/open`]);
    expect(done.item.fingerprint).toBeNull();
  });

  test('is no matter where it is left out', async () => {
    await using folder = await temporaryFolder();
    const root = join(folder.path, 'data');
    await chmod(folder.path, 0o755);
    await mkdir(join(root, 'deep/locked.d'), { recursive: true });
    await writeFile(join(root, 'open'), 'y');
    await chmod(join(root, 'deep/locked.d'), 0o700);
    for (const pattern of [
      'locked.d',
      'locked.d/',
      '*.d',
      'deep/locked.d',
      'deep/*',
      'deep/**',
      '**/locked.d',
      `${root}/deep/locked.d`,
      `${root}/*/locked.d`,
    ]) {
      const done = await captureTo(folder.path, { files: [root], exclude: [pattern] }, { host: nobody });
      expect([pattern, done.unreadable, done.facts.files]).toEqual([pattern, [], 1]);
      expect(await members(done.stored)).not.toContain(`${root.slice(1)}/deep/locked.d/`);
    }
  });

  test('makes the item fail when it is all of it', async () => {
    await using folder = await temporaryFolder();
    await chmod(folder.path, 0o755);
    const [root, file] = [join(folder.path, 'data'), join(folder.path, 'file')];
    await mkdir(root, { mode: 0o700 });
    await writeFile(file, 'x', { mode: 0o600 });
    const capture = (path: string) => captureTo(folder.path, { files: [path] }, { host: nobody });
    await expect(capture(root)).rejects.toMatchObject({ code: 'SourceMissing', subject: root });
    await expect(capture(file)).rejects.toMatchObject({ code: 'SourceMissing', subject: file });
  });
});

describe('a complaint that is not understood', () => {
  test.each(['tar', 'find'])('of %s makes the item fail', async (program) => {
    await using folder = await temporaryFolder();
    const root = join(folder.path, 'data');
    await mkdir(root);
    const script = `${program} "$@"; echo '${program}: Memory exhausted' >&2; exit 1`;
    const host = changing(localHost(), (command) =>
      command.program === program && !command.args.includes('--version')
        ? { ...command, program: 'sh', args: ['-c', script, program, ...command.args] }
        : command,
    );
    await expect(captureTo(folder.path, { files: [root] }, { host })).rejects.toMatchObject({
      code: 'SourceFailed',
      message: expect.stringContaining('Memory exhausted'),
    });
  });

  test('an exit code without a word makes the item fail', async () => {
    await using folder = await temporaryFolder();
    const root = join(folder.path, 'data');
    await mkdir(root);
    const host = changing(localHost(), (command) =>
      command.args.includes('--create')
        ? { ...command, program: 'sh', args: ['-c', 'tar "$@"; exit 2', 'tar', ...command.args] }
        : command,
    );
    await expect(captureTo(folder.path, { files: [root] }, { host })).rejects.toThrow('it ended with 2');
  });
});

describe('roots', () => {
  test('a path that is a link is stored under its real path, and patterns may name it by the link', async () => {
    await using folder = await temporaryFolder();
    const root = join(folder.path, 'real');
    await mkdir(root);
    await writeFile(join(root, 'a'), 'a');
    await writeFile(join(root, 'b'), 'b');
    await symlink('real', join(folder.path, 'link'));
    const link = join(folder.path, 'link');
    const done = await captureTo(folder.path, { files: [link], exclude: [`${link}/b`] });
    expect(await members(done.stored)).toEqual([`${root.slice(1)}/`, `${root.slice(1)}/a`]);
    expect(done.item.roots(ABSOLUTE)).toEqual([{ path: root, stored: root.slice(1), files: 1 }]);
  });

  test.runIf(process.getuid?.() === 0)('the root folder of the machine is stored as the folder it is', async () => {
    await using folder = await temporaryFolder();
    const others = async (of: string, but: string): Promise<readonly string[]> =>
      (await readdir(of)).filter((name) => name !== but).map((name) => join(of, name));
    const settings = { files: ['/'], exclude: [...(await others('/', 'etc')), ...(await others('/etc', 'hosts'))] };
    const done = await captureTo(folder.path, settings);
    expect(await told('cmp', '/etc/hosts', join(done.unpacked, 'etc/hosts'))).toBe('');
    expect(done.item.roots(ABSOLUTE)).toMatchObject([{ path: '/', stored: '.' }]);
    const naming = { style: 'prefixed', prefix: 'backup/data/' } as const;
    const prefixed = await captureTo(folder.path, settings, { naming });
    expect(prefixed.item.roots(naming)).toMatchObject([{ path: '/', stored: 'backup/data' }]);
    expect(await members(prefixed.stored)).toEqual(expect.arrayContaining(['backup/data/', 'backup/data/etc/hosts']));
  });

  test('a path below another link keeps the name that was configured', async () => {
    await using folder = await temporaryFolder();
    await mkdir(join(folder.path, 'real/inner'), { recursive: true });
    await symlink('real', join(folder.path, 'link'));
    const configured = join(folder.path, 'link/inner');
    const done = await captureTo(folder.path, { files: [`${configured}/`] });
    expect(await members(done.stored)).toEqual([`${configured.slice(1)}/`]);
  });

  test('a path inside another is stored once, and on its own where the other leaves it out', async () => {
    await using folder = await temporaryFolder();
    const root = join(folder.path, 'data');
    await mkdir(join(root, 'inner'), { recursive: true });
    await writeFile(join(root, 'inner/file'), 'x');
    const both = [root, join(root, 'inner'), root];
    const once = await captureTo(folder.path, { files: both });
    expect([once.facts.files, once.facts.directories, once.item.roots(ABSOLUTE).length]).toEqual([1, 2, 1]);
    const apart = await captureTo(folder.path, { files: both, exclude: ['inner'] });
    expect([apart.facts.files, apart.facts.directories, apart.item.roots(ABSOLUTE).length]).toEqual([1, 2, 2]);
  });

  test('one missing path makes the item fail, also a link to nothing', async () => {
    await using folder = await temporaryFolder();
    await mkdir(join(folder.path, 'there'));
    await symlink('nowhere', join(folder.path, 'broken'));
    for (const name of ['missing', 'broken'])
      await expect(
        captureOf(folder.path, { files: [join(folder.path, 'there'), join(folder.path, name)] }),
      ).rejects.toMatchObject({ code: 'SourceMissing' });
  });

  test('what belongs to Holdfast is left out with a warning, and refused as a path of its own', async () => {
    await using folder = await temporaryFolder();
    const root = join(folder.path, 'data');
    await mkdir(join(root, 'backups/deep'), { recursive: true });
    await writeFile(join(root, 'backups/deep/point'), 'x');
    await symlink('data', join(folder.path, 'alias'));
    const context = { forbidden: [join(folder.path, 'alias/backups'), join(folder.path, 'not/yet')] };
    const done = await captureTo(folder.path, { files: [root] }, { context });
    expect(done.warnings).toEqual([`${root}/backups: left out, it belongs to Holdfast itself`]);
    expect(await members(done.stored)).toEqual([`${root.slice(1)}/`]);
    for (const inside of ['backups', 'backups/deep'])
      await expect(captureOf(folder.path, { files: [join(root, inside)] }, context)).rejects.toMatchObject({
        code: 'Refused',
      });
  });

  test('the momentary snapshots of another backup are left out, and read where they are the source', async () => {
    await using folder = await temporaryFolder();
    const root = join(folder.path, 'data');
    const copy = join(root, '.holdfast-snapshots/.holdfast-backup-x');
    await mkdir(copy, { recursive: true });
    await writeFile(join(copy, 'file'), 'x');
    const done = await captureTo(folder.path, { files: [root] });
    expect(done.warnings).toEqual([`${root}/.holdfast-snapshots: left out, it belongs to Holdfast itself`]);
    expect(await members(done.stored)).toEqual([`${root.slice(1)}/`]);
    const own = await captureTo(folder.path, { files: [join(root, '.holdfast-snapshots')] });
    expect(await members(own.stored)).toContain(`${copy.slice(1)}/file`);
  });

  test('a socket is a warning', async () => {
    await using folder = await temporaryFolder();
    const root = join(folder.path, 'data');
    await mkdir(root);
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(join(root, 'socket'), resolve));
    const done = await captureTo(folder.path, { files: [root] });
    server.close();
    expect(done.warnings).toEqual([`${root}/socket: a socket is not stored`]);
    expect(done.facts).toMatchObject({ files: 0, others: 0 });
  });
});

describe('the fingerprint', () => {
  test('changes with whatever makes the tar another one, and with nothing else', async () => {
    await using folder = await temporaryFolder();
    const root = join(folder.path, 'data');
    await mkdir(root);
    const [file, time] = [join(root, 'file'), new Date('2020-01-01')];
    await writeFile(file, 'one');
    await writeFile(join(root, 'other'), 'x');
    await writeFile(join(root, 'x.log'), 'x');
    await utimes(root, time, time);
    const settings = { files: [root], exclude: ['*.log'] };
    const seen = new Set([await fingerprintOf(folder.path, settings)]);
    const same = async (): Promise<void> => {
      const before = seen.size;
      expect(seen.add(await fingerprintOf(folder.path, settings)).size).toBe(before);
    };
    const other = async (): Promise<void> => {
      const before = seen.size;
      expect(seen.add(await fingerprintOf(folder.path, settings)).size).toBe(before + 1);
      await same();
    };
    await same();
    await writeFile(join(root, 'x.log'), 'longer');
    await same();
    await utimes(file, time, time);
    await other();
    await writeFile(file, 'two'); // the same size
    await utimes(file, time, time); // and time: only the time of the change of the inode tells
    await other();
    await chmod(file, 0o600);
    await other();
    await rename(file, join(root, 'renamed'));
    await utimes(root, time, time);
    await other();
    await symlink('a', join(root, 'link'));
    await other();
    expect(await fingerprintOf(folder.path, { ...settings, reread: 'always' })).toBeNull();
  });
});
