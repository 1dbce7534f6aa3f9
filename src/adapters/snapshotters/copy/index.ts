import type { Snapshotter } from '../../../ports/snapshotter.ts';
import { copyingSnapshotter } from '../pool/copying.ts';
import type { Pool } from '../pool/pool.ts';

/** Folders of any file system; a copy takes as long and as much room as the data are large. */
export const copySnapshotter = (pool: Pool): Snapshotter => copyingSnapshotter(pool, { kind: 'copy', reflink: 'auto' });
