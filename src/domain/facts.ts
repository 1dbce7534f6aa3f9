/** What can be counted in the same instant as the capture; a drill compares it exactly. Which keys are there depends
 *  on the kind of the source (interface, section 4). All numbers are exact counts; `bytes` is in bytes. */
export interface Facts {
  /** Rows by table, keys `schema.table`, `main.table` for SQLite, `database.table` for MariaDB. */
  readonly tables?: Readonly<Record<string, number>>;
  /** Tables that were beyond the budget: said, and not compared. */
  readonly uncounted?: readonly string[];
  /** Large objects of PostgreSQL. */
  readonly largeObjects?: number;
  /** Versions of extensions by name. A dump has only the names, so they are said and not compared. */
  readonly extensions?: Readonly<Record<string, string>>;
  readonly entries?: number;
  readonly keys?: number;
  /** Keys of Redis by their type, over all its databases. */
  readonly keyTypes?: Readonly<Record<string, number>>;
  /** Documents of CouchDB that are not deleted, by database, design documents among them. */
  readonly documents?: Readonly<Record<string, number>>;
  /** Documents of CouchDB of which only the deletion is left. */
  readonly deleted?: number;
  readonly designDocuments?: number;
  /** Leaf revisions of CouchDB's documents: those in conflict and deleted ones, too. */
  readonly revisions?: number;
  /** Attachments of these revisions. */
  readonly attachments?: number;
  /** Names of regular files; every hard link counts. */
  readonly files?: number;
  /** The roots count too. */
  readonly directories?: number;
  /** Symbolic links. */
  readonly links?: number;
  /** Devices, FIFOs. Sockets are never stored. */
  readonly others?: number;
  /** Apparent sizes, each inode once. */
  readonly bytes?: number;
}

/** One fact that is not what was recorded. */
export interface Difference {
  readonly fact: string;
  readonly expected: number | null;
  readonly actual: number | null;
}

/** Every count under a name of its own: `files`, `tables public.users`, `documents vault`, `keys hash`. */
function flat({
  tables = {},
  documents = {},
  keyTypes = {},
  uncounted: _,
  extensions: __,
  ...counts
}: Facts): Map<string, number> {
  const named = (kind: string, rows: Readonly<Record<string, number>>): [string, number][] =>
    Object.entries(rows).map(([name, count]) => [`${kind} ${name}`, count]);
  const records = [...named('tables', tables), ...named('documents', documents), ...named('keys', keyTypes)];
  return new Map([...Object.entries(counts), ...records]);
}

/** Compares two sets of facts exactly. Tables that either side did not count are left out. */
export function compareFacts(expected: Facts, actual: Facts): readonly Difference[] {
  const skipped = new Set([...(expected.uncounted ?? []), ...(actual.uncounted ?? [])].map((name) => `tables ${name}`));
  const [left, right] = [flat(expected), flat(actual)];
  const differences: Difference[] = [];
  for (const fact of new Set([...left.keys(), ...right.keys()])) {
    const [before, after] = [left.get(fact) ?? null, right.get(fact) ?? null];
    if (!skipped.has(fact) && before !== after) differences.push({ fact, expected: before, actual: after });
  }
  return differences;
}
