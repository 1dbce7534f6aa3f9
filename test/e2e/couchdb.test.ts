import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { available } from '../services/available.ts';
import { type CouchdbServer, couchdbAvailable, couchdbServer, type Json, MEMBER } from '../services/couchdb.ts';
import { between } from '../services/couchdb-between.ts';
import { contentsOf, fillHostile, HOSTILE_DOCUMENTS, HOSTILE_FACTS } from '../sources/couchdb-contents.ts';
import { aMachine, type Machine, tool } from './holdfast.ts';
import { pointFolderIn } from './rehashed.ts';
import { onTerminal } from './terminal.ts';

const PASSWORD = 'a-4711-secret';

/** docs/databases.md, "CouchDB", without Holdfast. */
function documentedFilter(): string {
  const text = readFileSync(join(import.meta.dirname, '../../docs/databases.md'), 'utf8');
  return /^jq -cn '(foreach[^']+)'/m.exec(text)?.[1] ?? '';
}

describe.runIf(couchdbAvailable())('CouchDB', () => {
  let server: CouchdbServer;
  beforeAll(async () => {
    server = await couchdbServer(`admin:${PASSWORD}`);
  });
  afterAll(async () => {
    await server?.[Symbol.asyncDispose]();
  });

  function machineWith(settings: object): Machine {
    const machine = aMachine();
    machine.write('couch.pass', `${PASSWORD}\n`);
    reconfigure(machine, settings);
    machine.passes('repository', 'init', 'disk');
    return machine;
  }
  function reconfigure(machine: Machine, settings: object): void {
    const couchdb = { url: server.url, user: 'admin', password: { file: './couch.pass' }, ...settings };
    machine.configure(`repositories: { disk: { engine: archive, path: ./disk } }
services: { notes: { sources: { vault: ${JSON.stringify({ couchdb })} } } }`);
  }

  test('a database comes back under another name and by hand, revision by revision, and never over the present one', async () => {
    await fillHostile(server, 'the/vault');
    const before = await contentsOf(server, 'the/vault');
    const machine = machineWith({ databases: ['the/vault', 'gone'] });
    const [point] = machine.json(3, 'backup').points;
    expect(point.items).toMatchObject([
      { name: 'couchdb_the%2Fvault', outcome: 'passed' },
      { name: 'couchdb_gone', outcome: 'failed', error: 'The server has no database gone.' },
    ]);
    const [item] = JSON.parse(readFileSync(machine.path('disk', point.location, 'backup-manifest.json'), 'utf8')).items;
    expect(item.facts).toEqual({ documents: { 'the/vault': HOSTILE_DOCUMENTS }, ...HOSTILE_FACTS });
    expect(item.tool).toEqual({ name: 'CouchDB', version: '4.2.0' });
    tool('sh', '-c', '! grep -rF "$@"', 'sh', PASSWORD, machine.path('disk'), machine.path('state'));
    machine.passes('verify', 'notes');

    const choice = ['--item', 'couchdb_the%2Fvault'];
    const report = machine.json(0, 'restore', point.id, ...choice, '--database', 'vault_look');
    expect(report.items[0].proof).toBe('hashes and 6 documents with 4 attachments are equal');
    expect(report.warnings).toEqual([expect.stringContaining('replications')]);
    expect(await contentsOf(server, 'vault_look')).toEqual(before);
    expect(machine.json(1, 'restore', point.id, ...choice, '--database', 'the/vault').error.code).toBe('TargetExists');
    expect(machine.json(64, 'restore', point.id, ...choice, '--database', 'Vault').error.code).toBe('Usage');

    machine.passes('restore', point.id, ...choice, '--to', 'out');
    const lines = readFileSync(machine.path('out/couchdb_the%2Fvault.jsonl'));
    const documents = execFileSync('jq', ['-cn', documentedFilter()], { input: lines, encoding: 'utf8' });
    const body = execFileSync('jq', ['-cs', '{new_edits: false, docs: .}'], { input: documents });
    await server.ask('PUT', '/by_hand');
    await server.ask('POST', '/by_hand/_bulk_docs', body);
    expect(await contentsOf(server, 'by_hand')).toEqual(before);
    expect(await contentsOf(server, 'the/vault')).toEqual(before);
  }, 120_000);

  /** What a program that is an admin, or a member, is given by the server. */
  const curl = (login: string, name: string, what: string): string =>
    tool('curl', '-sS', '-u', login, `${server.url}/${encodeURIComponent(name)}/${what}`);
  const rows = (name: string): Json =>
    JSON.parse(curl(`admin:${PASSWORD}`, name, '_all_docs?include_docs=true&conflicts=true&attachments=true'));

  test('in place: all of a database comes back, and the present one is kept, listed, taken back by name and dropped in time', async () => {
    const name = 'in$place/a+b';
    await fillHostile(server, name);
    const machine = machineWith({ database: name });
    machine.passes('backup');
    const [before, beforeRows] = [await contentsOf(server, name), rows(name)];
    const path = `/${encodeURIComponent(name)}`;
    const docs = [
      { _id: 'newer', _rev: '1-aa' },
      { _id: 'plain', _rev: '2-ab', _deleted: true, _revisions: { start: 2, ids: ['ab', 'aa'] } },
    ];
    await server.ask('POST', `${path}/_bulk_docs`, { new_edits: false, docs });
    const newer = await contentsOf(server, name);
    const planned = machine.passes('restore', 'notes', '--in-place', '--dry-run');
    expect(planned).toContain(`Close ${name} to all but admins of its server, copy it to ${name}_recovery_backup_`);
    expect(await contentsOf(server, name)).toEqual(newer);

    const report = machine.json(0, 'restore', 'notes', '--in-place', '--yes');
    expect(await contentsOf(server, name)).toEqual(before);
    expect(rows(name)).toEqual(beforeRows);
    expect(curl(MEMBER, name, 'plain')).toContain('soup');
    // A note of how far a replication came would name changes of the database that was deleted.
    const { rows: locals } = await server.ask('GET', `${path}/_local_docs`);
    expect(locals.map(({ id }: Json) => id).toSorted()).toEqual(['_local/holdfast_exchange', '_local/salt']);
    const [{ path: first }] = report.kept;
    expect(await contentsOf(server, first)).toEqual(newer);
    expect(curl(MEMBER, first, 'newer')).toContain('forbidden');
    machine.passes('restore', report.safetyPoint, '--database', 'of_the_safety_point');
    expect(await contentsOf(server, 'of_the_safety_point')).toEqual(newer);

    const kept = (): readonly string[] =>
      machine.json(0, 'snapshot', 'list').kept.map((one: Json) => `${one.original} ${one.name}`);
    const mine = async (): Promise<readonly string[]> =>
      (await server.ask('GET', '/_all_dbs')).filter((each: string) => /^in.place|^holdfast/.test(each));
    expect(kept()).toEqual([`${name} ${first}`]);
    expect(machine.json(0, 'rollback', '--snapshot', first, '--dry-run').steps.join()).toContain(`anew from ${first}`);
    const [{ path: second }] = machine.json(0, 'rollback', '--snapshot', first, '--auto-confirm').kept;
    expect(await contentsOf(server, name)).toEqual(newer);
    expect(kept()).toEqual([`${name} ${second}`]);
    expect((await mine()).toSorted()).toEqual([name, second]);
    const catalog = new DatabaseSync(machine.path('state', 'catalog.db'));
    catalog.exec("update kept_databases set until_at = '2026-01-01T00:00:00.000000000Z'");
    catalog.close();
    expect(machine.json(0, 'prune').removedStates).toEqual([{ service: 'notes', source: 'vault', database: second }]);
    expect(await mine()).toEqual([name]);

    await server.ask('DELETE', path);
    expect(machine.passes('restore', report.point.id, '--in-place', '--yes', '--without-safety')).toContain('passed');
    expect(await contentsOf(server, name)).toEqual(before);
    expect(await mine()).toEqual([name]);
  }, 120_000);

  test.runIf(available('script'))(
    'the wizard tells how it is replaced, and guard takes back what a command did to it',
    async () => {
      await server.ask('PUT', '/told');
      await server.ask('PUT', '/told/one', { text: 'soup' });
      const machine = machineWith({ database: 'told' });
      machine.passes('backup');
      const before = await contentsOf(server, 'told');
      const change = `curl -sS -u admin:${PASSWORD} -X PUT ${server.url}/told/two -d '{}'; exit 7`;
      const guarded = ['guard', '--service', 'notes', '--operation', 'upgrade', '--auto-rollback'];
      expect(machine.run([...guarded, '--', 'sh', '-c', change]).exitCode).toBe(2);
      expect(await contentsOf(server, 'told')).toEqual(before);
      await server.ask('PUT', '/told/two', { text: 'soap' });
      const wizard = await onTerminal(
        machine,
        ['restore', 'notes'],
        [
          ['Which recovery point of notes?', '\u001b[B\r'], // below guard's own
          ['Where to?', '\u001b[B\u001b[B\r'],
          ['Type the name', 'notes\r'],
        ],
      );
      expect(wizard.exitCode, wizard.printed).toBe(0);
      expect(wizard.printed.replaceAll(/[^a-z]+/g, ' ')).toContain('lose told to all but admins of its server copy');
      expect(await contentsOf(server, 'told')).toEqual(before);
    },
    60_000,
  );

  test('in place is refused to a member before anything is done, and taken back where the server or the program ends half-way', async () => {
    await fillHostile(server, 'dying');
    const machine = machineWith({ database: 'dying' });
    machine.passes('backup');
    await server.ask('PUT', '/dying/newer', { text: 'soap' });
    const before = await contentsOf(server, 'dying');
    const names = (): Promise<Json> => server.ask('GET', '/_all_dbs');
    const there = await names();
    const [user = '', password = ''] = MEMBER.split(':');
    machine.write('member.pass', password);
    reconfigure(machine, { database: 'dying', user, password: { file: './member.pass' } });
    const refused = machine.json(1, 'restore', 'notes', '--in-place', '--yes');
    expect(refused.error).toMatchObject({ code: 'Refused', message: 'cook may not make and delete databases.' });
    expect(await names()).toEqual(there);

    await using way = await between(server.url);
    // The state before is deleted, and what takes its place is half-full.
    way.before = async (asked) => (asked === 'PUT /dying/with files' ? 'cut' : 'pass');
    reconfigure(machine, { database: 'dying', url: way.url });
    const ended = await machine.start(['restore', 'notes', '--in-place', '--yes', '--json']).ended;
    expect(ended.exitCode, ended.stderr).toBe(1);
    expect(JSON.parse(ended.stdout).error).toMatchObject({
      code: 'SourceMissing',
      left: [{ code: 'JournalOpen', hint: expect.stringContaining('holdfast unlock') }],
    });
    expect((await names()).length).toBe(there.length + 2);
    expect(curl(MEMBER, 'dying', 'plain')).toContain('forbidden');
    reconfigure(machine, { database: 'dying' });
    machine.passes('unlock');
    expect(await contentsOf(server, 'dying')).toEqual(before);
    expect(curl(MEMBER, 'dying', 'newer')).toContain('soap');
    expect((await names()).toSorted()).toEqual(there.toSorted());

    for (const signal of ['SIGINT', 'SIGKILL'] as const) {
      await using other = await between(server.url);
      reconfigure(machine, { database: 'dying', url: other.url });
      const running = machine.start(['restore', 'notes', '--in-place', '--yes', '--without-safety']);
      other.before = async (asked) => {
        if (asked === 'PUT /dying/with files') running.kill(signal);
        return 'pass';
      };
      const { exitCode } = await running.ended;
      expect(exitCode).toBe(signal === 'SIGINT' ? 130 : null);
      reconfigure(machine, { database: 'dying' });
      if (signal === 'SIGKILL') machine.passes('backup'); // what writes repairs first
      expect(await contentsOf(server, 'dying')).toEqual(before);
      expect((await names()).toSorted()).toEqual(there.toSorted());
    }
  }, 60_000);

  test('a dump that was damaged on its way back leaves no database', async () => {
    await fillHostile(server, 'damaged');
    const machine = machineWith({ database: 'damaged' });
    machine.passes('backup');
    machine.passes('verify', 'notes');
    const folder = pointFolderIn(machine.path('disk/notes'));
    const [file = ''] = readdirSync(folder).filter((name) => name.startsWith('couchdb_'));
    tool('sh', '-c', `zstd -dcq "$0" | head -c -200 | zstd -cq > "$0.cut" && mv "$0.cut" "$0"`, join(folder, file));
    const { error } = machine.json(1, 'restore', 'notes', '--database', 'from_damage');
    expect(error.code).toBe('Damaged');
    expect(await server.ask('GET', '/_all_dbs')).not.toContain('from_damage');
  }, 60_000);

  test('a server that is away, or lets nobody in, leaves no point and tells no password', () => {
    for (const settings of [{ url: 'http://127.0.0.1:1' }, { user: 'nobody' }]) {
      const machine = machineWith({ database: 'any', ...settings });
      const { exitCode, stderr, stdout } = machine.run(['backup', '--verbose']);
      expect(exitCode).toBe(1);
      expect(stderr + stdout).toMatch(/no CouchDB answers|unauthorized/);
      expect(stderr + stdout).not.toContain('4711');
      expect(existsSync(machine.path('disk/notes')) ? readdirSync(machine.path('disk/notes')) : []).toEqual([]);
    }
  }, 60_000);
});
