/** One line of /proc/PID/mountinfo (proc(5)): a file system, the folder of it that is shown, and where. */
export interface Mount {
  /** `major:minor` of the file system. */
  readonly device: string;
  /** The folder inside the file system; a BTRFS subvolume's name is part of it. */
  readonly root: string;
  readonly point: string;
}

/** proc(5): space, tab, newline, backslash and number sign are written as three octal digits. */
const decode = (field: string): string =>
  field.replace(/\\([0-7]{3})/g, (_, digits: string) => String.fromCharCode(Number.parseInt(digits, 8)));

/** In the order of the kernel: a later mount lies over an earlier one at the same point. */
export function parseMounts(mountinfo: string): readonly Mount[] {
  const lines = mountinfo.split('\n').filter((line) => line !== '');
  return lines.map((line) => {
    const [, , device = '', root = '', point = ''] = line.split(' ');
    return { device, root: decode(root), point: decode(point) };
  });
}

/** True for `folder` itself and everything inside it. */
export const isWithin = (path: string, folder: string): boolean =>
  path === folder || path.startsWith(folder.endsWith('/') ? folder : `${folder}/`);

/** A path as the file system itself has it, wherever it is mounted: equal for a container's `/data/db` and the host's
 *  `/srv/app/db`, when the one is a bind mount of the other. Null when no mount holds it. */
export function placeOf(path: string, mounts: readonly Mount[]): string | null {
  const holding = mounts.filter(({ point }) => isWithin(path, point));
  const deepest = Math.max(...holding.map(({ point }) => point.length));
  const mount = holding.findLast(({ point }) => point.length === deepest);
  if (mount === undefined) return null;
  const inside = mount.point === '/' ? path : path.slice(mount.point.length);
  return `${mount.device} ${`${mount.root}/${inside}`.replace(/\/+/g, '/').replace(/\/$/, '')}`;
}
