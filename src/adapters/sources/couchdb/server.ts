import { HoldfastError } from '../../../domain/errors.ts';
import type { Client } from './client.ts';

/** A database as a capture finds it. */
export interface SeenDatabase {
  readonly name: string;
  readonly missing: boolean;
  /** What its documents and attachments hold, about; null when the server does not tell. */
  readonly bytes: number | null;
}

export interface Seen {
  /** `3.3.3`. */
  readonly version: string;
  readonly databases: readonly SeenDatabase[];
}

/** What a server says of a database (CouchDB 3, GET /db). */
export interface State {
  /** Documents that are not deleted, design documents among them. */
  readonly documents: number;
  readonly sequence: string;
  readonly partitioned: boolean;
  readonly bytes: number | null;
}

const encoded = encodeURIComponent;
/** CouchDB reads a `+` in a path as a space, so that one is encoded too. */
export const pathOf = (database: string): string => `/${encoded(database)}`;

/** What a database is made with, and what its documents do not tell. */
export interface Shape {
  readonly partitioned: boolean;
  /** Shards and copies of each; null where the server does not tell, and chooses. */
  readonly q: number | null;
  readonly n: number | null;
  /** How many revisions of a history are kept; null where the server does not tell. */
  readonly revsLimit: number | null;
}

/** The slash of these is no part of a name. */
export const documentPath = (database: string, id: string): string => {
  const [, kind = '', name = id] = /^(_design\/|_local\/)?(.*)$/s.exec(id) ?? [];
  return `${pathOf(database)}/${kind}${encoded(name)}`;
};

/** Finds the server and its databases. @throws SourceMissing without a server, and when none of what is named is there;
 *  SourceFailed when it lets nobody in, or is none */
export async function look(source: string, named: readonly string[] | 'all', client: Client): Promise<Seen> {
  const version = versionOf(await client.ask({ method: 'GET', path: '/' }), source);
  const names = named === 'all' ? await listDatabases(client) : named;
  const databases: SeenDatabase[] = [];
  for (const name of names) {
    const state = await stateOf(name, client);
    databases.push({ name, missing: state === null, bytes: state?.bytes ?? null });
  }
  if (databases.length > 0 && databases.every(({ missing }) => missing)) throw missingDatabase(names.join(', '));
  return { version, databases };
}

/** The server's own begin with an underscore: `_users`, `_replicator`. */
async function listDatabases(client: Client): Promise<readonly string[]> {
  const names = (await client.ask({ method: 'GET', path: '/_all_dbs' })) as readonly string[];
  return names.filter((name) => !name.startsWith('_') && !isOurs(name));
}

/** What a restore in place made or kept is no database of the service. */
const isOurs = (database: string): boolean =>
  /^holdfast_restore_[0-9a-z]{26}_\d+$|_recovery_backup_\d{8}_\d{6}(?:_\d+)?$/.test(database);

function versionOf(welcome: unknown, source: string): string {
  const { version } = Object(welcome) as { readonly version?: unknown };
  if (typeof version !== 'string')
    throw new HoldfastError('SourceFailed', `${source}: what answers there is no CouchDB.`, source, {
      hint: 'Look at `url`, or `host` and `port`, of the source',
    });
  if (Number.parseInt(version, 10) < 2)
    throw new HoldfastError('SourceFailed', `${source}: CouchDB ${version} is older than 2.0.`, source, {
      hint: 'Replicate its databases to a later CouchDB, and back that up',
    });
  return version;
}

/** Null when there is no such database. */
export async function stateOf(database: string, client: Client): Promise<State | null> {
  const state = await client.ask({ method: 'GET', path: pathOf(database) }, [404]);
  if (state === null) return null;
  const { doc_count, update_seq, props, sizes } = state as {
    readonly doc_count: number;
    readonly update_seq: string | number;
    readonly props?: { readonly partitioned?: boolean };
    readonly sizes?: { readonly external?: number };
  };
  return {
    documents: doc_count,
    sequence: `${update_seq}`,
    partitioned: props?.partitioned === true,
    bytes: sizes?.external ?? null,
  };
}

/** @throws SourceMissing without a database of this name */
export async function shapeOf(database: string, client: Client): Promise<Shape> {
  const state = await client.ask({ method: 'GET', path: pathOf(database) }, [404]);
  if (state === null) throw missingDatabase(database);
  const { props, cluster } = state as {
    readonly props?: { readonly partitioned?: boolean };
    readonly cluster?: { readonly q?: number; readonly n?: number };
  };
  const limit = await client.ask({ method: 'GET', path: `${pathOf(database)}/_revs_limit` }, [404]);
  return {
    partitioned: props?.partitioned === true,
    q: cluster?.q ?? null,
    n: cluster?.n ?? null,
    revsLimit: typeof limit === 'number' ? limit : null,
  };
}

export const missingDatabase = (name: string): HoldfastError =>
  new HoldfastError('SourceMissing', `The server has no database ${name}.`, name, {
    hint: 'Look at its name: curl ADDRESS/_all_dbs. The last good point stays',
  });
