import type { Host } from '../../../ports/host.ts';
import { tell } from './program.ts';

/** The number of renameat2(2) by what `uname -m` prints: tables of the Linux kernel, arch/…/syscall.tbl. */
const RENAMEAT2: Readonly<Record<string, number>> = {
  x86_64: 316,
  aarch64: 276,
  riscv64: 276,
  ppc64le: 357,
  s390x: 347,
};
/** The same machines as Node names them. */
const MACHINES: Readonly<Record<string, string>> = {
  x64: 'x86_64',
  arm64: 'aarch64',
  riscv64: 'riscv64',
  ppc64: 'ppc64le',
  s390x: 's390x',
};
/** Where folders can be exchanged whatever is in them. On overlayfs it depends on the layer that a folder lies in. */
const FILE_SYSTEMS = new Set(['btrfs', 'xfs', 'ext2', 'ext3', 'ext4', 'tmpfs', 'f2fs']);
/** AT_FDCWD is -100, RENAME_EXCHANGE is 2. */
const SCRIPT =
  'my ($number, $left, $right) = @ARGV; syscall($number + 0, -100, $left, -100, $right, 2) == 0 or die "$!\\n"';

/** Exchanges two names in one step. */
export type Exchange = (left: string, right: string, signal: AbortSignal) => Promise<void>;

/** How two names are exchanged here: by the system call through perl, which every Debian has, else by `mv --exchange` of
 *  coreutils 9.5 and later. Null where neither is to be had. */
export async function findExchange(host: Host, fileSystem: string, signal: AbortSignal): Promise<Exchange | null> {
  if (!FILE_SYSTEMS.has(fileSystem)) return null;
  const number = await renameat2(host, signal);
  if (number !== null) return perlExchange(host, number);
  const [major = 0, minor = 0] = (await host.version('mv', signal)).split('.').map(Number);
  return major > 9 || (major === 9 && minor >= 5) ? mvExchange(host) : null;
}

/** Without starting a program where that can be seen: a guard's command waits for all that is started before it. */
async function renameat2(host: Host, signal: AbortSignal): Promise<number | null> {
  if ((await host.files.status('/usr/bin/perl', signal)) === null) return null;
  const { localPaths } = host.capabilities;
  const machine = localPaths ? MACHINES[process.arch] : (await host.run(UNAME, { signal })).stdout.trim();
  return RENAMEAT2[machine ?? ''] ?? null;
}

const UNAME = { program: 'uname', args: ['-m'] };

const perlExchange =
  (host: Host, number: number): Exchange =>
  async (left, right, signal) =>
    void (await tell(host, ['/usr/bin/perl', '-e', SCRIPT, '--', `${number}`, left, right], left, signal));

const mvExchange =
  (host: Host): Exchange =>
  async (left, right, signal) =>
    void (await tell(host, ['mv', '--exchange', '--no-target-directory', '--', left, right], left, signal));
