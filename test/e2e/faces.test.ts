import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import packageJson from '../../package.json' with { type: 'json' };
import { available } from '../services/available.ts';
import { PROGRAM } from '../services/program.ts';
import { aMachine, aServiceOn, isSame, type Json, tool } from './holdfast.ts';

const { version } = packageJson;

test('the version is printed alone, and no verb runs where it is asked for', () => {
  const machine = aMachine();
  for (const args of [['--version'], ['-V'], ['--version', '--no-progress'], ['demo', '--keep', 'kept', '--version']])
    expect(machine.run(args)).toEqual({ exitCode: 0, stdout: `${version}\n`, stderr: '' });
  expect(machine.json(0, '--version')).toEqual({ version });
  expect(existsSync(machine.path('kept'))).toBe(false);
});

test('the help names every verb and marks those that are not built; help of a verb shows examples', () => {
  const machine = aMachine();
  const help = machine.passes('--help').replaceAll(/\s+/g, ' ');
  for (const verb of [
    'demo',
    'init',
    'config',
    'repository',
    'backup',
    'list',
    'show',
    'ls',
    'cat',
    'restore',
    'verify',
    'snapshot',
    'diff',
    'history',
  ])
    expect(help).toContain(` ${verb} `);
  for (const verb of ['health', 'serve', 'schedule', 'host'])
    expect(help).toMatch(new RegExp(` ${verb} [^()]*\\(not built yet\\)`));
  for (const verb of ['backup', 'restore', 'prune', 'config', 'repository', 'snapshot', 'catalog'])
    expect(machine.passes(verb, '--help')).toMatch(new RegExp(`Examples:\\n {2}holdfast ${verb}`));
});

test('the shells get a completion script', () => {
  const machine = aMachine();
  tool('bash', '-n', machine.write('script', machine.passes('completion', 'bash')));
  for (const shell of ['zsh', 'fish']) expect(machine.passes('completion', shell)).toContain('holdfast');
});

describe.runIf(available('sqlite3'))('the face of a command', () => {
  test('takes the global options before and after the verb', () => {
    const machine = aMachine();
    aServiceOn(machine);
    const elsewhere = machine.write('elsewhere/other.yaml', 'version: 1\n');
    writeFileSync(
      elsewhere,
      readFileSync(machine.configuration, 'utf8')
        .replace('./disk', '../disk')
        .replaceAll(/\.\/d(ata|b)/g, '../d$1'),
    );
    const environment = { HOLDFAST_CONFIG: machine.path('none.yaml') };
    const before = machine.run(['--json', '--config', elsewhere, '--quiet', 'backup'], { environment });
    const after = machine.run(['backup', '--quiet', '--json', `--config=${elsewhere}`], { environment });
    for (const { exitCode, stdout, stderr } of [before, after]) {
      expect([exitCode, stderr]).toEqual([0, '']);
      expect(JSON.parse(stdout).points).toMatchObject([{ service: 'notes', repository: 'disk' }]);
    }
    expect(machine.run(['list'], { environment }).exitCode).toBe(78);
    mkdirSync(machine.path('home/.config/holdfast'), { recursive: true });
    const own = machine.path('home/.config/holdfast/holdfast.yaml');
    writeFileSync(own, readFileSync(elsewhere, 'utf8').replaceAll('../', `${machine.folder}/`));
    expect(machine.run(['list'], { environment: { HOLDFAST_CONFIG: '' } }).stdout).toContain('notes');
  });

  test('prints what was asked for on stdout and the rest on stderr, without colours, times in TZ', () => {
    const machine = aMachine();
    aServiceOn(machine);
    const { stdout, stderr } = machine.run(['backup']);
    expect(stdout).toMatch(/passed: 1 recovery point/);
    expect(stderr).toMatch(/files_data: passed/);
    expect(machine.run(['backup', '--quiet']).stderr).toBe('');
    const { points } = machine.json(0, 'list');
    const utc = points[0].timestamp.replace('T', ' ').replace('Z', '');
    const listed = (TZ: string): string => machine.run(['list'], { environment: { TZ } }).stdout;
    expect(listed('UTC')).toContain(utc);
    expect(listed('')).toContain(utc); // as every libc takes it
    const zone = 'Asia/Kolkata'; // half an hour off every other zone that a machine is likely to have
    const local = Temporal.Instant.from(points[0].timestamp).toZonedDateTimeISO(zone).toPlainDateTime();
    const kolkata = listed(zone);
    expect(kolkata).toContain(local.toString({ smallestUnit: 'second' }).replace('T', ' '));
    expect(kolkata).not.toContain(utc);
    for (const text of [stdout, stderr, kolkata]) expect(text).not.toContain('\u001b[');
  });

  test.runIf(available('script'))('has colours on a terminal, and none with NO_COLOR', () => {
    const machine = aMachine();
    aServiceOn(machine);
    machine.passes('backup');
    const [node, bundle] = PROGRAM;
    const onTerminal = (...set: string[]): string => {
      const own = Object.entries({ ...machine.environment, TERM: 'xterm-256color' }).map(
        ([name, value]) => `${name}=${value}`,
      );
      return tool('env', '-i', ...own, ...set, 'script', '-qec', `'${node}' '${bundle}' list`, '/dev/null');
    };
    expect(onTerminal()).toContain('\u001b[32mpassed');
    expect(onTerminal('NO_COLOR=1')).toMatch(/passed/);
    expect(onTerminal('NO_COLOR=1')).not.toContain('\u001b[32m');
  });

  test('asks before it replaces anything, and without a terminal changes nothing', () => {
    const machine = aMachine();
    aServiceOn(machine);
    machine.passes('backup');
    machine.write('data/soup.txt', 'spoiled');
    const { exitCode, stderr } = machine.run(['restore', 'notes', '--in-place'], { input: 'y\n' });
    expect([exitCode, stderr]).toEqual([64, expect.stringContaining('next: Run it on a terminal')]);
    expect(readFileSync(machine.path('data/soup.txt'), 'utf8')).toBe('spoiled');
    expect(readdirSync(machine.folder).filter((name) => name.includes('recovery-backup'))).toEqual([]);
    machine.passes('restore', 'notes', '--in-place', '--yes', '--dry-run');
    expect(readFileSync(machine.path('data/soup.txt'), 'utf8')).toBe('spoiled');
    const { kept } = machine.json(0, 'restore', 'notes', '--in-place', '--yes');
    expect(readFileSync(machine.path('data/soup.txt'), 'utf8')).toBe('soup\n');
    for (const { path } of kept) expect(path).toMatch(/\.recovery-backup-\d{8}-\d{6}(?:-\d+)?$/);
    expect(readFileSync(join(kept[0].path, 'soup.txt'), 'utf8')).toBe('spoiled');
  });

  test('what a restore of one path set aside in the source is not carried along, and goes when its time is over', () => {
    const machine = aMachine();
    aServiceOn(machine);
    machine.passes('backup');
    machine.write('data/deep/er/bread.txt', 'spoiled');
    const { kept } = machine.json(0, 'restore', 'notes', '--in-place', '--path', machine.path('data/deep'), '--yes');
    expect(kept[0].path).toMatch(`${machine.path('data/deep')}.recovery-backup-`);
    const [{ id }] = machine.json(0, 'backup').points;
    const inPoint = machine.passes('ls', id, 'files_data');
    expect(inPoint).toContain('bread.txt');
    expect(inPoint).not.toContain('recovery-backup');
    // by record: what only looks like one is the user's own
    machine.write('data/mine.recovery-backup-20200101-000000/file', 'mine');
    const [later] = machine.json(0, 'backup').points;
    expect(machine.passes('ls', later.id, 'files_data')).toContain('mine.recovery-backup-20200101-000000');
    tool('sqlite3', machine.path('state/catalog.db'), "update kept_states set until_at = '2020-01-01T00:00:00Z'");
    expect(machine.json(0, 'prune')).toMatchObject({ removedStates: [{ path: kept[0].path }] });
    expect(readdirSync(machine.path('data')).filter((name) => name.includes('recovery-backup'))).toEqual([
      'mine.recovery-backup-20200101-000000',
    ]);
  });

  test('dry runs write nothing, and a verb that has none does nothing', () => {
    const machine = aMachine();
    aServiceOn(machine, 'plans: { nightly: { services: [notes], repositories: [disk], retention: { latest: 1 } } }\n');
    machine.passes('backup', '--plan', 'nightly');
    const image = (): string =>
      tool('sh', '-c', 'cd "$1" && find . -type f -printf "%p %s %T@\\n" | sort', 'sh', machine.folder);
    machine.passes('list');
    const before = image()
      .split('\n')
      .filter((line) => !line.includes('./state/'));
    for (const args of [['restore', 'notes', '--to', 'to'], ['restore', 'notes', '--in-place'], ['prune']])
      machine.passes(...args, '--dry-run');
    const [{ id }] = machine.json(0, 'list').points;
    expect(machine.json(0, 'backup', '--dry-run')).toEqual({
      dryRun: true,
      services: [{ service: 'notes', repositories: ['disk'], items: ['files_data', 'sqlite_db'], stops: [] }],
    });
    expect(machine.passes('--dry-run', 'backup', 'notes')).toContain('files_data');
    expect(machine.json(0, 'run', 'nightly', '--dry-run')).toMatchObject({
      ...{ dryRun: true, plan: 'nightly', backup: { services: [{ service: 'notes' }] }, verify: { level: 'readable' } },
      prune: { services: [{ service: 'notes', repository: 'disk', decisions: [{ point: id, action: 'remove' }] }] },
    });
    expect(machine.passes('run', 'nightly', '--dry-run')).toMatch(/Would back up notes into disk.*\n[\s\S]*remove +01/);
    for (const args of [
      ['snapshot', 'mark', 'x', 'success'],
      ['catalog', 'rebuild'],
    ])
      expect(machine.json(64, ...args, '--dry-run')).toMatchObject({ error: { code: 'NotBuilt', exitCode: 64 } });
    expect(
      image()
        .split('\n')
        .filter((line) => !line.includes('./state/')),
    ).toEqual(before);
  });

  test('a dry run of what proves, keeps or copies a point says which points, and refuses what would be refused', () => {
    const machine = aMachine();
    aServiceOn(machine);
    const { id } = machine.json(0, 'backup').points[0];
    machine.write(
      'conf.d/more.yaml',
      'repositories: { spare: { engine: archive, path: ../spare }, later: { engine: archive, path: ../later } }\n',
    );
    machine.passes('repository', 'init', 'spare');
    const dry = (exitCode: number, ...args: readonly string[]) => machine.json(exitCode, ...args, '--dry-run');
    const image = () =>
      tool('sh', '-c', 'cd "$1" && find disk spare -printf "%p %s %T@\\n" | sort', 'sh', machine.folder);
    const before = image();
    const points = [{ id, service: 'notes', repository: 'disk', held: null, evidence: 'stored' }];
    for (const args of [['verify', 'notes'], ['drill'], ['drill', 'notes'], ['hold', id]])
      expect(dry(0, ...args)).toMatchObject({ dryRun: true, points });
    expect(machine.passes('drill', '--dry-run')).toBe(`Would drill ${id}  notes in disk\n`);
    expect(dry(1, 'hold', 'notes')).toMatchObject({ error: { code: 'PointNotFound' } });
    expect(dry(0, 'release', id).points).toEqual([]);
    expect(dry(0, 'copy', id, '--to', 'spare')).toMatchObject({ dryRun: true, from: 'disk', there: false });
    expect(dry(0, 'copy', id, '--to', 'disk')).toMatchObject({ there: true });
    expect(dry(10, 'copy', id, '--to', 'later')).toMatchObject({ error: { code: 'RepositoryNotFound' } });
    expect(dry(0, 'repository', 'init', 'later')).toMatchObject({ path: machine.path('later') });
    expect(dry(1, 'repository', 'init', 'disk')).toMatchObject({ error: { code: 'Refused' } });
    expect(image()).toBe(before);
    expect(existsSync(machine.path('later'))).toBe(false);
    machine.passes('hold', id);
    expect(dry(0, 'release', id).points).toMatchObject([{ id, held: 'held by hand' }]);
    expect(machine.json(0, 'list').points).toMatchObject([{ id, held: 'held by hand', evidence: 'stored' }]);
  });
});

describe('the configuration', () => {
  test('is read with conf.d, shown with what it says, and has a schema and a sample that passes', () => {
    const machine = aMachine();
    machine.configure('repositories: { disk: { engine: archive, path: ./disk } }\n');
    machine.write('conf.d/10-one.yaml', 'services: { one: { sources: { data: { files: [../data] } } } }\n');
    machine.write('conf.d/20-two.yaml', 'services: { two: { sources: { db: { sqlite: ./two.db } } } }\n');
    machine.write('data/a', 'a');
    const shown = machine.json(0, 'config', 'show');
    expect(parse(machine.passes('config', 'show'))).toEqual(shown);
    expect(shown.services).toEqual({
      one: { sources: { data: { files: [machine.path('data')] } } },
      two: { sources: { db: { sqlite: machine.path('conf.d/two.db') } } },
    });
    expect(machine.json(0, 'config', 'check').files).toHaveLength(3);
    machine.write('conf.d/30-again.yaml', 'services: { one: { sources: { data: { files: [../data] } } } }\n');
    expect(machine.json(78, 'config', 'check').diagnostics[0]).toMatchObject({ severity: 'error', line: 1 });
    const published = JSON.parse(readFileSync(join(import.meta.dirname, '../../holdfast.schema.json'), 'utf8'));
    expect(machine.json(0, 'config', 'schema')).toEqual(published);
    const sample = machine.write('sample/holdfast.yaml', machine.passes('config', 'sample'));
    expect(machine.json(0, '--config', sample, 'config', 'check')).toMatchObject({ outcome: 'passed' });
  });

  test.runIf(available('sqlite3'))('is checked for databases in trees that no source dumps, each by its name', () => {
    const machine = aMachine();
    for (const name of ['bare', 'dumped', 'left-out'])
      tool('sqlite3', machine.write(`data/${name}.db`, ''), 'create table notes (text)');
    machine.write('data/notes.db', 'no database');
    machine.write('data/pg/PG_VERSION', '15\n');
    machine.write('data/cache/dump.rdb', 'REDIS0009');
    const services = (more: string): void =>
      machine.configure(`repositories: { disk: { engine: archive, path: ./disk } }
services:
  kitchen: { sources: { data: { files: [./data], exclude: ['left-out.db'] }, one: { sqlite: ./data/dumped.db }${more} } }
`);
    services('');
    const named = (): string[] => {
      const { outcome, diagnostics } = machine.json(0, 'config', 'check');
      expect(outcome).toBe('passed');
      const own = diagnostics.filter(({ path }: Json) => path === 'services.kitchen.sources.data.files');
      for (const one of own) expect(one).toMatchObject({ severity: 'warning', line: 4, file: machine.configuration });
      return own.map(({ message }: Json) => message.split(' ')[0]);
    };
    expect(named()).toEqual(['data/bare.db', 'data/cache/dump.rdb', 'data/pg'].map((name) => machine.path(name)));
    services(
      ', two: { redis: {} }, three: { postgres: { socket: /run, databases: all } }, four: { sqlite: ./data/bare.db }',
    );
    expect(named()).toEqual([]);
  });

  test('is proposed by init, which never writes over a file', () => {
    const machine = aMachine();
    expect(machine.json(0, 'init', '--output', 'new.yaml')).toMatchObject({ path: machine.path('new.yaml') });
    const proposed = readFileSync(machine.path('new.yaml'), 'utf8');
    expect(machine.json(0, '--config', 'new.yaml', 'config', 'check')).toMatchObject({ outcome: 'passed' });
    expect(machine.json(1, 'init', '--output', 'new.yaml')).toMatchObject({ error: { exitCode: 1 } });
    expect(readFileSync(machine.path('new.yaml'), 'utf8')).toBe(proposed);
    // where it is looked for: HOLDFAST_CONFIG names it here
    expect(machine.passes('init')).toMatch(/^Wrote \S+\/holdfast\.yaml: .*then: holdfast config check\n$/);
    machine.passes('config', 'check');
  });
});

describe.runIf(['sqlite3', 'zstd'].every(available))('the demo', () => {
  test('needs no configuration and leaves nothing', () => {
    const machine = aMachine();
    mkdirSync(machine.path('tmp'));
    const nowhere = machine.run(['demo'], { environment: { TMPDIR: machine.path('nowhere') } });
    expect(nowhere.exitCode).toBe(1);
    expect(nowhere.stderr).toMatch(
      /^holdfast: No temporary folder can be made in \S+\/nowhere: ENOENT.*\n {2}next: TMPDIR /,
    );
    // relative, as some set it: every path in it is made absolute
    const { exitCode, stdout, stderr } = machine.run(['demo'], { environment: { TMPDIR: './tmp' } });
    expect(stderr).toBe(''); // a line for each step is enough
    expect([exitCode, stdout]).toEqual([0, expect.stringContaining('What was destroyed is back, and identical.')]);
    expect(readdirSync(machine.path('tmp'))).toEqual([]);
    expect(existsSync(machine.path('state'))).toBe(false);
  });

  test('keeps what other tools can judge', () => {
    const machine = aMachine();
    const { outcome, steps, folder } = machine.json(0, 'demo', '--keep', 'kept');
    expect([outcome, folder]).toEqual(['passed', machine.path('kept')]);
    for (const step of steps) expect(step).toMatchObject({ outcome: 'passed' });
    const names = readdirSync(machine.path('kept'));
    expect(names).toEqual(expect.arrayContaining(['source', 'repository', 'restored', 'holdfast.yaml']));
    const manifest = tool('find', machine.path('kept/repository'), '-name', 'backup-manifest.json').trim();
    const point = join(manifest, '..');
    tool('sh', '-c', 'cd "$1" && sha256sum --strict --quiet -c SHA256SUMS', 'sh', point);
    tool('mkdir', machine.path('by-tar'));
    tool('tar', '--zstd', '-xf', join(point, 'files_files.tar.zst'), '-C', machine.path('by-tar'));
    const tree = machine.path('kept/source/files');
    expect(isSame(machine.path('by-tar', tree), machine.path('kept/restored', tree))).toBe(true);
    expect(isSame(tree, machine.path('kept/restored', tree))).toBe(true);
    tool('zstd', '-dqo', machine.path('by-zstd.db'), join(point, 'sqlite_db.db.zst'));
    const rows = (file: string): string => tool('sqlite3', file, '.dump');
    for (const copy of ['by-zstd.db', 'kept/source/wishes.db'])
      expect(rows(machine.path(copy))).toBe(rows(machine.path('kept/restored/sqlite_db.db')));
    expect(machine.json(1, 'demo', '--keep', 'kept')).toMatchObject({ error: { code: 'TargetExists' } });
    renameSync(machine.path('kept'), machine.path('moved'));
    expect(machine.json(0, '--config', 'moved/holdfast.yaml', 'list').points).toHaveLength(1);
  });
});
