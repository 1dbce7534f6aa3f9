import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, realpathSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** A program that judges or prepares; its output without the newline at the end. @throws Error with what it said */
export const run = (program: string, ...args: string[]): string =>
  execFileSync(program, args, {
    encoding: 'utf8',
    env: { ...process.env, LC_ALL: 'C', TZ: 'UTC' },
    stdio: 'pipe',
  }).trimEnd();

/** For a shell in a mount namespace of its own, which holds the file systems of all tests of that moment, so that guard
 *  would refuse to exchange what lies on them: lets go of them, but for that of the device `$own`. */
export const LET_GO = `findmnt -rno TARGET,SOURCE | while read -r point source; do
  case $source in "$own" | "$own["*) ;; /dev/loop*) umount -l "$point" ;; esac
done`;

/** Whether this account can mount anything: root in a container without rights cannot. */
export function canMount(): boolean {
  try {
    using _disk = temporaryDisk();
    return true;
  } catch (error) {
    if (process.env.REQUIRE === 'all') throw error;
    return false;
  }
}

export interface LoopDisk extends Disposable {
  /** Where it is mounted. */
  readonly path: string;
  /** A folder beside it, on the disk of the machine, gone with it. */
  readonly beside: string;
  remount(options: string): void;
}

const MAKE = {
  btrfs: ['mkfs.btrfs', '-q'],
  xfs: ['mkfs.xfs', '-q', '-m', 'reflink=1'],
  ext4: ['mkfs.ext4', '-q'],
} as const;

/** A file system of its own in a sparse file, mounted through a loop device, which needs root. XFS needs 300 MiB. */
export function loopDisk(kind: keyof typeof MAKE, mebibytes = 512, folder = tmpdir()): LoopDisk {
  const [program, ...args] = MAKE[kind];
  const mount = (image: string, path: string): void => {
    writeFileSync(image, '');
    truncateSync(image, mebibytes * 1024 ** 2);
    run(program, ...args, image);
    run('mount', '-o', 'loop', image, path);
  };
  return mounted(kind, mount, folder);
}

/** A file system in memory. */
export const temporaryDisk = (mebibytes = 64): LoopDisk =>
  mounted('tmpfs', (_, path) => run('mount', '-t', 'tmpfs', '-o', `size=${mebibytes}m`, 'tmpfs', path));

function mounted(kind: string, mount: (image: string, path: string) => void, where = tmpdir()): LoopDisk {
  const folder = realpathSync(mkdtempSync(join(where, `${kind}-`)));
  const [image, path, beside] = [join(folder, 'image'), join(folder, 'mounted'), join(folder, 'beside')];
  for (const each of [path, beside]) mkdirSync(each);
  try {
    mount(image, path);
  } catch (error) {
    rmSync(folder, { recursive: true, force: true });
    throw error;
  }
  return {
    ...{ path, beside },
    remount: (options) => void run('mount', '-o', `remount,${options}`, path),
    [Symbol.dispose]: () => {
      // what a test mounted below it, too
      run('umount', '--recursive', path);
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
