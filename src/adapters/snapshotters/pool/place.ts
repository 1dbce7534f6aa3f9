import { readFile } from 'node:fs/promises';
import { HoldfastError } from '../../../domain/errors.ts';
import type { Host } from '../../../ports/host.ts';
import { tell } from './program.ts';

/** Where a path is, by /proc/PID/mountinfo (proc(5)). */
export interface Place {
  /** `btrfs`, `xfs`, `ext4`, `tmpfs`, … */
  readonly fileSystem: string;
  /** The mount or the file system is read-only. */
  readonly readOnly: boolean;
  /** The path as the file system itself has it: on BTRFS from its top level. Without a slash at its ends. */
  readonly inside: string;
}

/** proc(5): space, tab, newline, backslash and number sign are written as three octal digits. */
const decode = (field: string): string =>
  field.replace(/\\([0-7]{3})/g, (_, digits: string) => String.fromCharCode(Number.parseInt(digits, 8)));

const holds = (point: string, path: string): boolean =>
  path === point || path.startsWith(point.endsWith('/') ? point : `${point}/`);

/** The mount that holds `path`, which has no symbolic link in it: the deepest, of these the last, which lies on top. */
export function placeIn(mountinfo: string, path: string): Place | null {
  let found: (Place & { readonly depth: number }) | null = null;
  for (const line of mountinfo.split('\n')) {
    const [mount = '', filesystem = ''] = line.split(' - ');
    const [, , , root = '', rawPoint = '', options = ''] = mount.split(' ');
    const point = decode(rawPoint);
    if (point === '' || !holds(point, path) || point.length < (found?.depth ?? 0)) continue;
    const [fileSystem = '', , superOptions = ''] = filesystem.split(' ');
    const inside = `${decode(root)}/${path.slice(point.length)}`.split('/').filter((part) => part !== '');
    const readOnly = [options, superOptions].some((list) => list.split(',').includes('ro'));
    found = { fileSystem, readOnly, inside: inside.join('/'), depth: point.length };
  }
  return found;
}

const MOUNTINFO = '/proc/self/mountinfo';

/** @throws PoolUnusable when no mount holds it */
export async function readPlace(host: Host, path: string, signal: AbortSignal): Promise<Place> {
  signal.throwIfAborted();
  const mountinfo = host.capabilities.localPaths
    ? await readFile(MOUNTINFO, 'utf8')
    : await tell(host, ['cat', MOUNTINFO], path, signal);
  const place = placeIn(mountinfo, path);
  if (place !== null) return place;
  throw new HoldfastError('PoolUnusable', `No mount of ${host.name} holds ${path}.`, path);
}
