import { execFile } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { describe, expect, test } from 'vitest';
import { localHost } from '../src/adapters/hosts/local/index.ts';
import { format, source as openSource } from '../src/adapters/sources/ldap/index.ts';
import { scanLdif } from '../src/adapters/sources/ldap/ldif-scanner.ts';
import type { Facts } from '../src/domain/facts.ts';
import type { Command, Host } from '../src/ports/host.ts';
import type { Source, SourceTools } from '../src/ports/source.ts';
import { type SourceFixture, sourceContract } from './contracts/source.ts';
import { available } from './services/available.ts';
import { type Directory, directory, SUFFIX, settingsOf, startDirectory } from './services/ldap.ts';
import { HOSTILE, PHOTO, TOP } from './sources/ldap-contents.ts';
import { bytesOf, changing, contextIn, temporaryFolder, writeBytes } from './sources/support.ts';

const execute = promisify(execFile);
const never = (): AbortSignal => new AbortController().signal;
const tools: SourceTools = {
  secret: () => Promise.reject(new Error('no secret is configured')),
  container: () => Promise.reject(new Error('no container is configured')),
  engineEnvironment: {},
};

const open = (config: string, host: Host = localHost(), suffix = SUFFIX): Source =>
  openSource('directory', { ldap: { config, suffix } }, host, tools);

/** slapcat gives what it is asked for to a script, which does something else with it. */
const dumping = (script: string): Host =>
  changing(localHost(), (command: Command) =>
    command.program === 'slapcat' && !command.args.includes('-a')
      ? { ...command, program: 'bash', args: ['-c', script, 'slapcat', ...command.args] }
      : command,
  );

/** One of the two items, for what is asked of a source with a single one. */
const only = (source: Source, name: string): Source => ({
  ...source,
  itemNames: [name],
  async capture(context, signal) {
    const all = await source.capture(context, signal);
    return { ...all, items: all.items.filter((item) => item.name === name) };
  },
});

interface Stored {
  readonly path: string;
  readonly facts: Facts;
  readonly warnings: readonly string[];
}

/** Items of a source as files. */
async function stored(source: Source, folder: string): Promise<{ readonly ldap: Stored; readonly config: Stored }> {
  await using capture = await source.capture(contextIn(folder), never());
  const all: Stored[] = [];
  for (const item of capture.items) {
    if (item.type === 'tree') throw new Error('a dump is no tree');
    const path = join(folder, item.file);
    await writeBytes(bytesOf(item, never()), path);
    all.push({ path, ...item.completed() });
  }
  const [ldap, config] = all;
  if (ldap === undefined || config === undefined) throw new Error('an item is missing');
  return { ldap, config };
}

async function problems(bytes: Uint8Array, facts: Facts): Promise<readonly string[]> {
  async function* once() {
    yield bytes;
  }
  const findings = await format.inspect(once(), facts, '/nowhere', never());
  return findings.filter(({ outcome }) => outcome !== 'passed').map(({ name, detail }) => `${name}: ${detail}`);
}

const scanned = (text: string, size = text.length): ReturnType<ReturnType<typeof scanLdif>['end']> => {
  const [scan, bytes] = [scanLdif(), Buffer.from(text)];
  for (let at = 0; at < bytes.length; at += size) scan.take(bytes.subarray(at, at + size));
  return scan.end();
};

/** Lines that begin an entry, as grep counts them. */
const entriesIn = async (path: string): Promise<number> =>
  Number((await execute('grep', ['-cE', '^dn::? ', path])).stdout.trim());

const programs = ['slapd', 'slapadd', 'slapcat', 'ldapsearch', 'ldapadd', 'ldapwhoami', 'setpriv'];
describe.runIf(programs.every(available))('needs OpenLDAP', () => {
  const fixtureOf = (item: string) => async (): Promise<SourceFixture> => {
    const made = await directory(HOSTILE);
    const look = async (): Promise<unknown> => [
      await made.tool('slapcat', '-F', made.config, '-b', SUFFIX),
      await made.tool('slapcat', '-F', made.config, '-n', '0'),
      (await readdir(made.data)).toSorted(),
    ];
    const what = item === 'ldap' ? ['-b', SUFFIX] : ['-n', '0'];
    return {
      source: only(open(made.config), item),
      failing: only(open(made.config, dumping('slapcat "$@"; exit 3')), item),
      format,
      look,
      counted: async () => {
        const said = await made.tool('slapcat', '-F', made.config, ...what);
        return { entries: said.split('\n').filter((line) => /^dn::? /.test(line)).length };
      },
      destroy: () => rm(made.config, { recursive: true }),
      unpack: async (path) => path,
      [Symbol.asyncDispose]: () => made[Symbol.asyncDispose](),
    };
  };
  sourceContract('ldap', fixtureOf('ldap'));
  sourceContract('ldap_config', fixtureOf('ldap_config'));

  /** Puts both items into a server that has nothing. */
  async function restored({ ldap, config }: Awaited<ReturnType<typeof stored>>, from: Directory): Promise<Directory> {
    const target = await directory('', null);
    const text = (await readFile(config.path, 'utf8')).replaceAll('\n ', '').replaceAll(from.data, target.data);
    const own = join(target.folder, 'config.ldif');
    await writeFile(own, text);
    await target.tool('slapadd', '-n', '0', '-F', target.config, '-l', own);
    await target.tool('slapadd', '-F', target.config, '-b', SUFFIX, '-l', ldap.path);
    return target;
  }

  test('a running directory comes back entry by entry by slapadd alone, with its schema', async () => {
    await using folder = await temporaryFolder();
    await using made = await directory(HOSTILE);
    await using server = await startDirectory(made);
    await server.add(`dn: ou=late,${SUFFIX}\nobjectClass: organizationalUnit\nou: late\n\n`);
    const items = await stored(open(made.config), folder.path);
    expect(items.ldap.facts).toEqual({ entries: 11 });
    expect(items.config.facts).toEqual({ entries: await entriesIn(items.config.path) });
    expect(await problems(await readFile(items.ldap.path), items.ldap.facts)).toEqual([]);
    expect(await problems(await readFile(items.config.path), items.config.facts)).toEqual([]);
    await using target = await restored(items, made);
    await using again = await startDirectory(target);
    const before = await server.search();
    expect(before).toHaveLength(11);
    expect(before.join('')).toContain(PHOTO.toString('base64'));
    expect(await again.search()).toEqual(before);
  });

  test('a directory whose server is down is dumped as well', async () => {
    await using folder = await temporaryFolder();
    await using made = await directory(TOP);
    const { ldap } = await stored(open(made.config), folder.path);
    expect(ldap.facts).toEqual({ entries: 1 });
  });

  test('a directory that other servers fill is not restored in place', async () => {
    await using made = await directory(HOSTILE);
    const places = await open(made.config).placements([], never());
    expect(places.map(({ path, stored }) => [path, stored])).toEqual([
      [made.data, 'ldap.ldif'],
      [made.config, 'ldap_config.ldif'],
    ]);
    const change = join(made.folder, 'change.ldif');
    const filled = `rid=001 provider=ldap://127.0.0.1 searchbase="${SUFFIX}" bindmethod=simple`;
    await writeFile(
      change,
      `dn: olcDatabase={1}mdb,cn=config\nchangetype: modify\nadd: olcSyncrepl\nolcSyncrepl: ${filled}\n`,
    );
    await made.tool('slapmodify', '-F', made.config, '-n', '0', '-l', change);
    await expect(open(made.config).placements([], never())).rejects.toMatchObject({
      ...{ code: 'Refused', message: expect.stringContaining('olcSyncrepl') },
    });
  });

  test('a database of the same server that no source has is named, but for the log of changes', async () => {
    await using folder = await temporaryFolder();
    const more = (data: string): string =>
      `${settingsOf(SUFFIX)(data)}
dn: olcDatabase={2}mdb,cn=config
objectClass: olcMdbConfig
olcSuffix: cn=log
olcDbDirectory: ${data}-log

dn: olcDatabase={3}mdb,cn=config
objectClass: olcMdbConfig
olcSuffix: o=Other\\2C one
olcDbDirectory: ${data}-other

dn: olcOverlay={0}accesslog,olcDatabase={1}mdb,cn=config
objectClass: olcAccessLogConfig
olcOverlay: {0}accesslog
olcAccessLogDB: CN=log
`.replace('olcModuleLoad: back_mdb', 'olcModuleLoad: back_mdb\nolcModuleLoad: accesslog');
    await using made = await directory('', (data) => {
      for (const name of ['log', 'other']) mkdirSync(`${data}-${name}`);
      return more(data);
    });
    await writeFile(`${made.folder}/top.ldif`, TOP);
    await made.tool('slapadd', '-F', made.config, '-b', SUFFIX, '-l', `${made.folder}/top.ldif`);
    const { ldap, config } = await stored(open(made.config), folder.path);
    expect(ldap.warnings).toEqual([]);
    expect(config.warnings).toEqual([expect.stringMatching(/^o=Other\\2C one of the same server is not dumped/i)]);
    const other = { ldap: { config: made.config, suffix: 'O=other\\, one' } };
    const told = openSource('directory', { ldap: { config: made.config, suffix: SUFFIX } }, localHost(), {
      ...tools,
      kin: [other],
    });
    expect((await stored(told, folder.path)).config.warnings).toEqual([]);
  });

  test('what is a part of the directory in a folder of its own is dumped with it, and not restored in place', async () => {
    const part = `ou=part,${SUFFIX}`;
    await using made = await directory('', (data) => {
      mkdirSync(`${data}-part`);
      const glued = `olcSuffix: ${part}\nolcSubordinate: TRUE\nolcDbDirectory: ${data}-part\n`;
      const first = `dn: olcDatabase={1}mdb,cn=config\nobjectClass: olcMdbConfig\n${glued}\n`;
      return settingsOf(SUFFIX)(data)
        .replaceAll('{1}mdb', '{2}mdb')
        .replace('dn: olcDatabase={2}', `${first}dn: olcDatabase={2}`);
    });
    const entries = `${TOP}\ndn: ${part}\nobjectClass: organizationalUnit\nou: part\n`;
    await writeFile(`${made.folder}/all.ldif`, entries);
    await made.tool('slapadd', '-F', made.config, '-b', SUFFIX, '-l', `${made.folder}/all.ldif`);
    expect(await made.tool('slapcat', '-F', made.config, '-b', part)).toContain(`dn: ${part}`);
    await using folder = await temporaryFolder();
    const { ldap, config } = await stored(open(made.config), folder.path);
    expect(await readFile(ldap.path, 'utf8')).toContain(`dn: ${part}`);
    expect(config.warnings).toEqual([]);
    await expect(open(made.config).placements([], never())).rejects.toMatchObject({
      ...{ code: 'Unsupported', message: expect.stringContaining(`${part} is a part of ${SUFFIX}`) },
    });
  });

  test('an empty directory, another suffix and a database without its disk are missing, never an empty item', async () => {
    await using folder = await temporaryFolder();
    await using empty = await directory();
    await expect(stored(open(empty.config), folder.path)).rejects.toMatchObject({
      code: expect.stringMatching(/^Source/),
    });
    await using made = await directory(TOP);
    await expect(stored(open(made.config, localHost(), 'dc=other'), folder.path)).rejects.toMatchObject({
      code: 'SourceMissing',
      message: expect.stringContaining('dc=other'),
    });
    await rename(made.data, `${made.data}-away`);
    await expect(stored(open(made.config), folder.path)).rejects.toMatchObject({
      code: 'SourceMissing',
      message: expect.stringContaining('No such file'),
    });
  });

  test('a missing slapcat is named', async () => {
    await using folder = await temporaryFolder();
    await using made = await directory(TOP);
    const without = changing(localHost(), (command) => ({ ...command, program: `${command.program}-not-here` }));
    await expect(stored(open(made.config, without), folder.path)).rejects.toMatchObject({ code: 'ToolMissing' });
  });

  test.each([
    ['killed half-way', 'slapcat "$@" | head -c 40000; kill -KILL $$'],
    ['cut inside an entry, ending with 0', 'slapcat "$@" | head -c 40000; exit 0'],
    ['cut after the last line, ending with 0', 'slapcat "$@" | head -c -1; exit 0'],
    ['cut after the last line in words, ending with 0', 'slapcat "$@" | head -c -2; exit 0'],
    ['damaged on its way', `slapcat "$@" | sed 's/^objectClass/object Class/'; exit 0`],
  ])('a slapcat that is %s makes its item fail, and the other one stays', async (_, script) => {
    await using folder = await temporaryFolder();
    await using made = await directory(HOSTILE);
    const host = dumping(`case "$*" in *"-b "*) ${script} ;; *) exec slapcat "$@" ;; esac`);
    await using capture = await open(made.config, host).capture(contextIn(folder.path), never());
    const [ldap, config] = capture.items;
    if (ldap === undefined || config === undefined) throw new Error('an item is missing');
    await expect(writeBytes(bytesOf(ldap, never()), join(folder.path, 'ldap'))).rejects.toMatchObject({
      code: 'SourceFailed',
    });
    expect(() => ldap.completed()).toThrow('not read to its end');
    await writeBytes(bytesOf(config, never()), join(folder.path, 'config'));
    expect(config.completed().facts.entries).toBeGreaterThan(3);
  });

  test('a dump that was cut, emptied, lengthened, or lost an entry is found out, wherever it is', async () => {
    await using folder = await temporaryFolder();
    await using made = await directory(HOSTILE);
    const { ldap } = await stored(open(made.config), folder.path);
    const whole = await readFile(ldap.path);
    expect(await problems(whole, ldap.facts)).toEqual([]);
    for (let part = 0; part < 100; part += 1) {
      const place = Math.floor((whole.length * part) / 100);
      expect(await problems(whole.subarray(0, place), ldap.facts), `cut at ${place}`).not.toEqual([]);
      const flipped = Buffer.from(whole);
      flipped[place] = (flipped[place] ?? 0) ^ 0x80;
      expect(await problems(flipped, ldap.facts), `flipped at ${place}`).not.toEqual([]);
    }
    const text = whole.toString('latin1');
    const without = text.split('\n\n').toSpliced(3, 1).join('\n\n');
    expect(await problems(Buffer.from(without), ldap.facts)).toEqual(['facts: entries: 10 expected, 9 found']);
    expect(await problems(Buffer.from(text + text), ldap.facts)).not.toEqual([]);
    expect(await problems(Buffer.from(text.replace(/^objectClass/gm, 'objectClasz')), ldap.facts)).not.toEqual([]);
  });
});

test('LDIF is read in chunks of any size: folds, comments, base64, a version line', () => {
  const text = `version: 1
# a comment
 that goes on
dn: cn=fol
 ded,dc=home
objectClass: person
objectClass: top
description:: YWJj
 ZGVm
description;lang-de: kurz
empty:
1.2.840.1: an attribute by its number
cn: ends

# between

dn:: Y249w6Q=
objectclass: person

`;
  for (const size of [1, 2, 3, 5, 17, text.length]) expect(scanned(text, size)).toEqual({ entries: 2 });
});

test.each([
  ['an entry without a dn', 'objectClass: top\n\n', 'does not begin with its dn'],
  ['an entry without an objectClass', 'dn: dc=a\ncn: a\n\n', 'no objectClass'],
  ['an objectClass without a value', 'dn: dc=a\nobjectClass:\n\n', 'its objectClass is empty'],
  ['two entries in one', 'dn: dc=a\nobjectClass: a\ndn: dc=b\n\n', 'second dn'],
  ['a fold that continues nothing', ' folded\n', 'follows none'],
  ['base64 of a wrong length', 'dn: dc=a\nobjectClass: a\nx:: YWJ\n\n', 'the value of x is malformed'],
  ['base64 with a strange character', 'dn: dc=a\nobjectClass: a\nx:: YW*j\n\n', 'the value of x is malformed'],
  ['a value of bytes that want base64', 'dn: dc=a\nobjectClass: a\nx: ä\n\n', 'the value of x is malformed'],
  ['a line that is no attribute', 'dn: dc=a\nobjectClass: a\nnothing\n\n', 'no attribute'],
  ['a value in another file', 'dn: dc=a\nobjectClass: a\nx:< file:///etc/passwd\n\n', 'another file'],
  ['an end in the middle of a line', 'dn: dc=a\nobjectClass: a\ncn: b', 'in the middle'],
  ['an end after a line', 'dn: dc=a\nobjectClass: a\n', 'in the middle'],
])('LDIF with %s is malformed', (_, text, why) => {
  expect(scanned(text)).toEqual({ malformed: expect.stringContaining(why) });
});
