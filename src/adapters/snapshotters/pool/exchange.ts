import { HoldfastError } from '../../../domain/errors.ts';
import type { Host } from '../../../ports/host.ts';
import { tell } from './program.ts';

/** The number of renameat2(2) by the machine that perl was built for: tables of the Linux kernel, arch/…/syscall.tbl. */
const RENAMEAT2: Readonly<Record<string, number>> = {
  x86_64: 316,
  aarch64: 276,
  riscv64: 276,
  i686: 353,
  i386: 353,
  arm: 382,
  powerpc64le: 357,
  s390x: 347,
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

async function renameat2(host: Host, signal: AbortSignal): Promise<number | null> {
  const args = ['-e', 'require Config; print $Config::Config{archname}'];
  try {
    const { stdout } = await host.run({ program: 'perl', args }, { signal });
    return RENAMEAT2[stdout.split('-')[0] ?? ''] ?? null;
  } catch (error) {
    if (error instanceof HoldfastError && error.code === 'ToolMissing') return null;
    throw error;
  }
}

export const perlExchange =
  (host: Host, number: number): Exchange =>
  async (left, right, signal) =>
    void (await tell(host, ['perl', '-e', SCRIPT, '--', `${number}`, left, right], left, signal));

const mvExchange =
  (host: Host): Exchange =>
  async (left, right, signal) =>
    void (await tell(host, ['mv', '--exchange', '--no-target-directory', '--', left, right], left, signal));
