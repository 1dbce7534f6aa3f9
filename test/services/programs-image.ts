import { execFile } from 'node:child_process';
import { cp, mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import type { DockerEngine } from './docker.ts';

const execute = promisify(execFile);
const APPLETS = [
  ...['sh', 'env', 'sed', 'kill', 'sleep', 'id', 'cat', 'ls', 'mkdir', 'stat', 'readlink', 'rm', 'find', 'dd', 'chown'],
  ...['chmod', 'test', 'dirname', 'basename', 'grep', 'uname', 'awk', 'tr', 'touch'],
] as const;

export interface Image {
  readonly name: string;
  /** Programs and other binaries of this machine, by their paths; the libraries that they need come with them. */
  readonly binaries: readonly string[];
  /** Folders of this machine. */
  readonly folders?: readonly string[];
  /** Symbolic links: where they lie, and where they lead. */
  readonly links?: Readonly<Record<string, string>>;
  /** Accounts beside root's, as lines of passwd and group. */
  readonly account?: { readonly passwd: string; readonly group: string };
}

/** Makes an image of this machine's own files and of busybox, in place of one from a registry. */
export async function importPrograms(engine: DockerEngine, image: Image): Promise<void> {
  const { name, binaries, folders = [], links = {}, account = { passwd: '', group: '' } } = image;
  const root = await mkdtemp(join(tmpdir(), 'holdfast-image-'));
  const put = async (path: string): Promise<void> => {
    await mkdir(dirname(join(root, path)), { recursive: true });
    await cp(path, join(root, path), { recursive: true, dereference: true });
  };
  try {
    for (const folder of ['bin', 'tmp', 'etc', 'run']) await mkdir(join(root, folder), { recursive: true });
    const libraries = new Set<string>();
    for (const binary of binaries) {
      const { stdout } = await execute('ldd', [binary]);
      for (const [, path = ''] of stdout.matchAll(/(\/\S+) \(0x/g)) libraries.add(path);
    }
    for (const path of [...folders, ...binaries, ...libraries]) await put(path);
    const busybox = (await execute('sh', ['-c', 'command -v busybox'])).stdout.trim();
    await put(busybox);
    for (const applet of APPLETS) await symlink(busybox, join(root, 'bin', applet));
    for (const [path, target] of Object.entries(links)) {
      await mkdir(dirname(join(root, path)), { recursive: true });
      await symlink(target, join(root, path));
    }
    await writeFile(join(root, 'etc/passwd'), `root:x:0:0::/:/bin/sh\n${account.passwd}`);
    await writeFile(join(root, 'etc/group'), `root:x:0:\n${account.group}`);
    await engine.importImage(name, root);
  } finally {
    await rm(root, { recursive: true, force: true });
  }
}
