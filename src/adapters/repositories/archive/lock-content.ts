// Read when there is a lock to be read: a schema costs every start that has it.
import * as z from 'zod';
import type { Owner } from '../../../ports/owner.ts';

/** What a process that died left to do: the folder of a draft to remove, the removal of a point to finish. `folder` is
 *  relative to the repository and was used by one lock only. */
export type Leftover =
  | { readonly kind: 'draft'; readonly folder: string }
  | { readonly kind: 'removal'; readonly folder: string; readonly location: string; readonly id: string };

/** What stands in a lock file. `counter` grows while its holder lives; `state` turns from `waiting` to `held` once. */
export interface LockContent {
  readonly state: 'waiting' | 'held';
  readonly counter: number;
  readonly since: string;
  readonly owner: Owner;
  readonly leftover: Leftover | null;
}

const ownerSchema = z.object({
  machine: z.string(),
  hostname: z.string(),
  boot: z.string(),
  pidNamespace: z.string(),
  pid: z.number(),
  startTime: z.string(),
});
const leftoverSchema = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('draft'), folder: z.string() }),
  z.object({ kind: z.literal('removal'), folder: z.string(), location: z.string(), id: z.string() }),
]);
const contentSchema = z.object({
  state: z.enum(['waiting', 'held']),
  counter: z.coerce.number(),
  since: z.string(),
  owner: ownerSchema,
  leftover: leftoverSchema.nullable(),
});

/** Null for a file that is empty or not whole: an owner that cannot be told, so that the lock is judged by whether it
 *  changes. */
export function parseLock(text: string): LockContent | null {
  try {
    return contentSchema.parse(JSON.parse(text));
  } catch {
    return null;
  }
}
