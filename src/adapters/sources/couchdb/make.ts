import { setTimeout as sleep } from 'node:timers/promises';
import { HoldfastError } from '../../../domain/errors.ts';
import type { Client } from './client.ts';
import { markIn } from './marks.ts';
import { pathOf, type Shape, stateOf } from './server.ts';

/** CouchDB 3, what `_security` is of a database that nobody said anything of. */
export const ADMINS_ALONE = { admins: { names: [], roles: ['_admin'] }, members: { names: [], roles: ['_admin'] } };

/** How long the nodes of a cluster may take until all know that a database was deleted. */
const SETTLED_WITHIN_MS = 60_000;
const LOOK_AGAIN_MS = 100;

const JSON_TYPE = { 'Content-Type': 'application/json' };
const securityPath = (database: string): string => `${pathOf(database)}/_security`;

/** Makes a database and says who may read it, before anything is in it. @throws SourceFailed when there is one */
export async function makeDatabase(
  database: string,
  { partitioned, q, n, revsLimit }: Pick<Shape, 'partitioned'> & Partial<Shape>,
  security: object,
  client: Client,
): Promise<void> {
  const wanted = [
    ...(partitioned ? ['partitioned=true'] : []),
    ...(q === undefined || q === null ? [] : [`q=${q}`]),
    ...(n === undefined || n === null ? [] : [`n=${n}`]),
  ].join('&');
  await create(database, `${pathOf(database)}${wanted === '' ? '' : `?${wanted}`}`, client);
  await secure(database, security, client);
  if (revsLimit === undefined || revsLimit === null) return;
  const path = `${pathOf(database)}/_revs_limit`;
  await client.ask({ method: 'PUT', path, headers: JSON_TYPE, body: Buffer.from(`${revsLimit}`) });
}

/** For a moment a server may say that there is one which it deleted just before, and knows no more when it is asked. */
async function create(database: string, path: string, client: Client): Promise<void> {
  const deadline = performance.now() + SETTLED_WITHIN_MS;
  for (;;) {
    const lies = performance.now() < deadline && (await stateOf(database, client)) === null;
    const { status, bytes } = await client.open({ method: 'PUT', path }, lies ? [412] : []);
    for await (const _ of bytes); // the connection is used again
    if (status !== 412) return;
    await sleep(LOOK_AGAIN_MS);
  }
}

export const securityOf = async (database: string, client: Client): Promise<object> =>
  (await client.ask({ method: 'GET', path: securityPath(database) })) as object;

export async function secure(database: string, security: object, client: Client): Promise<void> {
  const body = Buffer.from(JSON.stringify(security));
  await client.ask({ method: 'PUT', path: securityPath(database), headers: JSON_TYPE, body });
}

/** Lets nobody in but admins of the server. @throws Refused when the server does not keep to it */
export async function close(database: string, client: Client): Promise<void> {
  await secure(database, ADMINS_ALONE, client);
  if (await isClosed(database, client)) return;
  throw new HoldfastError('Refused', `The server does not close ${database} to its members.`, database, {
    hint: "Nothing was deleted. Look at the server's log",
  });
}

export async function isClosed(database: string, client: Client): Promise<boolean> {
  const { members } = (await securityOf(database, client)) as {
    readonly members?: { readonly names?: readonly string[]; readonly roles?: readonly string[] };
  };
  const { names = [], roles = [] } = members ?? {};
  return names.length === 0 && roles.length === 1 && roles[0] === '_admin';
}

/** Removes a database, and waits until the server knows it no more. None of that name is no error. @throws Refused when somebody makes one of that name meanwhile; SourceFailed */
export async function dropDatabase(database: string, client: Client): Promise<void> {
  const marked = (await markIn(database, client)) !== null;
  await client.ask({ method: 'DELETE', path: pathOf(database) }, [404]);
  const deadline = performance.now() + SETTLED_WITHIN_MS;
  while ((await stateOf(database, client)) !== null) {
    if (marked && (await markIn(database, client)) === null && (await stateOf(database, client)) !== null)
      throw new HoldfastError('Refused', `Somebody made ${database} in the moment when there was none.`, database, {
        hint: 'Stop what makes databases as an admin of the server, and repeat',
      });
    if (performance.now() > deadline)
      throw new HoldfastError('SourceFailed', `The server deleted ${database}, and has it still.`, database);
    await sleep(LOOK_AGAIN_MS);
  }
}
