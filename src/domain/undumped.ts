/** Kinds of sources that dump what such a name belongs to (interface, section 10, line 2). What has none of these names
 *  is a SQLite file. */
const SERVERS = [
  { name: /\.couch$/, kind: 'couchdb', called: 'a database of CouchDB' },
  { name: /\.(?:rdb|aof)$/, kind: 'redis', called: 'what Redis keeps' },
] as const;

export interface Dumped {
  /** Absolute paths of the SQLite sources of all services. */
  readonly sqlite: readonly string[];
  /** Kinds of all sources. */
  readonly kinds: ReadonlySet<string>;
}

export interface FoundDatabase {
  readonly path: string;
  /** True for a folder: of PostgreSQL (`PG_VERSION`) or MariaDB (`ibdata1`). */
  readonly folder: boolean;
}

/** What to say of a database that lies in a tree and that no source dumps; null when one does, as far as can be told. */
export function whyUndumped({ path, folder }: FoundDatabase, { sqlite, kinds }: Dumped): string | null {
  if (folder) {
    if (kinds.has('postgres') || kinds.has('mariadb')) return null;
    return `${path} holds a database server's files, and no source dumps them: while the server runs, their backup fails.`;
  }
  const server = SERVERS.find(({ name }) => name.test(path));
  if (server === undefined) {
    if (sqlite.includes(path)) return null;
    return `${path} is a SQLite database that no source dumps: it is copied as one moment, its rows are not counted.`;
  }
  if (kinds.has(server.kind)) return null;
  return `${path} is ${server.called}, and no source dumps it: while the server writes, its backup fails.`;
}
