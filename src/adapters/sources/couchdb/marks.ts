import type { Client } from './client.ts';
import { documentPath, type Shape } from './server.ts';

/** What an exchange notes in a database about itself, before it does what the note tells. */
export type Mark =
  /** In the database that is replaced, as long as it has its state of before. */
  | { readonly role: 'present'; readonly staged: string; readonly security: object }
  /** In the one that keeps this state. */
  | KeptMark
  /** In the one that takes the place, as long as it has another name. */
  | ({ readonly role: 'staged' } & Coming)
  /** In the one that has the name then. `whole`: every byte of it was read back. */
  | ({ readonly role: 'coming'; readonly staged: string; readonly whole: boolean } & Coming)
  /** In the one that has the name again, its state that of before. */
  | { readonly role: 'returning'; readonly staged: string; readonly whole: boolean; readonly security: object }
  /** In one that is filled from the one that had its place, so that it can be taken back. */
  | { readonly role: 'leaving'; readonly staged: string };

export interface KeptMark {
  readonly role: 'kept';
  readonly of: string;
  readonly staged: string;
  readonly whole: boolean;
  /** Who could read it, before it was closed. */
  readonly security: object;
  readonly shape: Shape;
}

export interface Coming {
  readonly into: string;
  readonly kept: string;
  /** Whether there was something to keep. */
  readonly replaces: boolean;
  readonly security: object;
  /** Its own mark, where an exchange before had set it aside. */
  readonly aside: KeptMark | null;
}

/** CouchDB replicates no local document, and counts none. */
const MARK = '_local/holdfast_exchange';
const JSON_TYPE = { 'Content-Type': 'application/json' };

interface Stored {
  readonly _rev: string;
  readonly mark: Mark;
}

const storedIn = async (database: string, client: Client): Promise<Stored | null> =>
  (await client.ask({ method: 'GET', path: documentPath(database, MARK) }, [404])) as Stored | null;

/** Null for a database that has none, or that is not there. */
export const markIn = async (database: string, client: Client): Promise<Mark | null> =>
  (await storedIn(database, client))?.mark ?? null;

export async function writeMark(database: string, mark: Mark, client: Client): Promise<void> {
  const earlier = await storedIn(database, client);
  const body = Buffer.from(JSON.stringify({ ...(earlier === null ? {} : { _rev: earlier._rev }), mark }));
  await client.ask({ method: 'PUT', path: documentPath(database, MARK), headers: JSON_TYPE, body });
}

export async function removeMark(database: string, client: Client): Promise<void> {
  const earlier = await storedIn(database, client);
  if (earlier === null) return;
  const path = `${documentPath(database, MARK)}?rev=${encodeURIComponent(earlier._rev)}`;
  await client.ask({ method: 'DELETE', path }, [404]);
}
