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
import { freePort } from './services/redis.ts';
import { contentsOf, fillHostile, HOSTILE_DOCUMENTS, HOSTILE_FACTS } from './sources/couchdb-contents.ts';
import { bytesOf, changing, contextIn, cutShort, temporaryFolder, told, writeBytes } from './sources/support.ts';

const never = (): AbortSignal => new AbortController().signal;
const PASSWORD = 'pa"ss w\'örd\\ 4711-secret';
const toolsWith = (password: string): SourceTools => ({
  secret: async () => new Secret(password),
  container: () => Promise.reject(new Error('no container is configured')),
  engineEnvironment: {},
});
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
      failing: open({ database: name }, through('{ dd bs=64k count=6 status=none; kill 0; }')),
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

  test('where only a host reaches the server, its programs are the connection, and no argument has the password', async () => {
    await using folder = await temporaryFolder();
    const name = await database(40);
    const seen: Command[] = [];
    const host = beyond((command) => {
      seen.push(command);
      return command;
    });
    const { path, facts } = await stored(open({ database: name }, host), folder.path);
    expect(facts.documents).toEqual({ [name]: 40 });
    expect(await problems(await readFile(path), facts)).toEqual([]);
    expect(seen.length).toBeGreaterThan(0);
    expect(JSON.stringify(seen)).not.toContain('4711');
    const nowhere = open({ url: `http://127.0.0.1:${await freePort()}` }, beyond());
    await expect(stored(nowhere, folder.path)).rejects.toMatchObject({
      code: 'SourceMissing',
      message: expect.stringContaining('Connection refused'),
    });
  });

  test('whoever is not let in is told which setting to look at, and nobody is told the password', async () => {
    await using folder = await temporaryFolder();
    const refused = async (source: Source): Promise<unknown> => {
      const error = await stored(source, folder.path).catch((reason: unknown) => reason);
      expect(JSON.stringify(error) + String(error)).not.toContain('4711');
      return error;
    };
    const wrong = { code: 'SourceFailed', hint: 'Look at `user` and `password` of the source' };
    expect(await refused(open({}, localHost(), '4711-other'))).toMatchObject(wrong);
    expect(await refused(open({ user: 'nobody' }))).toMatchObject(wrong);
    const away = open({ url: `http://127.0.0.1:${await freePort()}` });
    expect(await refused(away)).toMatchObject({ code: 'SourceMissing', hint: expect.stringContaining('`url`') });
    expect(await refused(open({ database: 'not_there' }))).toMatchObject({ code: 'SourceMissing' });
  });

  test('all databases are those that are no system ones, and one that is gone fails alone', async () => {
    await using folder = await temporaryFolder();
    const [one, other] = [await database(1), await database(2)];
    await using capture = await open({}).capture(contextIn(folder.path), never());
    const names = capture.items.map(({ name }) => name);
    expect(names).toEqual(expect.arrayContaining([one, other].map((name) => `couchdb_${encodeURIComponent(name)}`)));
    await using partly = await open({ databases: [one, 'gone'] }).capture(contextIn(folder.path), never());
    const [there, gone] = partly.items;
    if (there === undefined || gone === undefined) throw new Error('two items');
    await writeBytes(bytesOf(there, never()), join(folder.path, 'there'));
    expect(there.completed().facts.documents).toEqual({ [one]: 1 });
    await expect(writeBytes(bytesOf(gone, never()), join(folder.path, 'gone'))).rejects.toMatchObject({
      code: 'SourceMissing',
    });
  });

  test('a dump that was cut, flipped, emptied or lengthened is found out, wherever it is', async () => {
    await using folder = await temporaryFolder();
    await fillHostile(server, 'damaged');
    const { path, facts } = await stored(open({ database: 'damaged' }), folder.path);
    const whole = await readFile(path);
    const places = Array.from({ length: 150 }, (_, place) => Math.floor((whole.length * place) / 150));
    for (const place of [...places, whole.length - 1, whole.length - 2]) {
      const flipped = Buffer.from(whole);
      flipped[place] = (flipped[place] ?? 0) ^ 0x01;
      expect(await problems(flipped, facts), `flipped at ${place}`).not.toEqual([]);
      expect(await problems(whole.subarray(0, place), facts), `cut at ${place}`).not.toEqual([]);
    }
    const lines = whole.toString('utf8').split('\n');
    for (const place of lines.slice(0, -1).keys()) {
      const without = lines.toSpliced(place, 1).join('\n');
      expect(await problems(Buffer.from(without), facts), `without line ${place}`).not.toEqual([]);
    }
    expect(await problems(Buffer.concat([whole, whole]), facts)).not.toEqual([]);
    expect(await problems(whole, { ...facts, documents: { damaged: 7 } })).toEqual([
      `facts failed: documents damaged: 7 expected, ${HOSTILE_DOCUMENTS} found`,
    ]);
    // What stands in a document may be anything; the database that came of it must not stay.
    const half = open({}).databases?.fill('half', () => once(whole.subarray(0, whole.length / 2)), never());
    await expect(half).rejects.toMatchObject({ code: 'Damaged' });
  });

  test('a server that is killed while it answers is a failure, however much came', async () => {
    await using folder = await temporaryFolder();
    await using dying = await couchdbServer();
    await dying.ask('PUT', '/big');
    const docs = Array.from({ length: 3000 }, (_, at) => ({ _id: `n${at}`, text: 'x'.repeat(4000) }));
    await dying.ask('POST', '/big/_bulk_docs', { docs });
    const source = openSource('vault', { couchdb: { url: dying.url, database: 'big' } }, localHost(), toolsWith(''));
    await using capture = await source.capture(contextIn(folder.path), never());
    const [item] = capture.items;
    if (item === undefined) throw new Error('no item');
    expect(await cutShort(item, never(), () => dying.kill())).toBeLessThan(12_000_000);
  });
});
