import type { Client } from './client.ts';
import { elements } from './elements.ts';
import { documentPath, pathOf } from './server.ts';

/** A document's leaf revisions: the one that wins, those in conflict with it, and the ends of deleted branches. */
export interface Change {
  readonly id: string;
  readonly revisions: readonly string[];
}

/** An attachment as a document names it, without its data (CouchDB 3, `att_encoding_info`). */
export interface Stub {
  readonly length: number;
  /** `md5-` and base64, of the bytes as the server keeps them: packed where `encoding` says so. */
  readonly digest: string;
  readonly encoding?: string;
}

export interface Document {
  readonly _id: string;
  readonly _rev: string;
  readonly _deleted?: boolean;
  readonly _revisions?: { readonly start: number; readonly ids: readonly string[] };
  readonly _attachments?: Readonly<Record<string, Stub>>;
}

/** One leaf revision, and its text on one line as the server wrote it. */
export interface Leaf {
  readonly document: Document;
  readonly text: Buffer;
}

/** All documents, deleted ones too, as they are when it is asked: CouchDB answers from one state of each shard. */
export async function* changesOf(database: string, client: Client): AsyncGenerator<Change, void> {
  const path = `${pathOf(database)}/_changes?style=all_docs&since=0`;
  for await (const row of elements((await client.open({ method: 'GET', path })).bytes, 3)) {
    yield changeOf(JSON.parse(row.toString('utf8')));
  }
}

/** How many documents are listed in one answer. */
const PAGE = 1000;

/** The same of a database that nobody writes to, page by page: no answer waits while what it lists is read. */
export async function* pagesOfChanges(database: string, client: Client): AsyncGenerator<Change, void> {
  for (let since = '0'; ; ) {
    const path = `${pathOf(database)}/_changes?style=all_docs&limit=${PAGE}&since=${encodeURIComponent(since)}`;
    const page = (await client.ask({ method: 'GET', path })) as {
      readonly results: readonly unknown[];
      readonly last_seq: string | number;
    };
    if (page.results.length === 0) return;
    for (const row of page.results) yield changeOf(row);
    since = `${page.last_seq}`;
  }
}

function changeOf(row: unknown): Change {
  const { id, changes, reason } = row as {
    readonly id?: string;
    readonly changes?: readonly { readonly rev: string }[];
    readonly reason?: string;
  };
  if (id === undefined || changes === undefined)
    throw new Error(`It lists no document: ${reason ?? 'no reason given'}.`);
  return { id, revisions: changes.map(({ rev }) => rev) };
}

/** How many revisions are asked for at once. */
const AT_ONCE = 200;

/** The documents of these revisions, in their order; those of one document follow one another. A revision that the server
 *  has no more, since its document was changed and the database compacted, is told to `onGone`, and what the document is
 *  now comes in its place. */
export async function* leavesOf(
  database: string,
  changes: AsyncIterable<Change>,
  client: Client,
  onGone: (id: string) => void,
): AsyncGenerator<Leaf, void> {
  let [batch, count]: [Change[], number] = [[], 0];
  for await (const change of changes) {
    batch.push(change);
    count += change.revisions.length;
    if (count < AT_ONCE) continue;
    yield* leavesOfBatch(database, batch, client, onGone);
    [batch, count] = [[], 0];
  }
  if (count > 0) yield* leavesOfBatch(database, batch, client, onGone);
}

const keyOf = (id: string, rev: string): string => `${rev} ${id}`;

async function* leavesOfBatch(
  database: string,
  batch: readonly Change[],
  client: Client,
  onGone: (id: string) => void,
): AsyncGenerator<Leaf, void> {
  const wanted = batch.flatMap(({ id, revisions }) => revisions.map((rev) => ({ id, rev })));
  const came = new Map<string, Leaf>();
  let next = 0;
  const answer = await client.open({
    method: 'POST',
    path: `${pathOf(database)}/_bulk_get?revs=true&att_encoding_info=true`,
    headers: { 'Content-Type': 'application/json' },
    body: Buffer.from(JSON.stringify({ docs: wanted })),
  });
  // {"results":[{"id":…,"docs":[{"ok":{…}}]}]}
  for await (const text of elements(answer.bytes, 6)) {
    const leaf = leafOf(text);
    if (leaf === null) continue;
    came.set(keyOf(leaf.document._id, leaf.document._rev), leaf);
    for (; next < wanted.length; next += 1) {
      const { id, rev } = wanted[next] ?? { id: '', rev: '' };
      const ready = came.get(keyOf(id, rev));
      if (ready === undefined) break; // it comes later, or never
      came.delete(keyOf(id, rev));
      yield ready;
    }
  }
  const replaced = new Set<string>();
  for (const { id, rev } of wanted.slice(next)) {
    const ready = came.get(keyOf(id, rev));
    if (ready !== undefined) yield ready;
    else if (!replaced.has(id)) {
      replaced.add(id);
      onGone(id);
      const taken = new Set(wanted.flatMap((one) => (one.id === id ? [one.rev] : [])));
      for await (const leaf of presentLeaves(database, id, client)) if (!taken.has(leaf.document._rev)) yield leaf;
    }
  }
}

/** The leaf revisions that a document has now; none for one that was purged. */
async function* presentLeaves(database: string, id: string, client: Client): AsyncGenerator<Leaf, void> {
  const path = `${documentPath(database, id)}?open_revs=all&revs=true&att_encoding_info=true`;
  const answer = await client.open({ method: 'GET', path }, [404]);
  // [{"ok":{…}},{"missing":"…"}]
  for await (const text of elements(answer.bytes, 3)) {
    const leaf = leafOf(text);
    if (leaf !== null) yield leaf;
  }
}

/** Null for what is no document: the reason why there is none. */
export function leafOf(text: Buffer): Leaf | null {
  const document = JSON.parse(text.toString('utf8')) as Partial<Document>;
  if (typeof document._id !== 'string' || typeof document._rev !== 'string') return null;
  // Between its parts a server may break lines; within them a newline is written as two characters.
  for (let at = text.indexOf(0x0a); at >= 0; at = text.indexOf(0x0a, at)) text[at] = 0x20;
  return { document: document as Document, text };
}
