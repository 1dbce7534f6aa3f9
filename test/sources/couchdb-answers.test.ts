import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type IncomingMessage } from 'node:http';
import { gzipSync } from 'node:zlib';
import { expect, test } from 'vitest';
import { localHost } from '../../src/adapters/hosts/local/index.ts';
import { format, source as openSource } from '../../src/adapters/sources/couchdb/index.ts';
import { contentOf } from '../../src/adapters/sources/couchdb/verbatim.ts';
import type { Captured, SourceTools } from '../../src/ports/source.ts';
import { contextIn, temporaryFolder } from './support.ts';

const never = (): AbortSignal => new AbortController().signal;
const tools: SourceTools = {
  secret: () => Promise.reject(new Error('no secret is configured')),
  container: () => Promise.reject(new Error('no container is configured')),
  engineEnvironment: {},
};

type Answer = string | Buffer | { readonly status: number; readonly body: string };

/** A server that gives these answers, by method and path, and keeps what it was sent. */
async function answering(answers: Readonly<Record<string, Answer | ((body: string) => Answer)>>) {
  const sent: { readonly asked: string; readonly type: string; readonly body: Buffer }[] = [];
  const read = async (request: IncomingMessage): Promise<Buffer> => Buffer.concat(await request.toArray());
  const server = createServer(async (request, response) => {
    const asked = `${request.method} ${request.url?.split('?')[0]}`;
    const body = await read(request);
    sent.push({ asked, type: request.headers['content-type'] ?? '', body });
    const found = answers[asked] ?? { status: 404, body: '{"error":"not_found","reason":"missing"}' };
    const answer = typeof found === 'function' ? found(body.toString()) : found;
    if (typeof answer === 'string') return response.end(answer);
    if (Buffer.isBuffer(answer)) return response.writeHead(200, { 'Content-Encoding': 'gzip' }).end(answer);
    return response.writeHead(answer.status).end(answer.body);
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  const url = `http://127.0.0.1:${typeof address === 'object' ? address?.port : ''}`;
  return {
    sent,
    source: openSource('vault', { couchdb: { url, database: 'v' } }, localHost(), tools),
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      server.close();
    },
  };
}

async function dumped(source: ReturnType<typeof openSource>): Promise<Captured & { readonly text: string }> {
  await using folder = await temporaryFolder();
  await using capture = await source.capture(contextIn(folder.path), never());
  const [item] = capture.items;
  if (item?.type !== 'stream') throw new Error('no item');
  const chunks: Uint8Array[] = [];
  for await (const chunk of item.bytes(never())) chunks.push(chunk);
  return { ...item.completed(), text: Buffer.concat(chunks).toString('utf8') };
}

const TEXT = 'soup '.repeat(1000);
const PACKED = gzipSync(TEXT);
const revision = (name: string): string => `"_rev":"1-${name}","_revisions":{"start":1,"ids":["${name}"]}`;
const stub = {
  ...{ content_type: 'text/plain', revpos: 1, length: TEXT.length, stub: true },
  ...{
    digest: `md5-${createHash('md5').update(PACKED).digest('base64')}`,
    encoding: 'gzip',
    encoded_length: PACKED.length,
  },
};
/** As CouchDB 3.3 writes them: numbers that JavaScript has not, an attachment that is kept packed, line breaks. */
const NUMBERS = `{"_id":"numbers",${revision('aa')},"large":12345678901234567890123,"fine":1.0,"far":1e400}`;
const WITH_TEXT = `{"_id":"text",${revision('bb')},"exact":1.10,"_attachments":${JSON.stringify({ 'a.txt': stub })}}`;

const couch = (more: Parameters<typeof answering>[0] = {}) =>
  answering({
    'GET /': '{"couchdb":"Welcome","version":"3.3.3","vendor":{"name":"The Apache Software Foundation"}}\n',
    'GET /v':
      '{"db_name":"v","update_seq":"3-g1AAAA","sizes":{"external":900},"props":{"partitioned":true},"doc_count":2}\n',
    'GET /v/_security': '{"members":{"roles":["_admin"]},"admins":{"roles":["_admin"]}}\n',
    'GET /v/_local_docs': '{"total_rows":null,"offset":null,"rows":[\n\n]}\n',
    'GET /v/_changes':
      '{"results":[\n{"seq":"1-g","id":"numbers","changes":[{"rev":"1-aa"}]},\n{"seq":"2-g","id":"text","changes":[{"rev":"1-bb"}]}\n],\n"last_seq":"2-g","pending":0}\n',
    // Nobody promises the order of the answers.
    'POST /v/_bulk_get': `{"results": [{"id":"text","docs":[{"ok":${WITH_TEXT}}]},\n{"id":"numbers","docs":[{"ok":${NUMBERS.replace(',"large"', ',\n"large"')}}]}]}`,
    'GET /v/text/a.txt': PACKED,
    ...more,
  });

async function* given(text: string) {
  yield Buffer.from(text);
}
const problems = async ({ text, facts }: Captured & { readonly text: string }): Promise<readonly string[]> =>
  (await format.inspect(given(text), facts, '/nowhere', never())).flatMap(({ outcome, detail }) =>
    outcome === 'passed' ? [] : [detail],
  );

test('numbers are stored and restored as the server wrote them, packed attachments as what they are', async () => {
  await using server = await couch();
  const made = await dumped(server.source);
  expect(made.facts).toEqual({ documents: { v: 2 }, deleted: 0, designDocuments: 0, revisions: 2, attachments: 1 });
  expect(made.warnings).toEqual([]);
  const lines = made.text.split('\n');
  expect(lines[1]).toBe(NUMBERS.replace(',"large"', ', "large"'));
  expect(lines[2]).toBe(WITH_TEXT);
  expect(Buffer.from(JSON.parse(lines[3] ?? '').data, 'base64').toString()).toBe(TEXT);
  expect(await problems(made)).toEqual([]);

  const names = { 'PUT /new': '{"ok":true}', 'PUT /new/_security': '{"ok":true}', 'POST /new/_bulk_docs': '[]' };
  await using target = await couch({ ...names, 'PUT /new/text': '{"ok":true}' });
  await target.source.databases?.fill('new', () => given(made.text), never());
  const sentTo = (asked: string) => target.sent.find((request) => request.asked === asked);
  expect(`${sentTo('POST /new/_bulk_docs')?.body}`).toContain('"large":12345678901234567890123,"fine":1.0,"far":1e400');
  const { type = '', body = Buffer.alloc(0) } = sentTo('PUT /new/text') ?? {};
  expect(type).toMatch(/^multipart\/related; boundary="/);
  expect(`${body}`).toContain('"exact":1.10');
  expect(`${body}`).toContain('"follows":true');
  expect(`${body}`).not.toContain('encod');
  expect(`${body}`).toContain(
    `filename="a.txt"\r\nContent-Type: text/plain\r\nContent-Length: 5000\r\n\r\n${TEXT}\r\n--`,
  );
});

test('a document that changed while it was read is in the dump as it is now, and a warning says so', async () => {
  const present = NUMBERS.replaceAll('aa', 'ac')
    .replace('1-ac', '2-ac')
    .replace('"start":1,"ids":["ac"', '"start":2,"ids":["ac","aa"');
  await using server = await couch({
    'POST /v/_bulk_get': `{"results":[{"id":"numbers","docs":[{"error":{"id":"numbers","rev":"1-aa","error":"not_found","reason":"missing"}}]},{"id":"text","docs":[{"ok":${WITH_TEXT}}]}]}`,
    'GET /v/numbers': `[{"ok":${present}}]`,
  });
  const made = await dumped(server.source);
  expect(made.warnings).toEqual([expect.stringContaining('1 document changed while it was read')]);
  expect(made.facts).toMatchObject({ documents: { v: 2 }, revisions: 2 });
  expect(made.text).toContain(present);
  expect(await problems(made)).toEqual([]);
});

test.each<[string, Record<string, Answer>, string]>([
  ['that has more documents than it gives', { 'GET /v/_changes': '{"results":[]}' }, 'has 2 documents, and gave 0'],
  ['whose list ends half-way', { 'GET /v/_changes': '{"results":[\n{"seq":"1-g","id":"numbers"' }, 'ends half-way'],
  [
    'whose list ends with an error',
    { 'GET /v/_changes': '{"results":[{"error":"timeout","reason":"no worker"}]}' },
    'no worker',
  ],
  [
    'whose attachment is another one',
    { 'GET /v/text/a.txt': gzipSync('soap '.repeat(1000)) },
    'is not what the server says',
  ],
  ['whose attachment does not unpack', { 'GET /v/text/a.txt': Buffer.from(TEXT) }, 'incorrect header'],
  ['that is no CouchDB', { 'GET /': '<html>' }, 'no CouchDB'],
  ['that is too old', { 'GET /': '{"couchdb":"Welcome","version":"1.7.2"}' }, 'older than 2.0'],
  [
    'that keeps a document back',
    { 'GET /v/_security': { status: 403, body: '{"error":"forbidden","reason":"not you"}' } },
    'forbidden, not you',
  ],
])('a server %s gives no dump', async (_, answers, words) => {
  await using server = await couch(answers);
  await expect(dumped(server.source)).rejects.toMatchObject({
    code: 'SourceFailed',
    message: expect.stringContaining(words),
  });
});

test('a server that does not list its local documents is dumped without them, which is a warning', async () => {
  await using server = await couch({ 'GET /v/_local_docs': { status: 404, body: '{"error":"not_found"}' } });
  expect((await dumped(server.source)).warnings).toEqual([expect.stringContaining('local documents')]);
});

test('a document that the restoring server refuses is a failure, with its reason', async () => {
  await using server = await couch({
    ...{ 'PUT /new': '{"ok":true}', 'PUT /new/_security': '{"ok":true}', 'PUT /new/text': '{"ok":true}' },
    'POST /new/_bulk_docs': '[{"id":"numbers","error":"forbidden","reason":"only the cook"}]',
  });
  const { text } = await dumped(server.source);
  const filled = server.source.databases?.fill('new', () => given(text), never());
  await expect(filled).rejects.toMatchObject({
    code: 'SourceFailed',
    message: expect.stringContaining('only the cook'),
  });
  expect(server.sent.some(({ asked }) => asked === 'PUT /new/_security')).toBe(true);
});

test('a document is the same wherever it is kept: packed or not, however much of its history is remembered', () => {
  const of = (numbers: string, attachment: object, ids: readonly string[]): string =>
    contentOf(
      Buffer.from(
        `{"_id":"a","_rev":"2-bb","n":${numbers},"_revisions":${JSON.stringify({ start: 2, ids })},"_attachments":${JSON.stringify({ 'a.txt': attachment })}}`,
      ),
    );
  const packed = { ...stub, revpos: 2 };
  const plain = { content_type: 'text/plain', revpos: 1, length: TEXT.length, digest: 'md5-other', stub: true };
  const one = of('[1.0,{"b":1,"a":2}]', packed, ['bb', 'aa']);
  expect(of('[1.0,{"a":2,"b":1}]', plain, ['bb'])).toBe(one);
  expect(of('[1,{"a":2,"b":1}]', plain, ['bb'])).not.toBe(one);
  expect(of('[1.0,{"a":2,"b":12345678901234567890123}]', plain, ['bb'])).not.toBe(one);
  expect(of('[1.0,{"a":2,"b":1}]', { ...plain, length: 1 }, ['bb'])).not.toBe(one);
  expect(of('[1.0,{"a":2,"b":1}]', { ...plain, content_type: 'text/html' }, ['bb'])).not.toBe(one);
});
