import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { type CouchdbServer, couchdbAvailable, couchdbServer } from '../services/couchdb.ts';
import { fillHostile, HOSTILE_DOCUMENTS, HOSTILE_FACTS } from '../sources/couchdb-contents.ts';
import { aMachine, type Json, type Machine, tool } from './holdfast.ts';
import { alterManifest, pointFolderIn } from './rehashed.ts';

const [PASSWORD, OTHER_PASSWORD] = ['a-4711-secret', 'b-4711-secret'];

describe.runIf(couchdbAvailable())('a drill of CouchDB', () => {
  /** A service `notes` whose source has these settings, and a scratch folder. */
  function configure(machine: Machine, live: CouchdbServer, settings: object): void {
    const couchdb = { url: live.url, user: 'admin', password: { file: './couch.pass' }, ...settings };
    machine.configure(`repositories: { disk: { engine: archive, path: ./disk } }
services: { notes: { sources: { vault: ${JSON.stringify({ couchdb })} } } }`);
  }
  const databasesOf = (server: CouchdbServer): Promise<readonly string[]> => server.ask('GET', '/_all_dbs');

  test('restores into databases of its own on the server that is named for it, and leaves none of them', async () => {
    await using live = await couchdbServer(`admin:${PASSWORD}`);
    await using other = await couchdbServer(`drill:${OTHER_PASSWORD}`);
    await fillHostile(live, 'the/vault');
    await live.ask('PUT', '/small');
    await live.ask('PUT', '/small/one', { text: 'soup' });
    await other.ask('PUT', '/small');
    const machine = aMachine();
    machine.write('couch.pass', `${PASSWORD}\n`);
    machine.write('other.pass', `${OTHER_PASSWORD}\n`);
    machine.write('scratch/.keep', '');
    configure(machine, live, {});
    machine.passes('repository', 'init', 'disk');
    machine.passes('backup');
    const [{ id }] = machine.json(0, 'list').points;
    const drill = (exitCode: number): Json => machine.json(exitCode, 'drill', id, '--scratch', machine.path('scratch'));
    const isClean = async (): Promise<void> => {
      expect(await databasesOf(other)).toEqual(['small']);
      expect(readdirSync(machine.path('scratch'))).toEqual(['.keep']);
    };

    const unnamed = drill(5);
    expect(unnamed.items[0].detail).toMatch(/^No server is named on which a drill of CouchDB/);
    const scratch = { url: other.url, user: 'drill', password: { file: './other.pass' } };
    configure(machine, live, { scratch: true });
    expect(drill(0)).toMatchObject({ outcome: 'passed', facts: { equal: true } });
    expect((await databasesOf(live)).toSorted()).toEqual(['small', 'the/vault']);

    configure(machine, live, { scratch });
    await live.kill(); // a drill asks it for nothing
    // what is restored elsewhere takes no space here
    const report = machine.json(0, 'drill', id, '--scratch', machine.path('scratch'), '--max-space', '1KiB');
    await isClean();
    expect(report).toMatchObject({ outcome: 'passed', evidence: 'restored', facts: { equal: true } });
    expect(report.facts.actual).toEqual({
      'couchdb_the%2Fvault': { documents: { 'the/vault': HOSTILE_DOCUMENTS }, ...HOSTILE_FACTS },
      couchdb_small: { documents: { small: 1 }, deleted: 0, designDocuments: 0, revisions: 1, attachments: 0 },
    });
    expect(report.items[0].restoredBy).toEqual({ name: `CouchDB (${other.url})`, version: '4.2.0' });
    tool('sh', '-c', '! grep -rF 4711-secret "$@"', 'sh', machine.path('disk'), machine.path('state'));

    const folder = pointFolderIn(machine.path('disk/notes'));
    alterManifest(folder, ({ items }) => {
      items.find(({ name }: Json) => name === 'couchdb_small').facts.revisions = 2;
    });
    const altered = drill(1);
    await isClean();
    expect(altered).toMatchObject({ outcome: 'failed', evidence: 'failed' });
    expect(altered.phases[3].detail).toBe('couchdb_small: revisions: 2 expected, 1 restored');
    alterManifest(folder, ({ items }) => {
      items.find(({ name }: Json) => name === 'couchdb_small').facts.revisions = 1;
    });

    const [file = ''] = readdirSync(folder).filter((name) => name.startsWith('couchdb_small'));
    const whole = readFileSync(join(folder, file));
    tool('sh', '-c', 'zstd -dcq "$0" | head -c -200 | zstd -cq > "$0.cut" && mv "$0.cut" "$0"', join(folder, file));
    const cut = drill(1);
    await isClean();
    expect(cut).toMatchObject({ outcome: 'failed', evidence: 'failed' });
    machine.write(join('disk/notes', folder.split('/').at(-1) ?? '', file), whole);

    await other.kill();
    const away = drill(5);
    expect(away).toMatchObject({ outcome: 'inconclusive' });
    expect(away.items[0].detail).toMatch(/no CouchDB answers at http:\/\/127\.0\.0\.1:/);
    expect(readdirSync(machine.path('scratch'))).toEqual(['.keep']);
  }, 60_000);
});
