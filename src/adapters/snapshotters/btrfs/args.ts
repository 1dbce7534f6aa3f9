/** Argument lists of btrfs-progs; paths are absolute, so that none is taken for an option. */
type Argv = readonly [string, ...string[]];

export const show = (path: string): Argv => ['btrfs', 'subvolume', 'show', path];
/** Directly inside the subvolume that holds `path`, with their paths from the top level. */
export const inside = (path: string): Argv => ['btrfs', 'subvolume', 'list', '-o', path];
export const snapshotsInside = (path: string): Argv => ['btrfs', 'subvolume', 'list', '-o', '-s', path];
export const readOnlyInside = (path: string): Argv => ['btrfs', 'subvolume', 'list', '-o', '-r', path];
/** With the UUID of each. */
export const uuidsInside = (path: string): Argv => ['btrfs', 'subvolume', 'list', '-o', '-u', path];
/** Of the whole file system, with the UUID of each and paths from the top level. */
export const all = (path: string): Argv => ['btrfs', 'subvolume', 'list', '-a', '-u', path];
export const usage = (path: string): Argv => ['btrfs', 'filesystem', 'usage', '-b', path];
export const quotas = (path: string): Argv => ['btrfs', 'qgroup', 'show', '--raw', path];
export const snapshot = (from: string, to: string): Argv => ['btrfs', 'subvolume', 'snapshot', '-r', from, to];
export const writable = (from: string, to: string): Argv => ['btrfs', 'subvolume', 'snapshot', from, to];
export const remove = (path: string): Argv => ['btrfs', 'subvolume', 'delete', path];
/** The changes without the contents, which need not be read then. */
export const send = (from: string, to: string): Argv => ['btrfs', 'send', '--quiet', '--no-data', '-p', from, to];
export const isReadOnly = (path: string): Argv => ['btrfs', 'property', 'get', '-t', 'subvol', path, 'ro'];
