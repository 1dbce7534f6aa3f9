import { spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  chmod,
  cp,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  realpath,
  rm,
  symlink,
  utimes,
  writeFile,
} from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';

const repository = join(import.meta.dirname, '..');

/** Prints what the program sees, in place of Holdfast's own main.ts; the first argument is the exit code. */
const PROGRAM = `
  import { readdirSync, readFileSync } from 'node:fs';
  import { readFile } from 'node:fs/promises';
  await Promise.all(Array.from({ length: 20 }, () => readFile('/proc/self/stat')));
  const threads = readdirSync('/proc/self/task').map((task) => readFileSync('/proc/self/task/' + task + '/comm', 'utf8').trim());
  const pool = threads.filter((name) => name === 'libuv-worker').length;
  const [code, ...args] = process.argv.slice(2);
  console.log(JSON.stringify({ text: 'first', args, pool, environment: process.env, folder: process.cwd(), node: process.version }));
  if (code === 'wait') setInterval(() => undefined, 1000);
  else process.exitCode = Number(code);
`;

interface Checkout extends AsyncDisposable {
  readonly folder: string;
  /** Runs ./holdfast with this environment besides PATH, in which \`npm\` is the fake one. */
  run(args: readonly string[], environment?: Record<string, string>, program?: string): Promise<Ended>;
  /** The arguments of each call of npm. */
  npmCalls(): Promise<readonly string[]>;
}
interface Ended {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** A checkout with the real scripts, the real Node and the real bundler, and an npm that only notes how it is called:
 *  what npm itself does is tried by every fresh clone. */
async function checkout(): Promise<Checkout> {
  const folder = await realpath(await mkdtemp(join(tmpdir(), 'holdfast-checkout-')));
  await mkdir(join(folder, 'src'));
  await mkdir(join(folder, 'npm'));
  await mkdir(join(folder, 'node_modules'));
  for (const name of [
    'holdfast',
    'dev/install.sh',
    'dev/build.ts',
    'src/start.ts',
    'package.json',
    'package-lock.json',
  ])
    await cp(join(repository, name), join(folder, name));
  await writeFile(join(folder, 'src/main.ts'), PROGRAM);
  for (const name of await readdir(join(repository, 'node_modules')))
    if (!name.startsWith('.') && name !== 'vitest')
      await symlink(join(repository, 'node_modules', name), join(folder, 'node_modules', name));
  await writeFile(
    join(folder, 'npm/npm'),
    `#!/bin/sh
[ "$1" = --version ] && echo 9.2.0 && exit
echo "$@" >> "${folder}/npm/calls"
[ -e "${folder}/npm/offline" ] || exit 0
echo 'npm ERR! the registry is out of reach' >&2
exit 1
`,
  );
  await chmod(join(folder, 'npm/npm'), 0o755);

  async function run(
    args: readonly string[],
    environment: Record<string, string> = {},
    program = join(folder, 'holdfast'),
  ): Promise<Ended> {
    const env = { PATH: `${join(folder, 'npm')}:/usr/local/bin:/usr/bin:/bin`, ...environment };
    const child = spawn(program, args, { env, cwd: '/', stdio: ['ignore', 'pipe', 'pipe'] });
    let [stdout, stderr] = ['', ''];
    child.stdout.on('data', (chunk: Buffer) => {
      stdout += chunk.toString();
      if (args[0] === 'wait') child.kill('SIGTERM');
    });
    child.stderr.on('data', (chunk: Buffer) => {
      stderr += chunk.toString();
    });
    const [code, signal] = (await once(child, 'close')) as [number | null, string | null];
    return { code: signal === null ? code : null, stdout, stderr: `${stderr}${signal ?? ''}` };
  }
  return {
    folder,
    run,
    npmCalls: async () =>
      (await readFile(join(folder, 'npm/calls'), 'utf8').catch(() => '')).split('\n').filter((line) => line !== ''),
    [Symbol.asyncDispose]: () => rm(folder, { recursive: true, force: true }),
  };
}

test('the first use installs and bundles, later ones do neither', async () => {
  await using made = await checkout();
  const first = await made.run(['3', 'a b', '*', ''], { HOME: '/nonexistent' });
  expect(first).toMatchObject({ code: 3, stderr: '' });
  expect(JSON.parse(first.stdout)).toMatchObject({ args: ['a b', '*', ''], folder: '/', node: process.version });
  expect(await made.npmCalls()).toEqual(['ci --omit=dev --ignore-scripts --no-audit --no-fund --loglevel=error']);
  const built = await readFile(join(made.folder, 'build/holdfast.js'), 'utf8');
  await writeFile(join(made.folder, 'build/holdfast.js'), `${built}\nconsole.log('the same bundle');\n`);
  expect((await made.run(['0'])).stdout).toContain('the same bundle');
  expect(await made.npmCalls()).toHaveLength(1);
});

test('it is found through symbolic links, from any folder', async () => {
  await using made = await checkout();
  await mkdir(join(made.folder, 'bin'));
  await symlink('../holdfast', join(made.folder, 'bin/one'));
  await symlink('one', join(made.folder, 'bin/two'));
  expect(await made.run(['0'], {}, join(made.folder, 'bin/two'))).toMatchObject({ code: 0, stderr: '' });
});

test('two first uses at once install once and both run', async () => {
  await using made = await checkout();
  const both = await Promise.all([made.run(['4']), made.run(['5'])]);
  expect(both.map(({ code, stderr }) => [code, stderr])).toEqual([
    [4, ''],
    [5, ''],
  ]);
  expect(await made.npmCalls()).toHaveLength(1);
});

test('a changed lock file is installed again, and what tests need stays where it was', async () => {
  await using made = await checkout();
  await made.run(['0']);
  const change = async (text: string): Promise<string | undefined> => {
    await writeFile(join(made.folder, 'package-lock.json'), text);
    await made.run(['0']);
    return (await made.npmCalls()).at(-1)?.split(' ')[1];
  };
  expect(await change('{}')).toBe('--omit=dev');
  await mkdir(join(made.folder, 'node_modules/vitest'));
  expect(await change('{ }')).toBe('--include=dev');
  await rm(join(made.folder, 'node_modules/vitest'), { recursive: true }); // as after an installation that failed
  expect(await change('{  }')).toBe('--include=dev');
  expect(await made.npmCalls()).toHaveLength(4);
});

test('a failed installation shows what npm said, and the next use tries again', async () => {
  await using made = await checkout();
  await writeFile(join(made.folder, 'npm/offline'), '');
  const failed = await made.run(['0']);
  expect(failed).toMatchObject({ code: 1, stdout: '' });
  expect(failed.stderr).toContain('the registry is out of reach');
  await rm(join(made.folder, 'npm/offline'));
  expect(await made.run(['0'])).toMatchObject({ code: 0, stderr: '' });
});

test('newer sources are bundled again, and a source that does not parse is named', async () => {
  await using made = await checkout();
  await made.run(['0']);
  const main = join(made.folder, 'src/main.ts');
  await writeFile(main, PROGRAM.replace("'first'", "'second'"));
  const soon = new Date(Date.now() + 1000); // file systems keep times in steps
  await utimes(main, soon, soon);
  expect((await made.run(['0'])).stdout).toContain('"second"');
  await writeFile(main, 'const = ;');
  const broken = await made.run(['0']);
  expect(broken).toMatchObject({ code: 1, stdout: '' });
  expect(broken.stderr).toContain('src/main.ts:1:');
  expect(broken.stderr).not.toContain('    at ');
});

test("the caller's environment is left as it is, while the thread pool has a thread per core", async () => {
  await using made = await checkout();
  const nproc = spawn('nproc', { stdio: ['ignore', 'pipe', 'inherit'] });
  let cores = '';
  nproc.stdout.on('data', (chunk: Buffer) => {
    cores += chunk.toString();
  });
  await once(nproc, 'close');
  const own = JSON.parse((await made.run(['0'])).stdout);
  expect(own.pool).toBe(Math.max(2, Number(cores)));
  expect(Object.keys(own.environment).filter((name) => name.startsWith('UV_') || name.startsWith('NODE_'))).toEqual([]);
  const given = JSON.parse((await made.run(['0'], { UV_THREADPOOL_SIZE: '7' })).stdout);
  expect(given).toMatchObject({ pool: 7, environment: { UV_THREADPOOL_SIZE: '7' } });
});

test('a signal reaches the program itself', async () => {
  await using made = await checkout();
  expect(await made.run(['wait'])).toMatchObject({ code: null, stderr: 'SIGTERM' });
});
