import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { localHost } from '../src/adapters/hosts/local/index.ts';
import type { CouchdbSettings } from '../src/adapters/sources/couchdb/config.ts';
import { format, source as openSource } from '../src/adapters/sources/couchdb/index.ts';
import type { Facts } from '../src/domain/facts.ts';
import { Secret } from '../src/domain/secret.ts';
import type { Command, Host } from '../src/ports/host.ts';
import type { Source, SourceTools } from '../src/ports/source.ts';
import { type SourceFixture, sourceContract } from './contracts/source.ts';
import { type CouchdbServer, couchdbAvailable, couchdbServer } from './services/couchdb.ts';
import { contentsOf, fillHostile, HOSTILE_DOCUMENTS, HOSTILE_FACTS } from './sources/couchdb-contents.ts';
import { bytesOf, changing, contextIn, temporaryFolder, told, writeBytes } from './sources/support.ts';

const never = (): AbortSignal => new AbortController().signal;
const PASSWORD = 'pa"ss w\'örd\\ 4711-secret';
const toolsWith = (password: string): SourceTools =>
  ({
    secret: async () => new Secret(password),
    container: () => Promise.reject(new Error('no container is configured')),
  }) as Pick<SourceTools, 'secret' | 'container'> as SourceTools;
const withPassword = { env: 'COUCH' } as const;

describe.runIf(couchdbAvailable())('needs CouchDB', () => {
  let server: CouchdbServer;
  let made = 0;
  beforeAll(async () => {
    server = await couchdbServer(`admin:${PASSWORD}`);
  });
  afterAll(async () => {
    await server?.[Symbol.asyncDispose]();
  });

  const open = (settings: CouchdbSettings['couchdb'], host: Host = localHost(), password = PASSWORD): Source =>
    openSource(
      'vault',
      { couchdb: { url: server.url, user: 'admin', password: withPassword, ...settings } },
      host,
      toolsWith(password),
    );
  /** A host whose programs alone can reach the server. */
  const beyond = (change: (command: Command) => Command = (command) => command): Host => ({
    ...changing(localHost(), change),
    capabilities: { localPaths: false },
  });
  /** The connection gives its bytes to a script, which does something else with them. */
  const through = (script: string): Host =>
    beyond((command) => ({ ...command, args: ['-c', `bash "$@" | ${script}`, 'bash', ...command.args] }));

  async function database(count: number): Promise<string> {
    const name = `db${++made}/a+b`;
    await server.ask('PUT', `/${encodeURIComponent(name)}`);
    const docs = Array.from({ length: count }, (_, at) => ({ _id: `n${at}`, text: 'x'.repeat(50) }));
    await server.ask('POST', `/${encodeURIComponent(name)}/_bulk_docs`, { docs });
    return name;
  }

  async function stored(
    source: Source,
    folder: string,
  ): Promise<{ path: string; facts: Facts; warnings: readonly string[] }> {
    await using capture = await source.capture(contextIn(folder), never());
    const [item] = capture.items;
    if (item === undefined) throw new Error('no item');
    const path = join(folder, 'stored.jsonl');
    await writeBytes(bytesOf(item, never()), path);
    return { path, ...item.completed() };
  }

  async function* once(bytes: Uint8Array) {
    yield bytes;
  }
  const problems = async (bytes: Uint8Array, facts: Facts): Promise<readonly string[]> =>
    (await format.inspect(once(bytes), facts, '/nowhere', never()))
      .filter(({ outcome }) => outcome !== 'passed')
      .map(({ name, outcome, detail }) => `${name} ${outcome}: ${detail}`);

  async function fixture(): Promise<SourceFixture> {
    const name = await database(300);
    const path = `/${encodeURIComponent(name)}`;
    return {
      source: open({ database: name }),
      failing: open({ database: name }, through('{ head -c 30000; kill $$; }')),
      format,
      look: () => server.ask('GET', `${path}/_changes`),
      counted: async () => ({
        documents: { [name]: (await server.ask('GET', `${path}/_all_docs`)).rows.length },
        ...{ deleted: 0, designDocuments: 0, revisions: 300, attachments: 0 },
      }),
      destroy: async () => void (await server.ask('DELETE', path)),
      unpack: async (stored) => stored,
      [Symbol.asyncDispose]: async () => undefined,
    };
  }
  sourceContract('couchdb', fixture);

  test('hostile contents come back under another name, revision by revision, and every one is counted', async () => {
    await using folder = await temporaryFolder();
    const name = 'hostile_$()/+-1';
    await fillHostile(server, name);
    const source = open({ database: name });
    const { path, facts, warnings } = await stored(source, folder.path);
    expect(facts).toEqual({ documents: { [name]: HOSTILE_DOCUMENTS }, ...HOSTILE_FACTS });
    expect(warnings).toEqual([]);
    expect(await problems(await readFile(path), facts)).toEqual([]);
    expect(await told('jq', '-r', 'select(has("_id")) | ._id | @json', path)).toContain('quoted');
    const read = (): AsyncIterable<Uint8Array> =>
      (async function* () {
        yield* once(await readFile(path));
      })();
    const said = await source.databases?.fill('copy', read, never());
    expect(said).toEqual([expect.stringContaining('1 note of replications')]);
    expect(await source.databases?.facts('copy', never())).toEqual(facts);
    const before = await contentsOf(server, name);
    expect(before).toHaveLength(HOSTILE_FACTS.revisions);
    expect(await contentsOf(server, 'copy')).toEqual(before);
    expect(await server.ask('GET', '/copy/_security')).toEqual({ members: { names: ['cook'], roles: [] } });
    expect((await server.ask('GET', '/copy/_local_docs')).rows).toMatchObject([{ doc: { salt: 'cGVwcGVy' } }]);
    await expect(source.databases?.fill('copy', read, never())).rejects.toMatchObject({ code: 'TargetExists' });
    await source.databases?.drop('copy', never());
    await source.databases?.drop('copy', never());
    expect(await source.databases?.exists('copy', never())).toBe(false);
  });
});
