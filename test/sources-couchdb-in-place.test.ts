import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { localHost } from '../src/adapters/hosts/local/index.ts';
import type { CouchdbSettings } from '../src/adapters/sources/couchdb/config.ts';
import { source as openSource } from '../src/adapters/sources/couchdb/index.ts';
import { Secret } from '../src/domain/secret.ts';
import type { Host } from '../src/ports/host.ts';
import type { Databases, SourceTools } from '../src/ports/source.ts';
import { type CouchdbServer, couchdbAvailable, couchdbServer, type Json, MEMBER } from './services/couchdb.ts';
import { between } from './services/couchdb-between.ts';
import { contentsOf, fillHostile, HOSTILE_FACTS } from './sources/couchdb-contents.ts';

const never = (): AbortSignal => new AbortController().signal;
const PASSWORD = 'pot';
const path = (database: string): string => `/${encodeURIComponent(database)}`;

describe.runIf(couchdbAvailable())('databases of CouchDB that are exchanged', () => {
  let server: CouchdbServer;
  let made = 0;
  beforeAll(async () => {
    server = await couchdbServer(`admin:${PASSWORD}`);
  });
  afterAll(async () => {
    await server?.[Symbol.asyncDispose]();
  });

  function databasesAt(
    url: string,
    settings: Partial<CouchdbSettings['couchdb']> = {},
    password = PASSWORD,
    host: Host = localHost(),
  ): Databases {
    const tools: SourceTools = {
      secret: async () => new Secret(password),
      container: () => Promise.reject(new Error('no container is configured')),
      engineEnvironment: {},
    };
    const couchdb = { url, user: 'admin', password: { env: 'COUCH' } as const, ...settings };
    const { databases } = openSource('vault', { couchdb }, host, tools);
    if (databases === null) throw new Error('it has no databases');
    return databases;
  }

  /** A conflict, a deletion, an attachment, what programs keep for themselves, and a document that lets no other in. */
  async function small(word: string, name = `db${++made}/a+b$`): Promise<string> {
    await server.ask('PUT', `${path(name)}?q=4&n=1`);
    await server.ask('PUT', `${path(name)}/_security`, { members: { names: ['cook'], roles: [word] } });
    await server.ask('PUT', `${path(name)}/_local/salt`, { word });
    await server.ask('PUT', `${path(name)}/_local/come-so-far`, { session_id: 's', history: [{ last_seq: 7 }] });
    const docs = [
      { _id: 'plain', _rev: '1-aa', word },
      { _id: 'twice', _rev: '2-bb', _revisions: { start: 2, ids: ['bb', 'b0'] }, word },
      { _id: 'twice', _rev: '2-cc', _revisions: { start: 2, ids: ['cc', 'b0'] }, word },
      { _id: 'gone', _rev: '2-dd', _revisions: { start: 2, ids: ['dd', 'd0'] }, _deleted: true },
      { _id: 'file', _rev: '1-ee', _attachments: { a: { content_type: 'text/plain', data: btoa(word.repeat(999)) } } },
      { _id: '_design/only', _rev: '1-ff', validate_doc_update: 'function () { throw { forbidden: "none" }; }' },
    ];
    await server.ask('POST', `${path(name)}/_bulk_docs`, { new_edits: false, docs });
    return name;
  }
  /** All of a database but notes of how far replications came, which a copy does not take over, and notes of ours. */
  async function whole(name: string): Promise<Json> {
    const rows: readonly Json[] = (await server.ask('GET', `${path(name)}/_local_docs`)).rows;
    const locals = rows.flatMap(({ doc: { _rev, ...doc } }) => (doc.history || doc.mark ? [] : [doc]));
    const security = await server.ask('GET', `${path(name)}/_security`);
    const { cluster } = await server.ask('GET', path(name));
    return { documents: await contentsOf(server, name), locals, security, cluster };
  }
  const names = async (): Promise<readonly string[]> => (await server.ask('GET', '/_all_dbs')).toSorted();
  const contents = ({ documents, locals }: Json): Json => ({ documents, locals });

  test('all of a database takes the place of another, which is kept; and no member ever sees a part of either', async () => {
    const [present, staged] = [await small('now'), 'staged'];
    await server.ask('PUT', `${path(present)}/_revs_limit`, new Uint8Array(Buffer.from('50')));
    await fillHostile(server, staged);
    const kept = `${present}_kept`;
    const [before, coming] = [await whole(present), await whole(staged)];
    expect(coming.documents).toHaveLength(HOSTILE_FACTS.revisions);
    const seen = new Set<string>();
    let ended = false;
    const reader = async (): Promise<void> => {
      while (!ended) {
        const answer = await server.askAsMember(`${path(present)}/_changes`);
        const text = await answer.text();
        seen.add(answer.ok ? `${JSON.parse(text).results.length} documents` : `${answer.status}`);
      }
    };
    const reading = reader();
    const databases = databasesAt(server.url);
    await databases.confirmExchange([present], never());
    for (let round = 0; round < 2; round++) {
      for (let again = 0; again < 2; again++) await databases.swapIn(present, staged, kept, never());
      const now = await whole(present);
      expect(contents(now)).toEqual(contents(coming));
      expect(now.security).toEqual(coming.security);
      expect(now.cluster).toEqual(before.cluster);
      expect(await server.ask('GET', `${path(present)}/_revs_limit`)).toBe('50');
      expect(contents(await whole(kept))).toEqual(contents(before));
      expect((await server.askAsMember(`${path(kept)}/_changes`)).status).toBe(403);
      expect(await names()).not.toContain(staged);
      for (let again = 0; again < 2; again++) await databases.swapBack(present, staged, kept, never());
      expect(await whole(present)).toEqual(before);
      expect({ ...(await whole(staged)), cluster: null }).toEqual({ ...coming, cluster: null });
      expect(await names()).not.toContain(kept);
    }
    ended = true;
    await reading;
    const documents = (all: Json): string => `${new Set(all.documents.map(({ _id }: Json) => _id)).size} documents`;
    const allowed = ['403', '404', documents(before), documents(coming)];
    expect([...seen].filter((state) => !allowed.includes(state))).toEqual([]);
    expect(seen).toContain('403');
  }, 60_000);

  /** Runs it until so many requests of it changed something; then the server is away. Whether it came to its end. */
  async function cutAfter(changes: number, run: (databases: Databases) => Promise<void>): Promise<boolean> {
    await using way = await between(server.url);
    way.before = async () => (way.changes() >= changes ? 'cut' : 'pass');
    const error = await run(databasesAt(way.url)).catch((reason: unknown) => reason);
    if (error !== undefined) expect(error).toMatchObject({ code: 'SourceMissing' });
    return error === undefined;
  }

  test('wherever an exchange is cut short, it goes on to its end or is taken back, and nothing is lost', async () => {
    const databases = databasesAt(server.url);
    const [present, staged] = [await small('now'), await small('then')];
    const kept = `${present}_kept`;
    const [before, coming] = [await whole(present), await whole(staged)];
    let ended = false;
    let changes = 0;
    for (; !ended; changes += 1) {
      ended = await cutAfter(changes, (cut) => cut.swapIn(present, staged, kept, never()));
      if (changes % 2 === 0) {
        await databases.swapIn(present, staged, kept, never());
        expect(contents(await whole(present)), `on after ${changes}`).toEqual(contents(coming));
        expect(contents(await whole(kept)), `kept after ${changes}`).toEqual(contents(before));
      }
      await databases.swapBack(present, staged, kept, never());
      expect(await whole(present), `back after ${changes}`).toEqual(before);
      expect(await whole(staged), `staged after ${changes}`).toEqual(coming);
      expect(await names()).not.toContain(kept);
    }
    expect(changes).toBeGreaterThan(15);
  }, 60_000);

  test('a kept one that returns is what it was, wherever its way there and back again is cut short', async () => {
    const databases = databasesAt(server.url);
    const [present, staged] = [await small('now'), await small('then')];
    const [first, second] = [`${present}_first`, `${present}_second`];
    const [before, coming] = [await whole(present), await whole(staged)];
    await databases.swapIn(present, staged, first, never());
    for (const cuts of [2, 5, 9, 14, 20, 26]) {
      await databases.readyAgain(first, never());
      await cutAfter(cuts, (cut) => cut.swapIn(present, first, second, never()));
      await databases.swapIn(present, first, second, never());
      expect(await whole(present), `there after ${cuts}`).toEqual(before);
      expect(contents(await whole(second)), `kept after ${cuts}`).toEqual(contents(coming));
      await cutAfter(cuts, (cut) => cut.swapBack(present, first, second, never()));
      await databases.swapBack(present, first, second, never());
      expect(await whole(present), `back after ${cuts}`).toEqual(coming);
      expect(contents(await whole(first)), `again after ${cuts}`).toEqual(contents(before));
      expect(await names()).not.toContain(second);
    }
    await databases.swapIn(present, first, second, never());
    await databases.discard(second, never());
    expect(await whole(present)).toEqual(before);
  }, 60_000);

  test('where there was none, it is made, and gone again when that is taken back, wherever it is cut short', async () => {
    const databases = databasesAt(server.url);
    const staged = await small('then');
    const [absent, kept] = [`${staged}_absent`, `${staged}_kept`];
    const coming = await whole(staged);
    for (let [changes, ended] = [0, false]; !ended; changes += 1) {
      ended = await cutAfter(changes, (cut) => cut.swapIn(absent, staged, kept, never()));
      await databases.swapBack(absent, staged, kept, never());
      expect(await whole(staged), `staged after ${changes}`).toEqual(coming);
      const there = await names();
      expect([there.includes(absent), there.includes(kept)]).toEqual([false, false]);
    }
    await databases.swapIn(absent, staged, kept, never());
    expect(await whole(absent)).toEqual(coming);
    expect(await names()).not.toContain(kept);
  }, 60_000);

  test('a cluster that tells one state of a database in several ways is no reason to refuse it', async () => {
    const [present, staged] = [await small('now'), await small('then')];
    const [before, coming] = [await whole(present), await whole(staged)];
    await using way = await between(server.url);
    let asked = 0;
    way.told = (text) =>
      text.replace(/"update_seq":(\d+)/, (_, seq) => `"update_seq":"${Number(seq) + ++asked}-g1AAA"`);
    await databasesAt(way.url).swapIn(present, staged, `${present}_kept`, never());
    expect(asked).toBeGreaterThan(9);
    expect(contents(await whole(present))).toEqual(contents(coming));
    expect(contents(await whole(`${present}_kept`))).toEqual(contents(before));
  });

  test('where somebody deletes the kept one half-way, nothing more is deleted until it was seen to', async () => {
    const [present, staged] = [await small('now'), await small('then')];
    const kept = `${present}_kept`;
    const coming = await whole(staged);
    await using way = await between(server.url);
    way.before = async (asked) => (asked === `PUT /${present}/file` ? 'cut' : 'pass');
    await expect(databasesAt(way.url).swapIn(present, staged, kept, never())).rejects.toBeDefined();
    await server.ask('DELETE', path(kept));
    const databases = databasesAt(server.url);
    const back = databases.swapBack(present, staged, kept, never());
    await expect(back).rejects.toMatchObject({ code: 'Refused', message: expect.stringContaining(kept) });
    expect(contents(await whole(staged))).toEqual(contents(coming));
    for (const name of [present, staged]) await server.ask('DELETE', path(name));
    await databases.swapBack(present, staged, kept, never());
  });

  test('a server whose disk is full keeps the state before, wherever it came to', async () => {
    const [present, staged] = [await small('now'), await small('then')];
    const kept = `${present}_kept`;
    const [before, coming] = [await whole(present), await whole(staged)];
    for (const filled of [kept, present]) {
      await using way = await between(server.url);
      way.before = async (asked) => (asked === `POST /${filled}/_bulk_docs` ? 'full' : 'pass');
      const exchanged = databasesAt(way.url).swapIn(present, staged, kept, never());
      await expect(exchanged).rejects.toMatchObject({ code: 'SourceFailed', hint: expect.stringContaining('disk') });
      await databasesAt(server.url).swapBack(present, staged, kept, never());
      expect(await whole(present)).toEqual(before);
      expect(await whole(staged)).toEqual(coming);
      expect(await names()).not.toContain(kept);
    }
  });

  test('where only a host reaches the server, it is exchanged through programs there', async () => {
    const [present, staged] = [await small('now'), await small('then')];
    const kept = `${present}_kept`;
    const [before, coming] = [await whole(present), await whole(staged)];
    const warned: string[] = [];
    const note = ({ message }: Error): void => void warned.push(message);
    process.on('warning', note);
    const databases = databasesAt(server.url, {}, PASSWORD, { ...localHost(), capabilities: { localPaths: false } });
    await databases.swapIn(present, staged, kept, never());
    expect(await whole(present)).toEqual(coming);
    await databases.swapBack(present, staged, kept, never());
    process.off('warning', note);
    expect(await whole(present)).toEqual(before);
    expect(warned).toEqual([]);
  });

  test('what an admin writes while it is copied is not lost: nothing is exchanged', async () => {
    const [present, staged] = [await small('now'), await small('then')];
    const kept = `${present}_kept`;
    await using way = await between(server.url);
    way.after = async (asked) => {
      if (asked.startsWith(`POST /${kept}`))
        await server.ask('POST', `${path(present)}/_bulk_docs`, {
          new_edits: false,
          docs: [{ _id: 'late', _rev: '1-aa' }],
        });
      return 'pass';
    };
    const exchanged = databasesAt(way.url).swapIn(present, staged, kept, never());
    await expect(exchanged).rejects.toMatchObject({ code: 'Refused', message: expect.stringContaining('written to') });
    await databasesAt(server.url).swapBack(present, staged, kept, never());
    const { documents, security } = await whole(present);
    expect(documents.map(({ _id }: Json) => _id)).toContain('late');
    expect(security).toEqual({ members: { names: ['cook'], roles: ['now'] } });
  });

  test('what somebody puts in the place in the moment when nothing is there is not deleted', async () => {
    const [present, staged] = [await small('now'), await small('then')];
    const kept = `${present}_kept`;
    const before = await whole(present);
    const databases = databasesAt(server.url);
    await using way = await between(server.url);
    way.after = async (asked) => {
      if (asked === `DELETE /${present}`) await small('stranger', present);
      return 'pass';
    };
    const exchanged = databasesAt(way.url).swapIn(present, staged, kept, never());
    await expect(exchanged).rejects.toMatchObject({ code: 'Refused', message: expect.stringContaining('Somebody') });
    const back = databases.swapBack(present, staged, kept, never());
    await expect(back).rejects.toMatchObject({ code: 'Refused', message: expect.stringContaining(kept) });
    expect((await whole(present)).security.members.roles).toEqual(['stranger']);
    await server.ask('DELETE', path(present));
    await databases.swapBack(present, staged, kept, never());
    expect(await whole(present)).toEqual(before);
  });

  test('a copy that did not become the same is found out before anything is deleted', async () => {
    const [present, staged] = [await small('now'), await small('then')];
    const kept = `${present}_kept`;
    const before = await whole(present);
    await using way = await between(server.url);
    way.before = async (asked) => {
      if (asked.startsWith(`POST /${kept}`)) {
        const docs = [{ _id: 'plain', _rev: '1-aa', word: 'other' }];
        await server.ask('POST', `${path(kept)}/_bulk_docs`, { new_edits: false, docs });
      }
      return 'pass';
    };
    const exchanged = databasesAt(way.url).swapIn(present, staged, kept, never());
    await expect(exchanged).rejects.toMatchObject({ code: 'Damaged' });
    await databasesAt(server.url).swapBack(present, staged, kept, never());
    expect(await whole(present)).toEqual(before);
  });

  test('what could not be exchanged safely is refused beforehand', async () => {
    const present = await small('now');
    const before = await whole(present);
    const refused = async (databases: Databases, name: string, words: string): Promise<void> => {
      const answer = databases.confirmExchange([name], never());
      await expect(answer).rejects.toMatchObject({ code: 'Refused', message: expect.stringContaining(words) });
    };
    const [user = '', password = ''] = MEMBER.split(':');
    await refused(databasesAt(server.url, { user }, password), present, 'cook may not make and delete databases');
    await refused(databasesAt(server.url), '_users', "the server's own");
    const jobs = [
      { source: 'http://other/elsewhere/', target: 'http://other/x/' },
      { source: 'http://admin:*****@127.0.0.1:5984/the%2Fother/', target: `http://127.0.0.1:5984${path(present)}/` },
    ];
    await server.ask('PUT', '/_scheduler/jobs', { jobs });
    await refused(databasesAt(server.url), present, 'is replicated by the server itself');
    await server.ask('PUT', '/_scheduler/jobs', { jobs: [] });
    await databasesAt(server.url).confirmExchange([present], never());
    expect(await whole(present)).toEqual(before);
  });

  test('what was set aside is deleted once nobody uses it, and what was not never is', async () => {
    const [present, staged, other] = [await small('now'), await small('then'), await small('other')];
    const kept = `${present}_kept`;
    const databases = databasesAt(server.url);
    await databases.swapIn(present, staged, kept, never());
    await server.ask('PUT', '/_scheduler/jobs', { jobs: [{ source: kept, target: 'http://other/x/' }] });
    await expect(databases.discard(kept, never())).rejects.toMatchObject({ code: 'TargetBusy' });
    await server.ask('PUT', '/_scheduler/jobs', { jobs: [] });
    const closed = await server.ask('GET', `${path(kept)}/_security`);
    await server.ask('PUT', `${path(kept)}/_security`, { members: { names: ['cook'] } });
    await expect(databases.discard(kept, never())).rejects.toMatchObject({ code: 'TargetBusy' });
    await server.ask('PUT', `${path(kept)}/_security`, closed);
    for (let again = 0; again < 2; again++) await databases.discard(kept, never());
    expect(await names()).not.toContain(kept);
    for (const name of [other, present])
      await expect(databases.discard(name, never())).rejects.toMatchObject({ code: 'Refused' });
    expect(await names()).toEqual(expect.arrayContaining([other, present]));
  });
});
