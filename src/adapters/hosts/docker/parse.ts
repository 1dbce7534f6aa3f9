import type { PathStatus } from '../../../ports/host.ts';

/** The type's bits in `st_mode`, four of them (inode(7)). */
const TYPES = new Map<number, PathStatus['type']>([
  [0o10, 'file'],
  [0o04, 'directory'],
  [0o12, 'link'],
]);

/** `1234567890.123456789` of GNU stat, or whole seconds of BusyBox's. */
const nanoseconds = (text = ''): bigint => {
  const [seconds = '0', fraction = ''] = text.split('.');
  return BigInt(seconds) * 1_000_000_000n + BigInt(fraction.padEnd(9, '0').slice(0, 9));
};

/** What `stat -c "%f %s %u %g %d %i %.9Y %.9Z"` prints. */
export function parseStatus(printed: string): PathStatus {
  const [raw = '', size, uid, gid, device = '', inode = '', modified, changed] = printed.split(' ');
  const mode = Number.parseInt(raw, 16);
  return {
    type: TYPES.get(mode >> 12) ?? 'other',
    size: Number(size),
    mode: mode & 0o7777,
    uid: Number(uid),
    gid: Number(gid),
    device: BigInt(device),
    inode: BigInt(inode),
    modifiedNs: nanoseconds(modified),
    changedNs: nanoseconds(changed),
  };
}

/** proc(5), mountinfo: the fifth field, in which a space is `\040`. Those at or below `path`, each once. */
export function parseMountPoints(mountinfo: string, path: string): readonly string[] {
  const points = mountinfo.split('\n').flatMap((line) => line.split(' ')[4] ?? []);
  const decoded = points.map((point) =>
    point.replace(/\\([0-7]{3})/g, (_, digits: string) => String.fromCharCode(Number.parseInt(digits, 8))),
  );
  const below = path.endsWith('/') ? path : `${path}/`;
  return [...new Set(decoded)].filter((point) => point === path || point.startsWith(below));
}

/** Prints `PID NAME` of each process that has $1, or anything below it, open or as working folder or root. Processes of
 *  other containers that share a volume are not seen from here. Its own number and those above it are left out. */
export const HOLDERS = `wanted=$1
for folder in /proc/[0-9]*; do
  pid=\${folder#/proc/}
  [ "$pid" != "$$" ] || continue
  for link in "$folder"/cwd "$folder"/root "$folder"/fd/*; do
    target=$(readlink -- "$link" 2>/dev/null) || continue
    case "$target" in
      "$wanted"|"\${wanted%/}"/*) read -r name <"$folder/comm" 2>/dev/null || name='?'; echo "$pid $name"; break ;;
    esac
  done
done
exit 0`;
