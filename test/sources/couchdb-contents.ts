import type { CouchdbServer, Json } from '../services/couchdb.ts';

const leaf = (id: string, start: number, name: string, ids: readonly string[], content: object): object => ({
  ...{ _id: id, _rev: `${start}-${name}`, _revisions: { start, ids: [name, ...ids] } },
  ...content,
});
const attached = (text: string | Buffer, content_type: string): object => ({
  content_type,
  data: Buffer.from(text).toString('base64'),
});

/** What is easily lost: documents in conflict, deleted ones, odd names, attachments of all sizes, the server's own words. */
const HOSTILE: readonly object[] = [
  leaf('plain', 1, 'aa', [], { text: 'soup', list: [1, 2.5, null, true], nested: { deep: { er: 'x' } } }),
  leaf('in conflict', 2, 'bb', ['b0'], { which: 'loses' }),
  leaf('in conflict', 2, 'cc', ['b0'], { which: 'wins' }),
  leaf('in conflict', 2, 'a9', ['b0'], { _deleted: true }),
  leaf('gone', 2, 'dd', ['d0'], { _deleted: true, why: 'a note on its grave' }),
  leaf('ünï/cödé +?&#% "quoted" \n', 1, 'ee', [], { 'öd"d\\': '\u0000\u2028\ud83e\udd63' }),
  leaf('like ours', 1, 'ff', [], { attachment: 'a', data: 'AAAA', end: { documents: 0 }, holdfast: 'couchdb' }),
  leaf('with files', 1, '99', [], {
    text: 'before',
    _attachments: {
      'empty.txt': attached('', 'text/plain'),
      'a b/ü".bin': attached(
        Buffer.from(Array.from({ length: 70_000 }, (_, at) => at % 251)),
        'application/octet-stream',
      ),
      'one line.txt': attached('soup\r\n--boundary\r\n', 'text/plain; charset="utf-8"'),
    },
  }),
  leaf('_design/check', 1, '77', [], {
    validate_doc_update: 'function (doc) { if (!doc.allowed) throw { forbidden: "only allowed ones" }; }',
    views: { all: { map: 'function (doc) { emit(doc._id); }' } },
    _attachments: { 'index.html': attached('<h1>soup</h1>', 'text/html') },
  }),
];

export const HOSTILE_FACTS = { deleted: 1, designDocuments: 1, revisions: 9, attachments: 4 } as const;
export const HOSTILE_DOCUMENTS = 6;

const path = (name: string): string => `/${encodeURIComponent(name)}`;

/** Makes a database of hostile contents. */
export async function fillHostile(server: CouchdbServer, name: string): Promise<void> {
  await server.ask('PUT', path(name));
  await server.ask('PUT', `${path(name)}/_security`, { members: { names: ['cook'], roles: [] } });
  await server.ask('PUT', `${path(name)}/_local/salt`, { salt: 'cGVwcGVy' });
  const checkpoint = { session_id: 's', history: [{ session_id: 's', last_seq: 7 }], last_seq: 7 };
  await server.ask('PUT', `${path(name)}/_local/checkpoint`, checkpoint);
  await server.ask('POST', `${path(name)}/_bulk_docs`, { new_edits: false, docs: HOSTILE });
}

/** All leaf revisions with their attachments, in an order of their own, as the server itself gives them. */
export async function contentsOf(server: CouchdbServer, name: string): Promise<readonly Json[]> {
  const { results } = await server.ask('GET', `${path(name)}/_changes?style=all_docs`);
  const docs = results.flatMap(({ id, changes }: Json) => changes.map(({ rev }: Json) => ({ id, rev })));
  const all = await server.ask('POST', `${path(name)}/_bulk_get?revs=true&attachments=true`, { docs });
  const leaves = all.results.flatMap((row: Json) => row.docs.map(({ ok }: Json) => ok));
  const keyOf = (document: Json): string => `${document._id} ${document._rev}`;
  return leaves.toSorted((one: Json, other: Json) => (keyOf(one) < keyOf(other) ? -1 : 1));
}
