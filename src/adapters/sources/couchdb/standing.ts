import { HoldfastError } from '../../../domain/errors.ts';
import type { Client } from './client.ts';
import { pagesOfChanges } from './leaves.ts';
import { type Mark, markIn } from './marks.ts';
import { stateOf } from './server.ts';

/** An exchange: what `database` holds goes to `kept`, and what `staged` holds to `database`. */
export interface Names {
  readonly database: string;
  readonly staged: string;
  readonly kept: string;
}

export type MarkOf<Role extends Mark['role']> = Extract<Mark, { readonly role: Role }>;

/** How far an exchange got, by what stands under the name that it is about. `untouched`: it was never begun, or is over.
 *  `gone`: nothing is there, or nothing in it yet. */
export type Standing = { readonly role: 'untouched' | 'gone' } | MarkOf<'present' | 'coming' | 'returning'>;

/** @throws Refused when somebody made a database under the name in the moment when there was none */
export async function standingOf({ database, staged, kept }: Names, client: Client): Promise<Standing> {
  if (!(await isThere(database, client))) return { role: 'gone' };
  const mark = await markIn(database, client);
  if (mark?.role === 'present' || mark?.role === 'coming' || mark?.role === 'returning')
    if (mark.staged === staged) return mark;
  const aside = await markIn(kept, client);
  const next = await markIn(staged, client);
  const deleted = aside?.role === 'kept' && aside.whole && aside.staged === staged;
  const absent = next?.role === 'staged' && next.into === database && next.kept === kept && !next.replaces;
  if ((deleted || absent) && (await isEmpty(database, client))) return { role: 'gone' };
  if (!deleted) return { role: 'untouched' };
  const words = `Somebody made ${database} while it was exchanged. What it was before is in ${kept}.`;
  throw new HoldfastError('Refused', words, database, {
    hint: `Keep what you need of it, delete it, then: holdfast unlock`,
  });
}

export const isThere = async (database: string, client: Client): Promise<boolean> =>
  (await stateOf(database, client)) !== null;

/** Whether none of its documents was ever written; so of one that is not there. */
export async function isEmpty(database: string, client: Client): Promise<boolean> {
  if (!(await isThere(database, client))) return true;
  for await (const _ of pagesOfChanges(database, client)) return false;
  return true;
}
