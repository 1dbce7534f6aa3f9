import type { Snapshotter } from '../../../ports/snapshotter.ts';
import { copyingSnapshotter } from '../pool/copying.ts';
import type { Pool } from '../pool/pool.ts';

/** Folders whose copies share their contents with them, file by file: XFS, folders on BTRFS, bcachefs. */
export const reflinkSnapshotter = (pool: Pool): Snapshotter =>
  copyingSnapshotter(pool, { kind: 'reflink', reflink: 'always' });
