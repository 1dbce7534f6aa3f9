import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type CouchdbServer, couchdbAvailable, couchdbServer } from '../services/couchdb.ts';
import { contentsOf, fillHostile, HOSTILE_DOCUMENTS, HOSTILE_FACTS } from '../sources/couchdb-contents.ts';
import { aMachine, type Machine, tool } from './holdfast.ts';
import { pointFolderIn } from './rehashed.ts';

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
    const couchdb = { url: server.url, user: 'admin', password: { file: './couch.pass' }, ...settings };
    machine.configure(`repositories: { disk: { engine: archive, path: ./disk } }
services: { notes: { sources: { vault: ${JSON.stringify({ couchdb })} } } }`);
    machine.passes('repository', 'init', 'disk');
    return machine;
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
    const inPlace = machine.json(78, 'restore', point.id, ...choice, '--in-place', '--yes');
    expect(inPlace.error).toMatchObject({ code: 'Unsupported', hint: expect.stringContaining('--database') });

    machine.passes('restore', point.id, ...choice, '--to', 'out');
    const lines = readFileSync(machine.path('out/couchdb_the%2Fvault.jsonl'));
    const documents = execFileSync('jq', ['-cn', documentedFilter()], { input: lines, encoding: 'utf8' });
    const body = execFileSync('jq', ['-cs', '{new_edits: false, docs: .}'], { input: documents });
    await server.ask('PUT', '/by_hand');
    await server.ask('POST', '/by_hand/_bulk_docs', body);
    expect(await contentsOf(server, 'by_hand')).toEqual(before);
    expect(await contentsOf(server, 'the/vault')).toEqual(before);
  }, 120_000);

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
