import * as z from 'zod';
import { nameSetting } from '../../domain/settings.ts';
import type { PLANNED_KINDS } from './kinds.ts';
import { planned } from './planned.ts';

const text = z.string().min(1, 'Must not be empty.');
const exclude = z.array(text).describe('Patterns of names that are left out').exactOptional();

/** Kinds of sources that are not built yet. A kind moves to its adapter's config.ts, its row to the registry, and out of
 *  kinds.ts. */
export const plannedSources = {
  btrfs: z.strictObject({
    btrfs: planned('sources of kind btrfs', 'A subvolume, read from an instant snapshot', () => nameSetting),
    exclude,
  }),
} satisfies Record<(typeof PLANNED_KINDS)[number], z.ZodType>;
