import { dirname } from 'node:path';
import { HoldfastError } from '../../../domain/errors.ts';
import type { Host, HostFiles } from '../../../ports/host.ts';
import { HOLDERS, parseMountPoints, parseStatus } from './parse.ts';

/** Removing a tree of millions of files takes its time. */
const LIMIT_MS = 30 * 60_000;
const ANY_CODE = Array.from({ length: 126 }, (_, code) => code);

/** The paths of a container, by the programs in it. Paths are absolute. */
export function containerFiles(run: Host['run']): HostFiles {
  /** Runs a script with paths as its arguments; what it printed. @throws by what it said */
  async function sh(script: string, paths: readonly string[], signal: AbortSignal): Promise<string> {
    signal.throwIfAborted();
    const options = { signal, limitMs: LIMIT_MS, accept: ANY_CODE };
    const ended = await run({ program: 'sh', args: ['-c', script, 'sh', ...paths] }, options);
    if (ended.exitCode === 0) return ended.stdout;
    throw explain(ended.stderrTail.trim(), paths);
  }
  const status: HostFiles['status'] = async (path, signal) => {
    const script = 'if [ -e "$1" ] || [ -L "$1" ]; then stat -c "%f %s %u %g %d %i %.9Y %.9Z" -- "$1"; fi';
    const printed = (await sh(script, [path], signal)).trim();
    return printed === '' ? null : parseStatus(printed);
  };
  const realPath: HostFiles['realPath'] = async (path, signal) => {
    const script = '[ -e "$1" ] || { echo "No such file or directory" >&2; exit 1; }; readlink -f -- "$1"; echo .';
    return (await sh(script, [path], signal)).slice(0, -3);
  };
  const mountsBelow: HostFiles['mountsBelow'] = async (path, signal) => {
    const real = await realPath(path, signal);
    return parseMountPoints(await sh('cat /proc/self/mountinfo', [], signal), real);
  };
  return {
    status,
    realPath,
    mountsBelow,
    async list(path, signal) {
      const printed = await sh('cd -- "$1" && find . -mindepth 1 -maxdepth 1 -print0', [path], signal);
      return printed.split('\0').flatMap((name) => (name === '' ? [] : [name.slice(2)]));
    },
    async makeFolder(path, mode, signal) {
      const script = '[ ! -d "$1" ] || exit 0; umask "$2"; mkdir -p -m "$3" -- "$1"';
      const mask = (0o777 & ~mode).toString(8);
      await sh(script, [path, mask, mode.toString(8)], signal);
    },
    async rename(from, to, signal) {
      await sh(RENAME, [from, to, dirname(from), dirname(to)], signal);
    },
    async remove(path, signal) {
      const parent = await realPath(dirname(path), signal).catch(() => null);
      signal.throwIfAborted();
      if (parent === null) return;
      const own = path === '/' ? path : `${parent === '/' ? '' : parent}/${path.split('/').at(-1)}`;
      const [mount] = parseMountPoints(await sh('cat /proc/self/mountinfo', [], signal), own);
      if (mount !== undefined)
        throw new HoldfastError('TargetBusy', `${path} is not removed: ${mount} is a mount point.`, path, {
          hint: `Unmount it: umount ${mount}`,
        });
      await sh('rm -rf -- "$1"', [path], signal);
    },
    async freeBytes(path, signal) {
      const printed = await sh('df -P -k -- "$1" | tail -n 1', [path], signal);
      return Number(/\s(\d+)\s+\d+%\s/.exec(printed)?.[1]) * 1024;
    },
    async holders(path, signal) {
      const real = await realPath(path, signal);
      return (await sh(HOLDERS, [real], signal)).split('\n').filter((line) => line !== '');
    },
  };
}

/** Never onto a folder that holds something, never from one file system to another, and synced in both folders. */
const RENAME = `set -e
if [ ! -e "$1" ] && [ ! -L "$1" ]; then echo "from: No such file or directory" >&2; exit 1; fi
if [ -d "$2" ] && [ ! -L "$2" ] && [ -n "$(ls -A -- "$2")" ]; then echo "to: Directory not empty" >&2; exit 1; fi
if [ "$(stat -c %d -- "$3")" != "$(stat -c %d -- "$4")" ]; then echo "from: Invalid cross-device link" >&2; exit 1; fi
mv -f -T -- "$1" "$2"
sync -- "$3" "$4" 2>/dev/null || sync`;

/** What the tools say under LC_ALL=C, in the words of a person. `said` may begin with the path that it is about. */
function explain(said: string, [path = '', to = path]: readonly string[]): HoldfastError {
  const subject = said.startsWith('to:') ? to : path;
  if (/No such file or directory|Not a directory|can't cd/i.test(said))
    return new HoldfastError('SourceMissing', `${subject} does not exist.`, subject);
  if (/not empty|File exists/i.test(said))
    return new HoldfastError('TargetExists', `${subject} is in the way: it exists and is not empty.`, subject);
  if (/cross-device/i.test(said))
    return new HoldfastError('Refused', `${path} cannot be renamed to ${to}: they are on two file systems.`, path);
  if (/busy/i.test(said)) return new HoldfastError('TargetBusy', `${subject} is in use.`, subject);
  if (/No space|quota/i.test(said)) return new HoldfastError('NoSpace', `The disk of ${subject} is full.`, subject);
  return new HoldfastError('SourceFailed', `${subject}: ${said}`, subject);
}
