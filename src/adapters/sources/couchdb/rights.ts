import { HoldfastError } from '../../../domain/errors.ts';
import type { Client } from './client.ts';
import { replicationsWith } from './replications.ts';
import { pathOf } from './server.ts';

const BESIDE = 'Restore it beside the present one: --database NAME, or to a folder: --to DIR';

/** @throws Refused for an account that is no admin of the server, for the server's own databases, where local documents
 *  could not be kept, and where a replication of the server would go on beneath */
export async function confirmExchange(databases: readonly string[], client: Client): Promise<void> {
  await confirmAdmin(client);
  for (const database of databases) {
    const refused = (words: string, hint: string): HoldfastError =>
      new HoldfastError('Refused', `${database} ${words}.`, database, { hint });
    if (database.startsWith('_')) throw refused("is the server's own, which does not go on without it", BESIDE);
    const listed = await client.open(
      { method: 'GET', path: `${pathOf(database)}/_local_docs?limit=1` },
      [400, 404, 405, 501],
    );
    for await (const _ of listed.bytes); // the connection is used again
    if (listed.status >= 300)
      throw refused('has local documents that this server does not list, so that they could not be kept', BESIDE);
    const [replication] = await replicationsWith(database, client);
    if (replication !== undefined)
      throw refused(
        `is replicated by the server itself, from ${replication}, which its admin does`,
        'Delete its document in _replicator, restore, and make it again',
      );
  }
}

async function confirmAdmin(client: Client): Promise<void> {
  const answer = await client.ask({ method: 'GET', path: '/_session' }, [403, 404]);
  const { userCtx } = Object(answer) as {
    readonly userCtx?: { readonly name?: string | null; readonly roles?: readonly string[] };
  };
  if (userCtx?.roles === undefined || userCtx.roles.includes('_admin')) return; // else each request is refused by itself
  const name = userCtx.name ?? 'nobody';
  throw new HoldfastError('Refused', `${name} may not make and delete databases.`, name, {
    hint: 'Let `user` be a server admin: in place takes one',
  });
}
