import { randomBytes } from 'node:crypto';
import { readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { available } from '../services/available.ts';
import { aMachine, aServiceOn, type Machine, tool } from './holdfast.ts';
import { backupShape, errorShape } from './shapes.ts';

/** The error document, with its shape checked. */
function failure(machine: Machine, exitCode: number, ...args: string[]): { code: string; message: string } {
  const { error } = errorShape.parse(machine.json(exitCode, ...args));
  expect(error.exitCode).toBe(exitCode);
  return error;
}

describe('what was typed wrongly', () => {
  test.each([
    [['frobnicate'], 64],
    [['backup', '--frobnicate'], 64],
    [['restore'], 64],
    [['cat', 'notes'], 64],
    [['verify', '--level', 'perfect'], 64],
    [['verify', '--max-age', 'soon'], 64],
    [['config'], 64],
    [[], 64],
    [['repository', 'frobnicate'], 64],
    [['completion', 'tcsh'], 64],
    [['restore', 'notes', '--to', ''], 64],
    [['list', '--repository', ''], 64],
    [['list', '--config', ''], 64],
  ])('ends with its code and one document: %j', (args, exitCode) => {
    const machine = aMachine();
    failure(machine, exitCode, ...args);
    const { stdout, stderr } = machine.run(args.length > 0 ? args : ['--quiet']);
    expect(stdout).toBe('');
    expect(stderr).not.toMatch(/^ {4}at /m);
  });

  test.each(['health', 'forecast', 'window', 'estimate'])(
    '%s stands in the help, and ends with 64 until it is built',
    (verb) => {
      const machine = aMachine();
      expect(failure(machine, 64, verb, '--frob', 'x')).toMatchObject({ code: 'NotBuilt' });
    },
  );
});

describe('a path where nothing can be made', () => {
  test('is 1 with the path, for what is written by init, demo and repository init', () => {
    const machine = aMachine();
    machine.write('file', '');
    machine.configure(`repositories:
  nowhere: { engine: archive, path: /proc/holdfast }
  below: { engine: archive, path: ./file/below }
`);
    for (const path of ['/proc/holdfast', machine.path('file')]) {
      expect(failure(machine, 1, 'init', '--output', `${path}/x.yaml`)).toMatchObject({ code: 'PathUnusable' });
      expect(failure(machine, 1, 'demo', '--keep', `${path}/x`)).toMatchObject({ code: 'PathUnusable' });
    }
    for (const name of ['nowhere', 'below'])
      expect(failure(machine, 1, 'repository', 'init', name)).toMatchObject({ code: 'RepositoryUnusable' });
  });
});

test('a list of repositories that cannot be reached does not say that there are no points yet', () => {
  const machine = aMachine();
  machine.configure('repositories: { disk: { engine: archive, path: ./not-mounted } }');
  expect(machine.passes('list')).toBe('No recovery points to be seen.\n');
});

describe('what the configuration does not have', () => {
  test('is 78 without a configuration or with a wrong one', () => {
    const machine = aMachine();
    expect(failure(machine, 78, 'backup')).toMatchObject({ code: 'ConfigurationMissing' });
    expect(failure(machine, 78, 'list', '--config', 'no.yaml')).toMatchObject({ code: 'ConfigurationMissing' });
    machine.configure('services: {}\nrepositores: {}\n');
    const { message } = failure(machine, 78, 'backup');
    expect(message).toContain(`${machine.configuration}:3:1`);
    expect(message).toContain('repositories');
    const checked = machine.json(78, 'config', 'check');
    expect(checked).toMatchObject({
      ...{ outcome: 'failed', diagnostics: [{ severity: 'error', line: 3, column: 1 }] },
      error: { code: 'ConfigurationInvalid', exitCode: 78, message },
    });
  });

  test.runIf(available('sqlite3'))('is 1 for a point, service, plan or item, and 10 for a repository', () => {
    const machine = aMachine();
    aServiceOn(machine, 'plans: { nightly: { services: [notes], repositories: [disk] } }\n');
    for (const args of [
      ['backup', 'nobody'],
      ['list', 'nobody'],
      ['show', 'nobody'],
      ['show', 'notes'],
      ['ls', '01ARZ3NDEKTSV4RRFFQ69G5FAV'],
      ['verify', 'nobody'],
      ['restore', 'nobody', '--to', 'to'],
      ['run', 'weekly'],
      ['hold', '01ARZ3NDEKTSV4RRFFQ69G5FAV'],
    ])
      failure(machine, 1, ...args);
    for (const args of [
      ['backup', '--repository', 'nowhere'],
      ['list', '--repository', 'nowhere'],
      ['list', '--repository', './nowhere'],
      ['repository', 'check', 'nowhere'],
    ])
      expect(failure(machine, 10, ...args)).toMatchObject({ code: 'RepositoryNotFound' });
    expect(machine.json(5, 'verify')).toMatchObject({ outcome: 'inconclusive' });
    machine.passes('backup');
    failure(machine, 1, 'cat', 'notes', 'nothing');
    failure(machine, 1, 'ls', 'notes', 'data', 'nothing');
    failure(machine, 64, 'restore', 'notes', '--database', 'copy');
    expect(machine.json(0, 'list', '--snapshots')).toMatchObject({ snapshots: [] });
  });

  test('is told with the name that was meant, where one is near', () => {
    const machine = aMachine();
    machine.configure(`repositories: { disk: { engine: archive, path: ./disk } }
services: { notes: { sources: { data: { files: [./data] } } } }
plans: { nightly: { services: [notes], repositories: [disk] } }
`);
    machine.passes('repository', 'init', 'disk');
    for (const [meant, code, args] of [
      ['notes', 1, ['backup', 'note']],
      ['notes', 1, ['list', 'nots']],
      ['nightly', 1, ['run', 'nightyl']],
      ['disk', 10, ['backup', '--repository', 'dsik']],
    ] as const)
      expect(failure(machine, code, ...args).message).toContain(`Did you mean "${meant}"?`);
  });

  test('matters only to the run that needs it', () => {
    const machine = aMachine();
    machine.write('data/a', 'a');
    machine.configure(`hosts:
  away: { ssh: root@127.0.0.1 }
repositories:
  disk: { engine: archive, path: ./disk }
  far: { engine: restic, location: /nowhere, password: { env: NOBODY_SET_THIS } }
services:
  files: { sources: { data: { files: [./data] } } }
  rows: { host: away, sources: { data: { files: [/srv] } } }
plans:
  instant: { subvolumes: [media] }
pools: { main: { path: ./pool } }
catalog: sqlite:./of/its/own/catalog.db
`);
    machine.passes('repository', 'init', 'disk');
    expect(machine.json(0, 'config', 'check')).toMatchObject({
      outcome: 'passed',
      diagnostics: [{ severity: 'warning' }, { severity: 'warning' }, { severity: 'warning' }],
    });
    expect(statSync(machine.path('of/its')).mode & 0o777).toBe(0o700);
    for (const args of [
      ['run', 'instant'],
      ['backup', '--plan', 'instant', '--dry-run'],
      ['prune', '--plan', 'instant'],
    ])
      expect(failure(machine, 78, ...args).message).toContain('instant is a plan over subvolumes');
    machine.passes('backup', 'files', '--repository', 'disk');
    expect(failure(machine, 78, 'backup', 'rows', '--repository', 'disk')).toMatchObject({ code: 'Unsupported' });
    expect(failure(machine, 78, 'list', '--repository', 'far')).toMatchObject({ code: 'Unsupported' });
    expect(machine.json(3, 'backup', '--repository', 'disk')).toMatchObject({ outcome: 'partial' });
  });
});

describe('a backup', () => {
  test('is partial when an item, a service or a repository failed, and failed without any point', () => {
    const machine = aMachine();
    machine.write('data/a', 'a');
    machine.configure(`repositories:
  disk: { engine: archive, path: ./disk }
  away: { engine: archive, path: ./away }
services:
  half: { sources: { data: { files: [./data] }, lost: { files: [./lost] } } }
  none: { sources: { lost: { files: [./lost] } } }
  whole: { sources: { data: { files: [./data] } } }
`);
    machine.passes('repository', 'init', 'disk');
    const half = machine.json(3, 'backup', 'half', '--repository', 'disk');
    backupShape.parse(half);
    expect(half).toMatchObject({
      outcome: 'partial',
      points: [{ outcome: 'partial', items: [{ outcome: 'passed' }, { outcome: 'failed' }] }],
    });
    expect(half.points[0].items[1].error).toContain(machine.path('lost'));
    const none = machine.json(1, 'backup', 'none', '--repository', 'disk');
    expect(none).toMatchObject({ outcome: 'failed', points: [] });
    expect(readdirSync(machine.path('disk/none'))).toEqual([]);
    expect(machine.json(3, 'backup', 'whole', 'none', '--repository', 'disk').points).toHaveLength(1);
    expect(machine.json(3, 'backup', 'whole').points).toHaveLength(1);
    expect(failure(machine, 10, 'backup', 'whole', '--repository', 'away').message).toContain(machine.path('away'));
    expect(readdirSync(machine.folder)).not.toContain('away');
    const { stderr, stdout, exitCode } = machine.run(['list']);
    expect([exitCode, stderr]).toEqual([0, expect.stringContaining('warning: away')]);
    expect(stdout).toContain('half');
    expect(machine.json(3, 'catalog', 'rebuild')).toMatchObject({ outcome: 'partial' });
  });

  test('that lost most of what it had is held, which makes it partial', () => {
    const machine = aMachine();
    for (let number = 0; number < 40; number++) machine.write(`data/${number}`, randomBytes(2000));
    machine.configure(`repositories: { disk: { engine: archive, path: ./disk } }
services: { files: { sources: { data: { files: [./data] } } } }
plans: { nightly: { services: '*', repositories: [disk], retention: { latest: 9 } } }
`);
    machine.passes('repository', 'init', 'disk');
    for (let count = 0; count < 3; count++) machine.passes('backup', '--plan', 'nightly');
    for (let number = 2; number < 40; number++) tool('rm', machine.path('data', `${number}`));
    const { points } = machine.json(3, 'backup', '--plan', 'nightly');
    expect(points).toMatchObject([{ outcome: 'passed', held: expect.stringContaining('files_data') }]);
  });
});

describe.runIf(['age', 'age-keygen', 'gpg'].every(available))('a sealed repository', () => {
  test('opens with age and gpg, and with nothing else: 12', () => {
    const machine = aMachine();
    machine.write('data/soup.txt', 'soup\n');
    tool('age-keygen', '-o', machine.path('good.key'));
    tool('age-keygen', '-o', machine.path('other.key'));
    tool('sh', '-c', 'umask 077; printf "correct horse\\n" > "$1"', 'sh', machine.path('passphrase'));
    const recipient = tool('age-keygen', '-y', machine.path('good.key')).trim();
    machine.configure(`repositories:
  age: { engine: archive, path: ./age, encryption: { age: { recipients: [${recipient}], identities: [{ file: ./used.key }] } } }
  gpg: { engine: archive, path: ./gpg, encryption: { gpg: { passphrase: { file: ./passphrase } } } }
services: { files: { sources: { data: { files: [./data] } } } }
`);
    expect(failure(machine, 78, 'repository', 'init', 'age')).toMatchObject({ code: 'SecretMissing' });
    tool('cp', machine.path('other.key'), machine.path('used.key'));
    expect(failure(machine, 12, 'repository', 'init', 'age')).toMatchObject({ code: 'WrongPassword' });
    tool('cp', machine.path('good.key'), machine.path('used.key'));
    for (const name of ['age', 'gpg']) machine.passes('repository', 'init', name);
    const { points } = machine.json(0, 'backup');
    const [age, gpg] = points.map(({ repository, location }: { repository: string; location: string }) =>
      machine.path(repository, location, `files_data.tar.zst.${repository}`),
    );
    const name = machine.path('data/soup.txt').slice(1);
    const fromAge = 'age -d -i "$1" "$2" | zstd -dcq | tar -xOf - "$3"';
    expect(tool('sh', '-c', fromAge, 'sh', machine.path('good.key'), age, name)).toBe('soup\n');
    const fromGpg =
      'gpg --homedir "$4" -q --batch --pinentry-mode loopback --passphrase-file "$1" -d "$2" | zstd -dcq | tar -xOf - "$3"';
    tool('mkdir', '-m', '700', machine.path('gnupg'));
    expect(tool('sh', '-c', fromGpg, 'sh', machine.path('passphrase'), gpg, name, machine.path('gnupg'))).toBe(
      'soup\n',
    );
    expect(machine.passes('cat', 'files', 'data', name, '--repository', 'gpg')).toBe('soup\n');
    tool('cp', machine.path('other.key'), machine.path('used.key'));
    // under another key no point is begun: its unchanged items would be those of the first, which that key does not open
    expect(machine.json(3, 'backup')).toMatchObject({
      ...{ points: [{ repository: 'gpg' }], failures: [{ repository: 'age', code: 'WrongPassword' }] },
    });
    machine.write('passphrase', 'another horse\n');
    expect(failure(machine, 12, 'backup').message).toMatch(
      /(does|do) not open what the repository (age|gpg) .* was made with/,
    );
    expect(machine.json(0, 'list').points).toHaveLength(3);
    expect(failure(machine, 12, 'restore', 'files', '--repository', 'age', '--to', 'to').message).toContain(age);
    expect(failure(machine, 12, 'cat', 'files', 'data', name, '--repository', 'age')).toMatchObject({
      code: 'WrongPassword',
    });
    expect(readdirSync(machine.folder)).not.toContain('to');
    expect(machine.json(5, 'verify', '--repository', 'age')).toMatchObject({ outcome: 'inconclusive' });
    expect(machine.json(12, 'repository', 'check', 'age')).toMatchObject({ outcome: 'failed' });
    tool('chmod', '644', machine.path('age/.holdfast-repository.json'));
    expect(machine.json(1, 'repository', 'check', 'age').problems).toHaveLength(2);
    const known = ['--repository', machine.path('age'), '--identity', machine.path('good.key')];
    const alone = {
      environment: { HOLDFAST_CONFIG: machine.path('none.yaml'), STATE_DIRECTORY: machine.path('fresh') },
    };
    expect(machine.run(['cat', 'files', 'data', name, ...known], alone)).toMatchObject({
      exitCode: 0,
      stdout: 'soup\n',
    });
  });

  test('whose identity is kept elsewhere is made, proved and restored with it in hand', () => {
    const machine = aMachine();
    machine.write('data/soup.txt', 'soup\n');
    const key = machine.path('stick.key');
    tool('age-keygen', '-o', key);
    const recipient = tool('age-keygen', '-y', key).trim();
    machine.configure(`repositories:
  age: { engine: archive, path: ./age, encryption: { age: { recipients: [${recipient}] } } }
services: { files: { sources: { data: { files: [./data] } } } }
`);
    const hint = 'Name it, for this once: --identity FILE';
    expect(failure(machine, 12, 'repository', 'init', 'age')).toMatchObject({ hint });
    machine.passes('repository', 'init', 'age', '--identity', key);
    machine.passes('backup');
    expect(failure(machine, 12, 'restore', 'files', '--to', 'to')).toMatchObject({
      hint: expect.stringContaining('--identity FILE'),
    });
    machine.passes('verify', '--identity', key);
    machine.passes('restore', 'files', '--to', machine.path('to'), '--identity', key);
    expect(readFileSync(`${machine.path('to')}${machine.path('data/soup.txt')}`, 'utf8')).toBe('soup\n');
    expect(machine.json(12, 'repository', 'check', 'age').problems).toMatchObject([{ subject: 'key' }]);
    machine.passes('repository', 'check', 'age', '--identity', key);
  });

  test('never shows its secrets', () => {
    const machine = aMachine();
    machine.configure(`repositories:
  gpg: { engine: archive, path: ./gpg, encryption: { gpg: { passphrase: correct-horse } } }
services: { files: { sources: { data: { files: [./data] } } } }
`);
    machine.write('data/a', 'a');
    machine.passes('repository', 'init', 'gpg');
    machine.passes('backup');
    const shown = [
      ['config', 'show'],
      ['config', 'show', '--json'],
      ['config', 'check'],
      ['show', 'files', '--json'],
    ].map((args) => machine.run(args));
    for (const { stdout, stderr } of shown) expect(stdout + stderr).not.toContain('correct-horse');
    const manifest = tool('find', machine.path('gpg'), '-name', 'backup-manifest.json').trim();
    expect(readFileSync(manifest, 'utf8')).not.toContain('correct-horse');
    writeFileSync(machine.configuration, readFileSync(machine.configuration, 'utf8').replace('correct-horse', 'other'));
    expect(failure(machine, 12, 'restore', 'files', '--to', 'to').message).not.toContain('other');
  });
});
