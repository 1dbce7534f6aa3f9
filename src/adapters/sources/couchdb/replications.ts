import type { Client } from './client.ts';

/** Replications that the server itself makes with a database, in words: `http://other/vault/ to vault`. None where the
 *  account may not see them, and before CouchDB 2.1, which does not list them. */
export async function replicationsWith(database: string, client: Client): Promise<readonly string[]> {
  const answer = await client.ask({ method: 'GET', path: '/_scheduler/jobs' }, [401, 403, 404]);
  const { jobs = [] } = Object(answer) as {
    readonly jobs?: readonly { readonly source?: string; readonly target?: string }[];
  };
  return jobs
    .filter(({ source = '', target = '' }) => names(source, database) || names(target, database))
    .map(({ source, target }) => `${source} to ${target}`);
}

/** An address has its password masked, and the name of the database at its end. */
function names(end: string, database: string): boolean {
  if (end === database) return true;
  if (!URL.canParse(end)) return false;
  const last = new URL(end).pathname.replace(/\/$/, '').split('/').at(-1) ?? '';
  try {
    return decodeURIComponent(last) === database;
  } catch {
    return false;
  }
}
